"""The machine code of what compares sets of rotated boxes: against float64, and odd boxes against CPU kernels."""

import pytest
import torch
from machine_compare import (
    assert_alike,
    assert_equal,
    assert_finite_alike,
    assert_gradients,
    assert_values,
    in_double,
    is_within,
    misaligned,
    native,
)
from rotated_boxes import EDGE_BOXES, random_pairs

from fastiou import _names
from fastiou.reference import rotated as reference_rotated

KINDS, ENCLOSINGS = _names.ROTATED_KINDS, _names.ENCLOSINGS
EXACT = ("iou", "iof", "giou", "diou", "ciou")
#: Kinds with the variants that differ: what encloses, or the root.
CODES = {
    f"{kind}-{variant}": 4 * i + variant
    for i, kind in enumerate(KINDS)
    for variant in range({"iou": 1, "iof": 1, "giou": 4, "diou": 4, "ciou": 4}.get(kind, 2))
}
#: One of every way through the kernels, for what does not depend on the formula.
FEW = {name: CODES[name] for name in ("iou-0", "giou-0", "ciou-1", "gwd-1", "probiou-0")}
RADIANS, DEGREES, COUNTERCLOCKWISE = 4, 5, 6
TOLERANCE = {torch.float32: (4e-6, 4e-4), torch.float64: (1e-12, 1e-9)}


def options(code, formats=(RADIANS, RADIANS)):
    return code, *formats, 0.0, 0.0, 0.0


def sets(n, m, *batch, dtype=torch.float32):
    """Crowded, so that many overlap, and some are far away from most."""
    count = max(n, m)
    first, second = (x.float() for x in random_pairs(torch.Size((*batch, count)).numel(), seed=n))
    first[..., :2] *= 0.4
    second[..., :2] *= 0.4
    return (x.reshape(*batch, count, 5)[..., :k, :].to(dtype) for x, k in ((first, n), (second, m)))


def odd_boxes(dtype):
    """As large as differences can tell."""
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64).clamp(-4e37, 4e37).to(dtype)
    boxes[7, 2], boxes[11, 0], boxes[12, 4] = float("nan"), float("inf"), float("inf")
    return boxes


def assert_scores(machine, args, looser=1):
    actual, alike = machine.pairwise(*args), native.pairwise(*args)
    assert_alike(actual, alike)
    assert_values(actual, native.pairwise(*in_double(args)), looser * TOLERANCE[actual.dtype][0], alike)
    return actual


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_pairwise(shuffled, code):
    for (n, m), dtype in (((33, 70), torch.float32), ((3, 33), torch.float64), ((129, 2), torch.float16)):
        args = (*sets(n, m, dtype=dtype), None, None, *options(code))
        assert_scores(shuffled, args, 1 if code < len(EXACT) * 4 else 10)


@pytest.mark.parametrize("kind", EXACT)
def test_reference(machine, kind):
    """The formulas in plain PyTorch."""
    first, second = sets(7, 35)
    actual = machine.pairwise(first, second, None, None, *options(CODES[f"{kind}-0"]))
    expected = reference_rotated.pairwise(first.double(), second.double(), kind)
    assert_values(actual, expected, TOLERANCE[torch.float32][0])


def layouts():
    first, second = sets(37, 70, 2)
    yield first.mT.contiguous().mT, second
    yield first.half(), second[:1].expand(2, 70, 5)
    yield misaligned(first), torch.cat([second, second], -1)[..., 5:]
    yield first.int(), second.to(torch.int16)


def masks_of(*sets_):
    g = torch.Generator().manual_seed(1)
    return tuple(torch.rand(x.shape[:-1], generator=g) > 0.3 for x in sets_)


def test_pairwise_layouts_masks_formats_and_integers(machine):
    for first, second in layouts():
        for given, formats in (
            ((None, None), (RADIANS, COUNTERCLOCKWISE)),
            (masks_of(first, second), (DEGREES + 2, DEGREES)),
        ):
            assert_scores(machine, (first, second, *given, *options(CODES["iou-0"], formats)))


@pytest.mark.parametrize("n, m", [(1, 1), (31, 33), (257, 1), (1, 257), (0, 5), (5, 0)])
def test_sizes(machine, n, m):
    first, second = sets(n, m)
    assert_scores(machine, (first, second, None, None, *options(CODES["ciou-0"])))
    assert_matches(machine, (first, second, None, None, *options(CODES["iou-0"])))
    assert_backward(machine, (torch.randn(n, m), first, second, None, None, *options(CODES["iou-0"]), True, True))


def assert_backward(machine, args, looser=1):
    """Gradients as in float64, relative to the largest partial of a box: sums of terms that cancel."""
    actual, alike = machine.pairwise_backward(*args), native.pairwise_backward(*args)
    expected = native.pairwise_backward(*in_double(args))
    for a, b, e in zip(actual, alike, expected, strict=True):
        assert_alike(a, b)
        assert_gradients(a, e, looser * TOLERANCE[a.dtype][1], b)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_backward(shuffled, code):
    """Every kernel."""
    for (n, m), dtype in (((35, 17), torch.float32), ((5, 33), torch.float64)):
        boxes1, boxes2 = sets(n, m, 2, dtype=dtype)
        grad = torch.randn(2, n, m, dtype=dtype)
        grad[:, :, ::7] = 0
        for g, formats in ((grad, (RADIANS, RADIANS)), (grad[:1, :1].expand(2, n, m), (DEGREES, DEGREES + 2))):
            args = (g, boxes1, boxes2, *masks_of(boxes1, boxes2), *options(code, formats), True, True)
            assert_backward(shuffled, args)


