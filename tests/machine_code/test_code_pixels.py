"""The machine code of losses and scores over pixels: against float64, and odd boxes against the CPU kernels."""

import itertools
import math

import pytest
import torch
from axes import LAYOUTS, edge_pairs as upright_edge_pairs, random_boxes
from machine_compare import (
    WANTED,
    assert_alike,
    assert_equal,
    assert_gradients,
    assert_losses,
    assert_values,
    in_double,
    misaligned,
    native,
)
from pixels import oracle
from rotated_boxes import EDGE_BOXES, random_pairs

from fastiou import _names

XYXY, XYWH, CXCYWH = (_names.FORMATS.index(fmt) for fmt in ("xyxy", "xywh", "cxcywh"))
RADIANS, DEGREES, COUNTERCLOCKWISE = 4, 5, 6
#: A partial is a difference of sums: what float32 has left of one differs by some 1e-5 between two orders of adding.
TOLERANCE = {torch.float32: (4e-6, 4e-4), torch.float64: (1e-12, 1e-10)}


def call(pred, target, fmt=(RADIANS, RADIANS), link="none", area=False, hard=False, k=10.0, scale=1.0, floor=1e-6,
         factor=1.0, straight=False, weight=None, avg=None, reduction=0, divisor=None,
         wanted=(True, True)):  # fmt: skip
    """The arguments of the operator."""
    options = (*fmt, _names.LINKS.index(link), area, hard, k, scale, floor, factor, straight)
    return pred, target, weight, avg, *options, reduction, divisor, *wanted


def assert_right(machine, args, looser=1):
    """As the CPU kernels, and as in float64."""
    actual, alike = machine.pixel_loss(*args), native.pixel_loss(*args)
    for a, e in zip(actual, alike, strict=True):
        assert_alike(a, e)
    tolerance = [looser * t for t in TOLERANCE[actual[0].dtype]]
    assert_losses(actual, alike, *tolerance)
    return actual


