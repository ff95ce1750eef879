"""Calls of every emulated operator that take every kernel through several blocks, and do little else."""

import itertools

import torch
from axes import LAYOUTS, random_boxes
from emulation import load_emulation
from rotated_boxes import random_pairs
from torch import Tensor

import fastiou
from fastiou import _names

KINDS, PAIRWISE_KINDS, ROTATED_KINDS = fastiou.kinds(), fastiou.pairwise_kinds(), _names.ROTATED_KINDS
XYXY, RADIANS = _names.FORMATS.index("xyxy"), 4
IOU, CIOU = PAIRWISE_KINDS.index("iou"), PAIRWISE_KINDS.index("ciou")
#: Codes of rotated kinds, one of each family of formulas.
ROTATED = [4 * ROTATED_KINDS.index(kind) + variant for kind, variant in (("iou", 0), ("giou", 0), ("gwd", 1))]
DTYPES = torch.float32, torch.float64
WANTED = (False, False), (True, False), (True, True)
EPS = 1e-7


LIBRARIES = [f"emulated_{name}.cpp" for name in ("sets", "nms", "cuda", "rotated", "pixels")]  # the longest ones first


def ops(name: str):
    """The operators of a library: cuda, nms, pixels, rotated or sets."""
    load_emulation(f"emulated_{name}.cpp")
    return getattr(torch.ops, "fastiou_emulated" if name == "cuda" else f"fastiou_emulated_{name}")


def losses():
    pred, target = random_boxes(530)
    weight = torch.rand(530, generator=torch.Generator().manual_seed(0))
    cases = itertools.product(("contiguous", "strided"), DTYPES, (0, 2), WANTED)
    for layout, dtype, reduction, wanted in cases:
        boxes = (LAYOUTS[layout](x.to(dtype)) for x in (pred, target))
        yield ops("cuda").pair_loss(*boxes, None, weight, None, CIOU, XYXY, XYXY, reduction, None, EPS, EPS, *wanted)


def scaled_rows():
    for width, layout in itertools.product((4, 5), ("contiguous", "strided")):
        partials = LAYOUTS[layout](random_boxes(300)[0].repeat(1, 2)[:, :width])
        for grad in (partials[:, 0].contiguous(), torch.tensor(0.5)):
            yield ops("cuda").scale_rows(partials, grad, torch.float32)


def rotated_losses():
    for layout, dtype, kind in itertools.product(("contiguous", "strided"), DTYPES, ROTATED):
        boxes = [LAYOUTS[layout](x.to(dtype)) for x in random_pairs(290)]
        for reduction, wanted in ((0, (True, True)), (2, (False, False))):
            options = (kind, RADIANS, 1, 1.0, 1.0, EPS, reduction, None, *wanted)
            yield ops("rotated").rotated_loss(*boxes, None, None, *options)


def _pixel_boxes(n: int, dtype: torch.dtype):
    """Small boxes, and one that a whole block takes."""
    pred, target = (x.to(dtype) for x in random_pairs(n))
    pred[:, 2:4] *= 0.3
    target[:, 2:4] *= 0.3
    pred[2, 2:4] = target[2, 2:4] = 190
    return pred, target


def pixel_losses():
    for dtype in DTYPES:
        boxes = _pixel_boxes(14, dtype)
        for reduction, wanted in ((0, (True, True)), (2, (True, False)), (2, (False, False))):
            options = (RADIANS, RADIANS, 1, False, False, 10.0, 1.0, 1e-6, 1.0, False, reduction, None, *wanted)
            yield ops("pixels").pixel_loss(*boxes, None, None, *options)


def pixel_scores():
    for dtype in DTYPES:
        boxes, others = _pixel_boxes(7, dtype)
        args = (boxes, others[:5], RADIANS, RADIANS, False)
        scores = ops("pixels").pixel_pairwise(*args, False, 10.0, 1.0)
        yield (scores,)
        yield ops("pixels").pixel_pairwise_backward(scores, *args, 10.0, 1.0, True, True)


def _set_options(kind: int, fmt: int):
    return kind, fmt, fmt, 0.0, 0.0, 0.0


def _sets(n: int, m: int, dtype: torch.dtype):
    """Pairs of sets, upright and rotated, with what an operator asks of them. One box is inverted."""
    boxes, others = (x.to(dtype) for x in random_boxes(max(n, m)))
    yield boxes[:n], others[:m], _set_options(CIOU, XYXY)
    boxes[3] = boxes[3, [2, 3, 0, 1]]
    yield boxes[:n], others[:m], _set_options(IOU, XYXY)
    boxes, others = (x.to(dtype) for x in random_pairs(max(n, m)))
    yield boxes[:n], others[:m], _set_options(ROTATED[1], RADIANS)


def scores():
    for dtype in DTYPES:
        for boxes, others, options in _sets(12, 131, dtype):
            yield (ops("sets").pairwise(boxes, others, None, None, *options),)


def gradients_of_scores():
    for dtype in DTYPES:
        for boxes, others, options in _sets(12, 131, dtype):
            grad = torch.linspace(-1, 1, 12 * 131, dtype=dtype).reshape(12, 131)
            yield ops("sets").pairwise_backward(grad, boxes, others, None, None, *options, True, True)


def matches():
    sizes = ((300, 40), (40, 300), (620, 40))  # a set in chunks, sets that change places, and boxes in order
    for dtype, (n, m) in itertools.product(DTYPES, sizes):
        for boxes, gts, options in _sets(n, m, dtype):
            found = ops("sets").max_iou(boxes, gts, None, None, *options)
            yield found
            yield (ops("sets").tied_gts(boxes, gts, None, None, found[2], 0.1, *options),)


def _detections(n: int, dtype: torch.dtype, rotated: bool):
    boxes = random_pairs(n)[0] if rotated else random_boxes(n)[0]
    g = torch.Generator().manual_seed(n)
    return boxes.to(dtype), (torch.rand(n, generator=g) * 50).round() / 50, torch.randint(0, 2, (n,), generator=g)


def suppressions():
    for dtype, rotated in itertools.product(DTYPES, (False, True)):
        kind = (ROTATED[0], 1.0, RADIANS) if rotated else (IOU, 1.0, XYXY)
        n = 150 if rotated or dtype != torch.float32 else 700  # more than a chunk
        yield ops("nms").nms(*_detections(n, dtype, rotated), 0.4, *kind, False)
        if not rotated:
            yield ops("nms").nms(*_detections(20, dtype, rotated), 0.4, *kind, True)
        yield ops("nms").soft_nms(*_detections(40, dtype, rotated), True, 0.5, 0.3, 0.05, *kind)
        for gaussian in (False, True):
            yield (ops("nms").matrix_nms(*_detections(300, dtype, rotated), gaussian, 2.0, *kind),)


#: By name: calls, each of which returns tensors, or None for what nobody asked for.
SAMPLES = {
    f.__name__: f
    for f in (
        losses,
        scaled_rows,
        rotated_losses,
        pixel_losses,
        pixel_scores,
        scores,
        gradients_of_scores,
        matches,
        suppressions,
    )
}


def results(name: str) -> list[Tensor]:
    """All tensors that the calls of a sample return."""
    answers = ((answer,) if isinstance(answer, Tensor) else answer for answer in SAMPLES[name]())
    return [x for answer in answers for x in answer if x is not None]