@pytest.mark.parametrize("code", FEW.values(), ids=FEW)
def test_backward_in_slices(shuffled, code):
    """Few boxes against many: the others are added up in slices."""
    args = (torch.randn(2, 2049), *sets(2, 2049), None, None, *options(code), True, False)
    assert_backward(shuffled, args, 4)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_odd_boxes(shuffled, code, dtype):
    """Finite wherever boxes are, and the CPU kernels' scores as far as digits reach."""
    boxes = odd_boxes(dtype)
    args = (boxes, boxes, None, None, *options(code))
    actual, alike, exact = shuffled.pairwise(*args), native.pairwise(*args), native.pairwise(*in_double(args))
    assert_finite_alike(actual, alike)
    near = (boxes.abs().amax(-1) <= 1e5) & is_within(boxes, 120)
    few = near[:, None] & near
    assert_values(actual[few], exact[few], 4e-5 if dtype == torch.float32 else 1e-8, alike[few])
    if code in FEW.values():
        args = (torch.ones(len(boxes), len(boxes), dtype=dtype), *args, True, True)
        for a, e in zip(shuffled.pairwise_backward(*args), native.pairwise_backward(*args), strict=True):
            assert_finite_alike(a, e)


def assert_matches(machine, args):
    """The boxes that CPU kernels find, and their scores."""
    actual, expected = machine.max_iou(*args), native.max_iou(*args)
    for a, e in zip(actual, expected, strict=True):
        assert_alike(a, e)
    values, indices, gt_values, gt_indices = actual
    for a, e in ((values, expected[0]), (gt_values, expected[2])):
        assert_values(a, e, TOLERANCE[a.dtype][0])
    assert torch.equal(indices, expected[1]) and torch.equal(gt_indices, expected[3])
    return actual


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("code", FEW.values(), ids=FEW)
def test_max_iou(machine, code, dtype):
    """Every kernel: ties, masks, boxes of no value, gts that nothing overlaps; and what ties with a gt's best."""
    boxes, gts = sets(40, 17, 2, dtype=dtype)
    gts[:, 5], boxes[:, 20], boxes[:, 37] = gts[:, 4], gts[:, 9], gts[:, 9]
    gts[:, 12, :2] += 1e4
    boxes[0, 3, 1], gts[1, 7, 0], boxes[0, 0, 0] = float("nan"), float("inf"), float("nan")
    for given in ((None, None), masks_of(boxes, gts), (None, torch.zeros(2, 17, dtype=torch.bool))):
        args = (boxes, gts, *given, *options(code))
        best = assert_matches(machine, args)[2]
        for least in (-2.0, 0.4):
            tied = (boxes, gts, *given, best, least, *options(code))
            expected = native.tied_gts(boxes, gts, *given, native.max_iou(*args)[2], least, *options(code))
            assert_equal(machine.tied_gts(*tied), expected)


def detections(n, dtype=torch.float32, classes=3):
    boxes, _ = sets(n, n, dtype=dtype)
    g = torch.Generator().manual_seed(n)
    scores = (torch.rand(n, generator=g) * 50).round() / 50  # with ties
    scores[::17] = float("nan")
    return boxes, scores, torch.randint(-classes, classes, (n,), generator=g) if classes else None


@pytest.mark.parametrize("n", [0, 1, 33, 65, 300])
@pytest.mark.parametrize("classes", [0, 3])
def test_nms(machine, n, classes):
    """One word, many, several chunks of them."""
    for fmt in (RADIANS, DEGREES + 2):
        args = (*detections(n, classes=classes), 0.3, CODES["iou-0"], 1.0, fmt, False)
        assert_equal(machine.nms(*args), native.nms(*args))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32], ids=str)
@pytest.mark.parametrize("code", FEW.values(), ids=FEW)
def test_suppression(machine, code, dtype):
    """Every kernel."""
    args = (*detections(70, dtype), 0.3, code, 1.0, RADIANS, False)
    assert_equal(machine.nms(*args), native.nms(*args))
    tolerance = 1e-6 if dtype == torch.float32 else 1e-12
    for gaussian in (False, True):
        args = (*detections(40, dtype), gaussian, 0.5, 0.3, 0.01, code, 1.0, RADIANS)
        (selected, scores, count), expected = machine.soft_nms(*args), native.soft_nms(*args)
        assert_equal((selected, count), expected[::2])
        assert_values(scores, expected[1], tolerance)
        args = (*detections(70, dtype), gaussian, 2.0, code, 1.0, RADIANS)
        assert_values(machine.matrix_nms(*args), native.matrix_nms(*args), tolerance)