def pairs(n, seed=0, dtype=torch.float32):
    """Rotated ones, and upright ones of either orientation; some of them the same twice."""
    pred, target = (x.float() for x in random_pairs(n, seed=seed))
    pred[:, 2:4], target[:, 2:4] = pred[:, 2:4] / 2, target[:, 2:4] / 2
    pred[: n // 5, 4] = 0
    target[: n // 3, 4] = 0
    target[: n // 8, 4] = math.pi / 2
    pred[-2:] = target[-2:]
    return pred.to(dtype), target.to(dtype)


@pytest.mark.parametrize("area", [False, True], ids=("exact", "area"))
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_scores_and_gradients(machine, dtype, area):
    """Every kernel."""
    pred, target = pairs(12, dtype=dtype)
    for wanted in WANTED:
        assert_right(machine, call(pred, target, wanted=wanted, area=area))


def test_definition(shuffled):
    """Pixel by pixel, in float64."""
    pred, target = pairs(6, seed=7)
    actual = shuffled.pixel_loss(*call(pred, target))
    assert_losses(actual, oracle(pred, target), 1e-5, 1e-3)


def test_links_and_factors(machine):
    pred, target = pairs(5, seed=1)
    for link, floor, factor in (("one_minus", 0.1, 1.0), ("log_floor", 0.1, 2.0), ("log_floor", 1e-6, 1.0)):
        assert_right(machine, call(pred, target, link=link, floor=floor, factor=factor))


@pytest.mark.parametrize("layout", [*LAYOUTS, "misaligned"])
def test_layouts_dtypes_and_formats(shuffled, layout):
    change = misaligned if layout == "misaligned" else LAYOUTS[layout]
    weight = torch.rand(1, 1, 4, dtype=torch.float16).expand(1, 2, 4)
    for dtypes in (("float32", "float32"), ("float16", "float64"), ("bfloat16", "float16")):
        rotated = [x.reshape(1, 2, 4, 5) for x in pairs(8, seed=2)]
        upright = random_boxes(1, 2, 4, seed=2)
        for boxes, formats in (
            (rotated, ((RADIANS, RADIANS), (DEGREES, DEGREES + 2), (COUNTERCLOCKWISE, RADIANS))),
            (upright, ((XYXY, XYXY), (XYWH, CXCYWH))),
        ):
            pred, target = (change(b.to(getattr(torch, d))) for b, d in zip(boxes, dtypes, strict=True))
            for fmt in formats:
                assert_right(shuffled, call(pred, target, fmt, "one_minus", weight=weight))


@pytest.mark.parametrize("reduction", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 8, 9, 30])
def test_reductions(machine, reduction, n):
    """One block, several, a grid that walks. The ticket is put back, so the second launch is right as well."""
    pred, target = (x[:n] for x in pairs(30))
    avg = torch.tensor(3.5, dtype=torch.bfloat16)
    for given in ({}, {"weight": torch.rand(n), "avg": avg}, {"weight": torch.rand(n), "divisor": 4.0}):
        args = call(pred, target, link="log_floor", reduction=reduction, wanted=(True, "avg" in given), **given)
        first, second = assert_right(machine, args), machine.pixel_loss(*args)
        assert torch.equal(first[0], second[0])


@pytest.mark.parametrize("link", ["one_minus", "log_floor"])
def test_straight_through(machine, link):
    """Boxes that overlap, that share nothing, and one of no size."""
    pred, target = pairs(5, seed=3)
    target[:2, :2] += 70
    target[2, 2] = 0
    for dtype, area in ((torch.float32, False), (torch.float32, True), (torch.float64, False)):
        args = call(pred.to(dtype), target.to(dtype), link=link, straight=True, floor=0.1, area=area)
        _, grad, _ = assert_right(machine, args)
        assert (grad.abs().amax(-1) > 0).tolist() == [True, True, False, True, True]


def test_hard_pixels_are_counted_exactly(machine):
    for (pred, target), fmt in ((pairs(10), (RADIANS, RADIANS)), (random_boxes(10), (XYXY, XYXY))):
        pred[0], target[0, 0] = target[0] * 4, float("nan")
        for dtype, area in itertools.product((torch.float32, torch.float64, torch.float16), (False, True)):
            args = call(pred.to(dtype), target.to(dtype), fmt, area=area, hard=True, wanted=(False, False))
            assert_equal(machine.pixel_loss(*args)[0], native.pixel_loss(*args)[0])


@pytest.mark.parametrize("k, scale", [(1e-6, 1.0), (0.1, 1.0), (1.0, 2.0), (10.0, 0.1), (1e6, 1.0), (3.0, 1e-6)])
def test_softness_and_scale(shuffled, k, scale):
    pred, target = pairs(2, seed=4)
    if k * scale < 1:  # many pixels
        pred, target = pred[:1], target[:1]
    for dtype in TOLERANCE:
        assert_right(shuffled, call(pred.to(dtype), target.to(dtype), k=k, scale=scale), 4)


def test_large_boxes_are_taken_by_blocks(shuffled):
    """Between small ones, which warps take; and where a grid walks."""
    pred, target = pairs(30, seed=5)
    pred[:, 2:4], target[:, 2:4] = pred[:, 2:4] / 8, target[:, 2:4] / 8
    for i, size in ((0, 300.0), (12, 260.0), (29, 280.0)):
        pred[i, 2:4], target[i, 2:4] = size, size * 0.9
    target[12, 4] = 0
    for dtype in TOLERANCE:
        assert_right(shuffled, call(pred.to(dtype), target.to(dtype), link="log_floor"))
    weight = torch.rand(30)
    args = call(pred, target, link="one_minus", weight=weight, reduction=1, wanted=(True, False))
    assert_right(shuffled, args)


def odd_boxes(dtype, most):
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64)
    return boxes[boxes[:, 2:4].abs().amax(-1) < most].to(dtype)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_odd_boxes(shuffled, dtype):
    boxes = odd_boxes(dtype, most=1e3)
    boxes = torch.cat([boxes, boxes[:3]])
    boxes[-3, 2], boxes[-2, 0], boxes[-1, 4] = float("nan"), float("inf"), -float("inf")
    for shift in (0, 5, 9):
        assert_right(shuffled, call(boxes, boxes.roll(shift, 0), link="one_minus"), 4)
    weight = torch.tensor([1.0, float("nan"), 0.0])
    assert_right(shuffled, call(boxes[:3], boxes[:3], weight=weight))
    pred, target = (x[::17] for x in upright_edge_pairs(dtype))
    assert_right(shuffled, call(pred, target, (XYXY, XYXY), "one_minus"), 4)


def sets(n, m, *batch, seed=0, dtype=torch.float32, spread=1.0):
    """Boxes of 5 to 25 pixels, as far from each other as `spread` says."""
    first, second = random_pairs(max(n, m) * math.prod(batch), seed=seed)
    first, second = (torch.cat([x[:, :2] * spread, x[:, 2:4] / 4, x[:, 4:]], -1).float() for x in (first, second))
    first, second = (x.reshape(*batch, max(n, m), 5).to(dtype) for x in (first, second))
    return first[..., :n, :], second[..., :m, :]


def assert_scores(machine, first, second, *chosen):
    actual, expected = (ops.pixel_pairwise(first, second, *chosen) for ops in (machine, native))
    assert_alike(actual, expected)
    assert_values(actual, expected, TOLERANCE[expected.dtype][0])
    return actual


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16], ids=str)
def test_pairwise(machine, dtype):
    """Every kernel."""
    for n, m, area in ((3, 70, False), (33, 2, True), (1, 1, False), (0, 3, False), (3, 0, True)):
        first, second = sets(n, m, dtype=dtype, spread=0.3)
        if n * m:
            second[0] = first[0]
        assert_scores(machine, first, second, RADIANS, RADIANS, area, False, 10.0, 1.0)


