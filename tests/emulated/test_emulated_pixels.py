"""The CUDA kernels over pixels, run on the CPU (emulated_pixels.cpp), against the CPU kernels.

No substitute for a GPU, see test_emulated.py.
"""

import itertools
import math
import shutil

import pytest
import torch
from axes import LAYOUTS, edge_pairs as upright_edge_pairs, random_boxes
from emulation import load_emulation
from rotated_boxes import EDGE_BOXES, random_pairs

import fastiou
from fastiou import _names

pytestmark = [
    pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled to compare with"),
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
XYXY, XYWH, CXCYWH = (_names.FORMATS.index(fmt) for fmt in ("xyxy", "xywh", "cxcywh"))
RADIANS, DEGREES, COUNTERCLOCKWISE = 4, 5, 6
WANTED = ((False, False), (True, False), (False, True), (True, True))
native = torch.ops.fastiou
#: Of a loss, and of a gradient relative to the largest partial of its row, or to 0.001 where that is less. A partial is
#: a difference of sums: what float32 has left of one differs by some 1e-5 between any two orders of adding.
TOLERANCE = {torch.float32: (4e-6, 2e-4), torch.float64: (1e-12, 1e-11)}


@pytest.fixture(scope="module")
def emulated():
    load_emulation("emulated_pixels.cpp")
    return torch.ops.fastiou_emulated_pixels


def options(fmt=(4, 4), link="none", area=False, hard=False, k=10.0, scale=1.0, floor=1e-6, factor=1.0, straight=False):
    return *fmt, _names.LINKS.index(link), area, hard, k, scale, floor, factor, straight


def assert_close(actual, expected, tolerance, scale=1.0):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype and actual.stride() == expected.stride()
    assert torch.equal(actual.isnan(), expected.isnan())
    error = ((actual - expected).abs() / scale).nan_to_num(0)
    assert not error.numel() or error.max() <= tolerance, f"{error.max():.1e} > {tolerance:.0e}"


def assert_grads_close(actual, expected, tolerance):
    scale = expected.nan_to_num().abs().amax(-1, keepdim=True) if expected.numel() else expected
    assert_close(actual, expected, tolerance, scale.clamp(min=1e-3))


def assert_same(
    emulated, pred, target, weight=None, avg=None, reduction=0, divisor=None, wanted=(True, True), looser=1, **chosen
):
    args = (pred, target, weight, avg, *options(**chosen), reduction, divisor, *wanted)
    actual, expected = emulated.pixel_loss(*args), native.pixel_loss(*args)
    of_loss, of_grad = TOLERANCE[expected[0].dtype]
    loss = expected[0].nan_to_num()
    assert_close(actual[0], expected[0], of_loss * looser, loss.abs().clamp(min=1))
    for a, e in zip(actual[1:], expected[1:], strict=True):
        assert (a is None) == (e is None)  # a gradient that nobody asked for
        if e is not None:
            assert_grads_close(a, e, of_grad * looser)
    return actual


def pairs(n, seed=0, dtype=torch.float32):
    """Rotated ones, and upright ones of either orientation; some of them the same twice."""
    pred, target = random_pairs(n, seed=seed, dtype=dtype)
    pred[: n // 5, 4] = 0
    target[: n // 3, 4] = 0
    target[: n // 8, 4] = math.pi / 2 if dtype == torch.float64 else torch.tensor(math.pi / 2)
    pred[-2:] = target[-2:]
    return pred, target


@pytest.mark.parametrize("area", [False, True], ids=("exact", "area"))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_scores_and_gradients(emulated, dtype, area):
    for wanted in WANTED:
        loss, *_ = assert_same(emulated, *pairs(40, dtype=dtype), wanted=wanted, area=area)
        assert 0.1 < loss.mean() < 0.5


def test_links_and_factors(emulated):
    pred, target = pairs(20, seed=1)
    for link, floor, factor in (("one_minus", 0.1, 1.0), ("log_floor", 0.1, 2.0), ("log_floor", 1e-6, 1.0)):
        assert_same(emulated, pred, target, link=link, floor=floor, factor=factor)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_dtypes_and_formats(emulated, layout):
    weight = torch.rand(2, 1, 4, dtype=torch.float16).expand(2, 3, 4)
    for dtypes in (("float32", "float32"), ("float16", "float64"), ("bfloat16", "float16")):
        rotated = [x.reshape(2, 3, 4, 5) for x in pairs(24, seed=2)]
        upright = random_boxes(2, 3, 4, seed=2)
        for boxes, formats in (
            (rotated, ((RADIANS, RADIANS), (DEGREES, DEGREES + 2), (COUNTERCLOCKWISE, RADIANS))),
            (upright, ((XYXY, XYXY), (XYWH, CXCYWH))),
        ):
            pred, target = (LAYOUTS[layout](b.to(getattr(torch, d))) for b, d in zip(boxes, dtypes, strict=True))
            for fmt in formats:
                assert_same(emulated, pred, target, weight, fmt=fmt, link="one_minus")


@pytest.mark.parametrize("reduction", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 4, 5, 30])
def test_reductions(emulated, reduction, n):
    """One block, several, a grid that walks; the ticket is put back, so a second launch is right as well."""
    pred, target = (x[:n] for x in pairs(30))
    avg = torch.tensor(3.5, dtype=torch.bfloat16)
    for weight, avg_factor, divisor in ((None, None, None), (torch.rand(n), avg, None), (torch.rand(n), None, 4.0)):
        for _ in range(2):
            wanted = (True, avg_factor is None)
            assert_same(emulated, pred, target, weight, avg_factor, reduction, divisor, wanted, link="log_floor")


@pytest.mark.parametrize("link", ["one_minus", "log_floor"])
def test_straight_through(emulated, link):
    """Boxes that overlap, that share nothing, and one of no size."""
    pred, target = pairs(8, seed=3)
    target[:2, :2] += 70
    target[2, 2] = 0
    for dtype, area in ((torch.float32, False), (torch.float32, True), (torch.float64, False)):
        chosen = dict(link=link, straight=True, floor=0.1, area=area)
        _, grad, _ = assert_same(emulated, pred.to(dtype), target.to(dtype), **chosen)
        assert (grad.abs().amax(-1) > 0).tolist() == [True, True, False] + [True] * 5


def test_hard_pixels_are_counted_exactly(emulated):
    for (pred, target), fmt in ((pairs(40), (RADIANS, RADIANS)), (random_boxes(40), (XYXY, XYXY))):
        pred[0], target[0, 0] = target[0] * 40, float("nan")
        pred[1, :2], pred[1, 2:4] = -300, 900
        for dtype, area in itertools.product((torch.float32, torch.float64, torch.float16), (False, True)):
            chosen = options(fmt, area=area, hard=True)
            args = (pred.to(dtype), target.to(dtype), None, None, *chosen, 0, None, False, False)
            actual, expected = emulated.pixel_loss(*args)[0], native.pixel_loss(*args)[0]
            assert actual.dtype == expected.dtype
            torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("k, scale", [(1e-6, 1.0), (0.1, 1.0), (1.0, 4.0), (10.0, 0.1), (1e6, 1.0), (3.0, 1e-6)])
def test_softness_and_scale(emulated, k, scale):
    pred, target = pairs(4, seed=4)
    for dtype, alone in ((torch.float32, 1), (torch.float64, 2)):
        rows = slice(alone, alone + 1) if k < 1 else slice(4)  # the softest of pixels are a million to a pair
        assert_same(emulated, pred[rows].to(dtype), target[rows].to(dtype), k=k, scale=scale, looser=4)


def test_large_boxes_are_taken_by_blocks(emulated):
    """Between small ones, which warps take; and where a grid walks."""
    pred, target = pairs(18, seed=5)
    for i, size in ((0, 300.0), (6, 260.0), (7, 400.0), (17, 280.0)):
        pred[i, 2:4], target[i, 2:4] = size, size * 0.9
    target[7, 4] = 0
    for dtype in (torch.float32, torch.float64):
        assert_same(emulated, pred.to(dtype), target.to(dtype), link="log_floor")
    assert_same(emulated, pred, target, torch.rand(18), reduction=1, wanted=(True, False), link="one_minus")
    assert_same(emulated, pred[6:8], target[6:8], area=True, wanted=(False, False))


def edge_boxes(dtype, most):
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64)
    return boxes[boxes[:, 2:4].abs().amax(-1) < most].to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_degenerate_boxes(emulated, dtype):
    boxes = edge_boxes(dtype, most=1e3)
    boxes = torch.cat([boxes, boxes[:3]])
    boxes[-3, 2], boxes[-2, 0], boxes[-1, 4] = float("nan"), float("inf"), -float("inf")
    for shift in range(0, len(boxes), 3):  # in float32 sums of identical boxes cancel, here and there in another order
        assert_same(emulated, boxes, boxes.roll(shift, 0), link="one_minus", looser=4)
    weight = torch.tensor([1.0, float("nan"), 0.0])
    assert_same(emulated, boxes[:3], boxes[:3], weight, reduction=0)


def test_the_largest_boxes(emulated):
    """Coarsened: bounded work, and no overflow."""
    large = edge_boxes(torch.float32, most=math.inf)
    large = large[large[:, 2:4].amax(-1) >= 1e4]
    small = edge_boxes(torch.float32, most=1e3)[: len(large)]
    assert_same(emulated, large, small, area=True)
    assert_same(emulated, large[:1], large[:1], area=True)


def test_upright_degenerate_boxes(emulated):
    for dtype in (torch.float32, torch.float64):
        pred, target = (x[::7] for x in upright_edge_pairs(dtype))
        assert_same(emulated, pred, target, fmt=(XYXY, XYXY), link="one_minus")


def sets(n, m, *batch, seed=0, dtype=torch.float32, spread=1.0):
    """Boxes of 10 to 50 pixels, as far from each other as `spread` says."""
    first, second = random_pairs(max(n, m) * math.prod(batch), seed=seed)
    first, second = (torch.cat([x[:, :2] * spread, x[:, 2:4] / 2, x[:, 4:]], -1) for x in (first, second))
    first, second = (x.reshape(*batch, max(n, m), 5).to(dtype) for x in (first, second))
    return first[..., :n, :], second[..., :m, :]


def assert_same_scores(emulated, first, second, *chosen):
    actual, expected = (ops.pixel_pairwise(first, second, *chosen) for ops in (emulated, native))
    assert_close(actual, expected, 1e-12 if expected.dtype == torch.float64 else 4e-6)
    return actual


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16], ids=str)
def test_pairwise(emulated, dtype):
    for n, m, area in ((7, 70, False), (33, 2, True), (1, 1, False)):
        first, second = sets(n, m, dtype=dtype)
        second[0] = first[0]
        scores = assert_same_scores(emulated, first, second, RADIANS, RADIANS, area, False, 10.0, 1.0)
        assert scores[0, 0] > 0.5


