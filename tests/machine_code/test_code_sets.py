"""The machine code of pairwise scores, gradients and matching: against float64, and odd boxes against CPU kernels."""

import pytest
import torch
from axes import EDGE_BOXES, random_boxes
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

import fastiou

KINDS = fastiou.pairwise_kinds()
TOLERANCE = {torch.float32: (1e-6, 2e-5), torch.float64: (1e-13, 1e-10)}
#: One row, one past a warp and a tile of either side, several tiles, none.
SIZES = [(1, 1), (31, 33), (65, 129), (257, 3), (2, 257), (0, 5), (5, 0)]


def options(kind="ciou", formats=(0, 0), eps=1e-7):
    return KINDS.index(kind), *formats, eps, eps, eps


def sets(n, m, *batch, dtype=torch.float32):
    first, second = random_boxes(*batch, max(n, m), seed=n)
    return first[..., :n, :].to(dtype), second[..., :m, :].to(dtype)


def odd_boxes(dtype):
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64)
    boxes = torch.cat([boxes, boxes[:4]]).to(dtype)
    boxes[-4, 2], boxes[-3, 0], boxes[-2, 1] = float("nan"), float("inf"), -float("inf")
    return boxes


def layouts():
    """Pairs of sets in a batch: as heads have them, shared, at odd places, of integers."""
    first, second = sets(37, 70, 2)
    yield first.mT.contiguous().mT, second
    yield first.half(), second[:1].expand(2, 70, 4)
    yield misaligned(first), misaligned(second.bfloat16())
    yield torch.cat([first, first], -1)[..., 2:6], second[:, ::2]
    yield first.int(), second.to(torch.uint8)
    yield first.to(torch.int16), second.to(torch.int8).abs()
    yield first.long(), second.double()


def masks_of(*sets_):
    g = torch.Generator().manual_seed(1)
    return tuple(torch.rand(x.shape[:-1], generator=g) > 0.3 for x in sets_)


def assert_scores(machine, args, tolerance=None):
    actual = machine.pairwise(*args)
    assert_alike(actual, native.pairwise(*args))
    assert_values(actual, native.pairwise(*in_double(args)), tolerance or TOLERANCE[actual.dtype][0])
    return actual


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_pairwise(machine, kind, dtype):
    """Every kernel; against the formulas in plain PyTorch as well."""
    first, second = sets(33, 70, dtype=dtype)
    actual = assert_scores(machine, (first, second, None, None, *options(kind)))
    exact = fastiou.reference.pairwise(first.double(), second.double(), kind, 1e-7)
    assert_values(actual, exact, TOLERANCE[dtype][0])


@pytest.mark.parametrize("n, m", SIZES)
def test_pairwise_sizes(machine, n, m):
    for kind in ("iou", "ciou"):
        for dtype in (torch.float32, torch.float16):
            assert_scores(machine, (*sets(n, m, dtype=dtype), None, None, *options(kind)))


def test_pairwise_layouts_masks_and_integers(machine):
    for first, second in layouts():
        for given in ((None, None), masks_of(first, second)):
            assert_scores(machine, (first, second, *given, *options("giou", (2, 1))))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_pairwise_of_odd_boxes(machine, kind, dtype):
    """Finite where boxes are, and as near float64 as CPU kernels; a tile of which one box is odd, too."""
    boxes, plain = odd_boxes(dtype), sets(70, 70, dtype=dtype)[0]
    plain[65] = boxes[7]
    for first, second, eps in ((boxes, boxes, 0.0), (plain, boxes, 1e-7), (plain, plain, 0.0)):
        args = (first, second, None, None, *options(kind, eps=eps))
        actual, alike, exact = machine.pairwise(*args), native.pairwise(*args), native.pairwise(*in_double(args))
        assert_finite_alike(actual, alike)
        usual = is_within(first, 120)[:, None] & is_within(second, 120) if dtype == torch.float32 else slice(None)
        assert_values(actual[usual], exact[usual], 4 * TOLERANCE[dtype][0], alike[usual])


def assert_backward(machine, args, looser=1):
    """Gradients as in float64, relative to the largest partial of a box: sums of terms that cancel."""
    actual, alike = machine.pairwise_backward(*args), native.pairwise_backward(*args)
    expected = native.pairwise_backward(*in_double(args))
    for a, b, e in zip(actual, alike, expected, strict=True):
        assert_alike(a, b)
        assert_gradients(a, e, looser * TOLERANCE[a.dtype][1])


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_backward(machine, kind, dtype):
    """Every kernel."""
    first, second = sets(35, 33, 2, dtype=dtype)
    grad = torch.randn(2, 35, 33, dtype=dtype)
    grad[:, :, ::7] = 0
    for g in (grad, grad.mT.contiguous().mT, grad[:1, :1].expand(2, 35, 33)):
        args = (g, first, second, *masks_of(first, second), *options(kind, (1, 2)), True, True)
        assert_backward(machine, args)
    for wanted in ((True, False), (False, True)):
        assert_backward(machine, (grad, first, second, None, None, *options(kind), *wanted))