def test_pairwise_layouts_formats_integers_and_hard_pixels(machine):
    first, second = sets(3, 35, 2, spread=0.3)
    transposed, shared = first.mT.contiguous().mT, second[:1].expand(2, 35, 5)
    for hard in (False, True):
        chosen = (False, hard, 10.0, 1.0)
        assert_scores(machine, transposed, shared.half(), DEGREES, DEGREES + 2, *chosen)
        assert_scores(machine, first.int(), second.to(torch.int16), DEGREES, DEGREES, *chosen)
        upright = [x[..., :4].abs() for x in (misaligned(first), second)]
        assert_scores(machine, *upright, XYWH, CXCYWH, *chosen)


def test_pairwise_of_odd_boxes(shuffled):
    boxes = torch.cat([odd_boxes(torch.float32, most=1e3)] * 2)[:30]
    boxes[-3, 2], boxes[-2, 0], boxes[-1, 4] = float("nan"), float("inf"), -float("inf")
    boxes = torch.cat([boxes, sets(9, 9)[0]])  # more than a warp looks at
    assert_scores(shuffled, boxes[24:], boxes, RADIANS, RADIANS, True, False, 10.0, 1.0)


def test_pairwise_large_boxes_are_counted_by_blocks(shuffled):
    first, second = sets(2, 3)
    first[1, 2:4], second[2, 2:4] = 320.0, 300.0
    assert_scores(shuffled, first, second, RADIANS, RADIANS, False, False, 10.0, 1.0)


def assert_backward(machine, grad, first, second, *chosen):
    both = (ops.pixel_pairwise_backward(grad, first, second, *chosen) for ops in (machine, native))
    exact = native.pixel_pairwise_backward(*in_double((grad, first, second)), *chosen)
    for actual, alike, expected in zip(*both, exact, strict=True):
        assert_alike(actual, alike)
        assert_gradients(actual, expected, TOLERANCE[actual.dtype][1])


@pytest.mark.parametrize("area", [False, True], ids=("exact", "area"))
def test_pairwise_backward(machine, area):
    """Every kernel."""
    for (n, m), dtype in (((3, 9), torch.float32), ((2, 5), torch.float64)):
        first, second = sets(n, m, 2, dtype=dtype, spread=0.2)
        grad = torch.randn(2, n, m, dtype=dtype)
        grad[0, :, 3], grad[1, 0] = 0, 0
        for g in (grad, grad.mT.contiguous().mT, grad[:1, :1].expand(2, n, m)):
            assert_backward(machine, g, first, second, RADIANS, RADIANS, area, 10.0, 1.0, True, True)
    turned = (first, second, DEGREES, DEGREES + 2)
    assert_backward(machine, grad, *turned, area, 3.0, 0.5, False, True)
    upright = [x[..., :4].abs() for x in (first, second)]
    assert_backward(machine, grad, *upright, XYXY, CXCYWH, area, 3.0, 0.5, True, True)


def test_pairwise_backward_in_slices(shuffled):
    """Few boxes against many, and an incoming NaN, which reaches its two boxes alone."""
    first, second = sets(1, 2050, seed=6, spread=30.0)
    second[::300] = first[0] + torch.arange(7)[:, None] * 0.5
    grad = torch.randn(1, 2050)
    assert_backward(shuffled, grad, first, second, RADIANS, RADIANS, False, 10.0, 1.0, True, False)
    grad[0, 600] = float("nan")
    assert_backward(shuffled, grad, first, second, RADIANS, RADIANS, True, 10.0, 1.0, True, True)


def test_pairwise_backward_of_nothing(machine):
    for n, m in ((0, 3), (3, 0)):
        first, second = sets(n, m)
        args = (torch.zeros(n, m), first, second, RADIANS, RADIANS, False, 10.0, 1.0, True, True)
        for actual, boxes in zip(machine.pixel_pairwise_backward(*args), (first, second), strict=True):
            assert_equal(actual, torch.zeros_like(boxes))