def test_pairwise_layouts_formats_integers_and_hard_pixels(emulated):
    first, second = sets(5, 37, 2)
    transposed, shared = first.mT.contiguous().mT, second[:1].expand(2, 37, 5)
    for hard in (False, True):
        chosen = (False, hard, 10.0, 1.0)
        assert_same_scores(emulated, transposed, shared.half(), DEGREES, DEGREES + 2, *chosen)
        assert_same_scores(emulated, first.int(), second.to(torch.int16), DEGREES, DEGREES, *chosen)
        upright = [x[..., :4].abs() for x in (first, second)]
        assert_same_scores(emulated, *upright, XYWH, CXCYWH, *chosen)


def test_pairwise_of_odd_boxes(emulated):
    boxes = torch.cat([edge_boxes(torch.float32, most=1e3)] * 2)[:30]
    boxes[-3, 2], boxes[-2, 0], boxes[-1, 4] = float("nan"), float("inf"), -float("inf")
    boxes = torch.cat([boxes, sets(9, 9)[0]])  # more than a warp looks at
    for area in (False, True):
        assert_same_scores(emulated, boxes[20:], boxes, RADIANS, RADIANS, area, False, 10.0, 1.0)


def test_pairwise_large_boxes_are_counted_by_blocks(emulated):
    first, second = sets(3, 6)
    first[1, 2:4], second[4, 2:4] = 620.0, 600.0
    assert_same_scores(emulated, first, second, RADIANS, RADIANS, False, False, 10.0, 1.0)