@pytest.mark.parametrize("n, m", SIZES)
def test_backward_sizes(machine, n, m):
    assert_backward(machine, (torch.randn(n, m), *sets(n, m), None, None, *options("giou"), True, True))


def test_backward_layouts(machine):
    for first, second in layouts():
        doubles = {torch.float64, torch.int32, torch.int64} & {first.dtype, second.dtype}
        grad = torch.randn(2, 37, second.shape[1], dtype=torch.float64 if doubles else torch.float32)
        assert_backward(machine, (grad, first, second, None, None, *options("diou"), True, True))


def test_backward_in_slices(shuffled):
    """Few boxes against many: the others are added up in slices."""
    args = (torch.randn(3, 2100), *sets(3, 2100), None, None, *options("iou"), True, False)
    assert_backward(shuffled, args)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_backward_of_odd_boxes(shuffled, kind, dtype):
    boxes = odd_boxes(dtype)
    for eps in (0.0, 1e-7):
        args = (torch.ones(len(boxes), len(boxes), dtype=dtype), boxes, boxes, None, None, *options(kind, eps=eps))
        actual, expected = (ops.pairwise_backward(*args, True, True) for ops in (shuffled, native))
        for a, e in zip(actual, expected, strict=True):
            assert_gradients(a, e, 10 * TOLERANCE[dtype][1])


def crowd(n, m, dtype=torch.float32):
    """Ties, equal gts, boxes of no value, gts that nothing overlaps, inverted boxes."""
    boxes, gts = sets(n, m, 2, dtype=dtype)
    boxes[:, n // 2], boxes[:, n - 1], gts[:, m // 4] = gts[:, m // 3], gts[:, m // 3], gts[:, m // 3]
    gts[:, m // 2] += 1e4
    boxes[0, 3, 1], gts[1, m - 1, 0], boxes[0, 0, 0] = float("nan"), float("inf"), float("nan")
    boxes[1, 9] = torch.tensor([9.0, 9, 3, 3])
    return boxes, gts


def assert_matches(machine, args):
    """The CPU kernels' boxes, and scores that are those of the pairwise kernels to the bit; returns both."""
    actual, expected = machine.max_iou(*args), native.max_iou(*args)
    for a, e in zip(actual, expected, strict=True):
        assert_alike(a, e)
    values, indices, gt_values, gt_indices = actual
    assert_values(values, expected[0], TOLERANCE[values.dtype][0])
    assert_values(gt_values, expected[2], TOLERANCE[values.dtype][0])
    assert torch.equal(indices, expected[1]) and torch.equal(gt_indices, expected[3])
    scores = machine.pairwise(*args)  # of integers that are computed in float64 they are float32
    for best, at, dim in ((values, indices, -1), (gt_values, gt_indices, -2)):
        if scores.shape[dim] and scores.dtype == values.dtype:
            named = scores.gather(dim, at.clamp(min=0).unsqueeze(dim)).squeeze(dim)
            assert torch.equal(best[at >= 0], named[at >= 0])
    return actual, scores


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_max_iou(machine, kind, dtype):
    """Every kernel: few boxes and many, with masks, without a gt that is there; and what ties with a gt's best."""
    for n, m in ((70, 33), (310, 9)):
        boxes, gts = crowd(n, m, dtype)
        nothing = torch.zeros(2, m, dtype=torch.bool)
        for given in ((None, None), masks_of(boxes, gts), (None, nothing)):
            args = (boxes, gts, *given, *options(kind, eps=0.0))
            (_, _, best, _), scores = assert_matches(machine, args)
            for least in (-2.0, 0.4):
                tied = (boxes, gts, *given, best, least, *options(kind, eps=0.0))
                expected = ties(scores.to(dtype), best, least, *given)
                assert torch.equal(machine.tied_gts(*tied), expected)


def ties(scores, best, least, mask1, mask2):
    """For every box the last gt whose best score it has, or -1."""
    tied = (scores == best[:, None]) & (best[:, None] >= least)
    if mask1 is not None:
        tied &= mask1[:, :, None]
    if mask2 is not None:
        tied &= mask2[:, None]
    numbers = torch.arange(scores.shape[-1]).expand(scores.shape)
    return torch.where(tied, numbers, -1).amax(-1)


@pytest.mark.parametrize("n, m", [(1, 1), (31, 129), (257, 2), (1, 300), (0, 3), (3, 0)])
def test_max_iou_sizes(machine, n, m):
    boxes, gts = sets(n, m)
    assert_matches(machine, (boxes, gts, None, None, *options("iou")))
    args = (boxes, gts, None, None, torch.zeros(m), 0.0, *options("iou"))
    assert_equal(machine.tied_gts(*args), native.tied_gts(*args))


def test_max_iou_layouts(machine):
    for boxes, gts in layouts():
        assert_matches(machine, (boxes, gts, *masks_of(boxes, gts), *options("iou", (2, 1))))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", ["iou", "giou", "ciou"])
def test_max_iou_of_odd_boxes(machine, kind, dtype):
    boxes = odd_boxes(dtype)
    assert_matches(machine, (boxes.roll(3, 0), boxes, None, None, *options(kind, eps=0.0)))
