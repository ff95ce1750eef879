"""The calls of the stage "smoke": every public function that has kernels, with its inputs and tolerances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

import fastiou

from . import inputs

N = 10_007
FLOAT64 = {"tolerance": 1e-11, "grad_tolerance": 1e-9}


class Case(NamedTuple):
    """A call that is made on the GPU and on the CPU.

    Attributes:
        name: what the results call it.
        function: returns a tensor or a tuple of tensors.
        inputs: makes its arguments, on the CPU.
        grads: how many of them, from the first, take gradients.
        tolerance: of floating-point results: relative, and absolute where they are below 1.
        grad_tolerance: of gradients: relative to the largest partial of the row, or a tenth of that of a usual row.
        few: the share of numbers, or of rows of gradients, that may be further away, where rounding decides: which of
            two equal scores is larger, on which side of a line a point is.
    """

    name: str
    function: Callable[..., Tensor | tuple]
    inputs: Callable[[], tuple]
    grads: int = 0
    tolerance: float = 2e-5
    grad_tolerance: float = 1e-3
    few: float = 0.0


def cases(tiny: bool) -> list[Case]:
    """All of them; tiny ones are for a rehearsal on the CPU."""
    n = 203 if tiny else N
    groups = _losses, _layouts, _scores, _matches, _suppressions, _rotated, _pixels, _empty
    return [case for group in groups for case in group(n)]


def _losses(n: int) -> Iterator[Case]:
    """Aligned pairs: every kind, kept and reduced."""
    pairs, weighted = partial(inputs.pairs, n), lambda: (*inputs.pairs(n), inputs.scores(n))
    for kind in fastiou.kinds():
        yield Case(f"loss {kind}", partial(fastiou.iou_loss, kind=kind), pairs, 2)
        yield Case(f"loss {kind} mean, weighted", partial(_weighted_mean, kind), weighted, 2)
    yield Case("loss sum", partial(fastiou.iou_loss, reduction="sum"), pairs, 2)
    yield Case("loss mean by a tensor", _mean_by_tensor, pairs, 2)
    yield Case("loss mean of many", partial(fastiou.iou_loss, reduction="mean"), partial(inputs.pairs, 100 * n), 2)
    for name in ("complete", "distance", "generalized"):
        loss = getattr(fastiou, f"{name}_box_iou_loss")
        yield Case(f"{name}_box_iou_loss", partial(loss, reduction="mean"), pairs, 2)
    yield Case("loss of points", _loss_of_points, lambda: (*pairs(), pairs()[1][:, :2]), 2)


def _weighted_mean(kind: str, pred: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    return fastiou.iou_loss(pred, target, kind, weight=weight, reduction="mean")


def _mean_by_tensor(pred: Tensor, target: Tensor) -> Tensor:
    return fastiou.iou_loss(pred, target, reduction="mean", avg_factor=pred.new_tensor(7.0))


def _loss_of_points(pred: Tensor, target: Tensor, points: Tensor) -> Tensor:
    return fastiou.iou_loss(pred.abs(), target.abs(), "giou", fmt="ltrb", points=points)


def _layouts(n: int) -> Iterator[Case]:
    """Rows that are not packed, and other formats and dtypes."""
    pairs = partial(inputs.pairs, n)
    positive = partial(_each, Tensor.abs, pairs)
    loss = fastiou.iou_loss
    yield Case("loss of a permuted head", lambda p, t: loss(p.t().contiguous().t(), t), pairs, 2)
    yield Case("loss of unaligned rows", lambda p, t: loss(_unaligned(p), t), pairs, 2)
    yield Case("loss of every other row", lambda p, t: loss(p[::2], t[::2]), pairs, 2)
    yield Case("loss of one target", lambda p, t: loss(p, t[:1].expand_as(p), reduction="sum"), pairs, 2)
    for fmt in ("xywh", "cxcywh"):
        yield Case(f"loss of {fmt}", partial(loss, fmt=(fmt, "xyxy"), reduction="mean"), positive, 2)
    for name, half in (("float16", Tensor.half), ("bfloat16", Tensor.bfloat16)):
        yield Case(f"loss of {name}", loss, partial(_each, half, pairs), 2, grad_tolerance=2e-2)
    yield Case("loss of float64", loss, partial(_each, Tensor.double, pairs), 2, **FLOAT64)


def _unaligned(boxes: Tensor) -> Tensor:
    """The same boxes, one number behind where rows of four would be aligned."""
    return torch.cat([boxes.flatten()[:1], boxes.flatten()])[1:].view(-1, 4)


def _each(change: Callable[[Tensor], Tensor], make: Callable[[], tuple]) -> tuple:
    return tuple(change(x) for x in make())


def _scores(n: int) -> Iterator[Case]:
    """Sets: every kind with both gradients."""
    sets = partial(_sets, n // 33, n // 19)
    for kind in fastiou.pairwise_kinds():
        yield Case(f"pairwise {kind}", partial(fastiou.pairwise_iou, kind=kind), sets, 2)
    batch = lambda: (torch.stack([sets()[0]] * 3), sets()[1], inputs.scores(n // 33))  # noqa: E731
    yield Case("pairwise of a batch, masked", _masked_scores, batch, 2)
    yield Case("pairwise of integers", fastiou.box_iou, partial(_each, Tensor.long, sets))
    doubles = partial(_each, Tensor.double, sets)
    yield Case("pairwise of float64", partial(fastiou.pairwise_iou, kind="ciou"), doubles, 2, **FLOAT64)
    for name in ("generalized", "distance", "complete"):
        yield Case(f"{name}_box_iou", getattr(fastiou, f"{name}_box_iou"), sets, 2)


def _sets(n: int, m: int) -> tuple[Tensor, Tensor]:
    return inputs.pairs(n, 1)[0], inputs.pairs(m, 2)[1]


def _masked_scores(boxes1: Tensor, boxes2: Tensor, mask: Tensor) -> Tensor:
    return fastiou.pairwise_iou(boxes1, boxes2, "giou", mask1=mask > 0.3, fmt=("xyxy", "cxcywh"))


def _matches(n: int) -> Iterator[Case]:
    """Best partners, and what is made of them."""
    few = 1e-3
    sets, many = partial(_sets, n // 3, n // 39), partial(_sets, n * 27, 40)
    yield Case("max_iou", lambda b, g: tuple(fastiou.max_iou(b, g)), sets, few=few)
    yield Case("max_iou of many boxes", lambda b, g: tuple(fastiou.max_iou(b, g, "giou")), many, few=few)
    yield Case("max_iou of few boxes", lambda b, g: tuple(fastiou.max_iou(b, g)), partial(_sets, 5, n), few=few)
    yield Case("Matcher", lambda b, g: fastiou.Matcher(0.5, 0.3, True)(b, g), sets, few=few)
    yield Case("SSDMatcher", lambda b, g: fastiou.SSDMatcher(0.5)(b, g), sets, few=few)
    assigner = fastiou.MaxIoUAssigner(0.5, 0.4, ignore_iof_thr=0.5)
    yield Case("MaxIoUAssigner", lambda b, g: assigner(b, g, ignore=g[:3])[:2], sets, few=few)


def _suppressions(n: int) -> Iterator[Case]:
    """NMS and its variants, as masks and scores in input order, which a tie does not shift."""
    found, fewer = partial(inputs.detections, n), partial(inputs.detections, min(n, 1500))
    few = 2e-3
    yield Case("nms", lambda b, s: _mask(b, fastiou.nms(b, s, 0.5)), found, few=few)
    yield Case("nms by diou", lambda b, s: _mask(b, fastiou.nms(b, s, 0.5, kind="diou", beta=0.8)), found, few=few)
    yield Case("batched_nms", lambda b, s: _mask(b, fastiou.batched_nms(b, s, (s * 7).long(), 0.5)), found, few=few)
    yield Case("nms_mask", lambda b, s: fastiou.nms_mask(b, s, 0.5, idxs=(s * 7).long()), found, few=few)
    yield Case("cluster_nms", _merged, found, few=few)
    for method in ("gaussian", "linear"):
        yield Case(f"soft_nms {method}", partial(_soft_scores, method), fewer, tolerance=1e-3, few=1e-2)
        yield Case(f"matrix_nms {method}", partial(fastiou.matrix_nms, method=method), fewer, tolerance=1e-4, few=few)


def _mask(boxes: Tensor, kept: Tensor) -> Tensor:
    return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device).index_fill(0, kept, True)


def _merged(boxes: Tensor, scores: Tensor) -> Tensor:
    selected, merged, _ = fastiou.cluster_nms(boxes, scores, 0.5)
    return torch.zeros_like(boxes).index_copy(0, selected, merged)


def _soft_scores(method: str, boxes: Tensor, scores: Tensor) -> Tensor:
    selected, decayed = fastiou.soft_nms(boxes, scores, method=method)
    return torch.zeros(len(boxes), dtype=decayed.dtype, device=boxes.device).index_copy(0, selected, decayed)


def _rotated(n: int) -> Iterator[Case]:
    """Rotated boxes: losses by area and by distance, scores, matches, NMS."""
    pairs = partial(inputs.rotated_pairs, n // 5)
    sets = lambda: (pairs()[0][: n // 50], pairs()[1][: n // 67])  # noqa: E731
    loose = {"tolerance": 2e-4, "grad_tolerance": 2e-3, "few": 2e-3}
    for kind in ("iou", "giou", "diou", "ciou"):
        for enclosing in ("hull", "min", "target", "aabb")[: 1 if kind == "iou" else 4]:
            loss = partial(fastiou.rotated_iou_loss, kind=kind, enclosing=enclosing)
            yield Case(f"rotated {kind} {enclosing}", loss, pairs, 2, **loose)
    yield Case("rotated iou mean", partial(fastiou.rotated_iou_loss, reduction="mean", degrees=True), pairs, 2, **loose)
    for kind in fastiou.gaussian_kinds():
        yield Case(f"gaussian {kind}", partial(fastiou.gaussian_loss, kind=kind), pairs, 2, **loose)
        yield Case(f"gaussian_distance {kind}", partial(fastiou.gaussian_distance, kind=kind), sets, 2, **loose)
    for kind in ("iou", "iof", "giou", "ciou", "probiou"):
        yield Case(f"rotated pairwise {kind}", partial(fastiou.rotated_box_iou, kind=kind), sets, 2, **loose)
    best = lambda b, g: tuple(fastiou.max_iou(b, g, fmt="cxcywhr"))  # noqa: E731
    yield Case("rotated max_iou", best, sets, tolerance=2e-4, few=1e-2)
    found = lambda: (pairs()[0], inputs.scores(n // 5))  # noqa: E731
    yield Case("nms_rotated", lambda b, s: _mask(b, fastiou.nms_rotated(b, s, 0.5)), found, few=2e-3)


def _pixels(n: int) -> Iterator[Case]:
    """PIoU: small and large boxes, soft and hard pixels."""
    small = lambda: tuple(_scaled(x, 1 / 3) for x in inputs.rotated_pairs(n // 5))  # noqa: E731
    large = lambda: tuple(_scaled(x, 9) for x in inputs.rotated_pairs(n // 200))  # noqa: E731
    sets = lambda: (small()[0][: n // 150], small()[1][: n // 120])  # noqa: E731
    loose, counts = {"tolerance": 2e-4, "grad_tolerance": 5e-3, "few": 2e-3}, {"tolerance": 1e-2, "few": 2e-2}
    rows = partial(fastiou.piou_loss, reduction="none")
    yield Case("piou", rows, small, 2, **loose)
    yield Case("piou mean", fastiou.piou_loss, small, 2, **loose)
    yield Case("piou straight through", partial(fastiou.piou_loss, k=0.3, straight_through=True), small, 2, **loose)
    yield Case("piou of large boxes", partial(rows, k=0.3), large, 2, **loose)
    yield Case("piou of upright boxes", partial(rows, k=3.0), partial(inputs.pairs, n // 9), 2, **loose)
    yield Case("pixel_iou pairwise", partial(fastiou.pixel_iou, pairwise=True, k=3.0), sets, 2, **loose)
    yield Case("pixel_iou hard", partial(fastiou.pixel_iou, hard=True), small, **counts)
    yield Case("pixel_iou hard pairwise", partial(fastiou.pixel_iou, pairwise=True, hard=True), sets, **counts)


def _scaled(boxes: Tensor, by: float) -> Tensor:
    return torch.cat([boxes[:, :2], boxes[:, 2:4] * by, boxes[:, 4:]], -1)


def _empty(n: int) -> Iterator[Case]:
    """No boxes at all, or on one side."""
    none, some = partial(_no_boxes, 4), lambda: (torch.empty(0, 4), inputs.pairs(3)[0])
    for reduction in ("none", "mean"):
        yield Case(f"empty loss {reduction}", lambda a, r=reduction: fastiou.iou_loss(a, a, reduction=r), none, 1)
    yield Case("empty pairwise", fastiou.box_iou, some, 2)
    yield Case("empty max_iou", lambda a, b: (*fastiou.max_iou(a, b), *fastiou.max_iou(b, a)), some)
    yield Case("empty nms", lambda a: fastiou.nms(a, a[:, 0], 0.5), none)
    for name, loss in (("rotated", fastiou.rotated_iou_loss), ("gaussian", fastiou.gaussian_loss)):
        mean = partial(loss, reduction="mean")
        yield Case(f"empty {name}", lambda a, loss=mean: loss(a, a), partial(_no_boxes, 5), 1)
    yield Case("empty piou", lambda a: fastiou.piou_loss(a, a), partial(_no_boxes, 5), 1)


def _no_boxes(numbers: int) -> tuple[Tensor]:
    return (torch.empty(0, numbers),)