def test_pairwise_of_many_boxes(emulated):
    """So many that a warp takes more than 32 pairs of a row."""
    first, second = sets(2100, 2048, spread=300.0)
    second[::50] = first[:2050:50]
    scores = assert_same_scores(emulated, first, second, RADIANS, RADIANS, True, False, 10.0, 1.0)
    assert 41 <= (scores > 0).sum() < 200


@pytest.mark.parametrize("n, m", [(0, 3), (3, 0)])
def test_pairwise_of_nothing(emulated, n, m):
    first, second = sets(n, m)
    assert emulated.pixel_pairwise(first, second, RADIANS, RADIANS, False, False, 10.0, 1.0).shape == (n, m)
    args = (torch.zeros(n, m), first, second, RADIANS, RADIANS, False, 10.0, 1.0, True, True)
    for actual, boxes in zip(emulated.pixel_pairwise_backward(*args), (first, second), strict=True):
        assert torch.equal(actual, torch.zeros_like(boxes))


def assert_same_gradients(emulated, grad, first, second, *chosen):
    both = (ops.pixel_pairwise_backward(grad, first, second, *chosen) for ops in (emulated, native))
    for actual, expected in zip(*both, strict=True):
        assert_grads_close(actual, expected, TOLERANCE[expected.dtype][1])


@pytest.mark.parametrize("area", [False, True], ids=("exact", "area"))
def test_pairwise_backward(emulated, area):
    for (n, m), dtype in (((6, 20), torch.float32), ((2, 37), torch.float64)):
        first, second = sets(n, m, 2, dtype=dtype)
        grad = torch.randn(2, n, m, dtype=dtype)
        grad[0, :, 3], grad[1, 0] = 0, 0
        for g in (grad, grad.mT.contiguous().mT, grad[:1, :1].expand(2, n, m)):
            assert_same_gradients(emulated, g, first, second, RADIANS, RADIANS, area, 10.0, 1.0, True, True)
    upright = [x[..., :4].abs() for x in (first, second)]
    assert_same_gradients(emulated, grad, *upright, XYXY, CXCYWH, area, 3.0, 0.5, True, True)
    turned = (first, second, DEGREES, DEGREES + 2)
    assert_same_gradients(emulated, grad, *turned, area, 3.0, 0.5, False, True)


def test_pairwise_backward_in_slices(emulated):
    """Few boxes against many, and an incoming NaN, which reaches its two boxes alone."""
    first, second = sets(2, 2100, seed=6, spread=30.0)
    second[::300] = first[0] + torch.arange(7)[:, None] * 0.5
    grad = torch.randn(2, 2100)
    assert_same_gradients(emulated, grad, first, second, RADIANS, RADIANS, False, 10.0, 1.0, True, False)
    grad[0, 600] = float("nan")
    assert_same_gradients(emulated, grad, first, second, RADIANS, RADIANS, True, 10.0, 1.0, True, True)


def test_pairwise_backward_of_odd_boxes(emulated):
    boxes = edge_boxes(torch.float32, most=1e3)
    boxes = torch.cat([boxes, boxes[:3]])
    boxes[-3, 2], boxes[-2, 0], boxes[-1, 4] = float("nan"), float("inf"), -float("inf")
    grad = torch.randn(len(boxes), len(boxes))
    assert_same_gradients(emulated, grad, boxes, boxes, RADIANS, RADIANS, False, 10.0, 1.0, True, True)
