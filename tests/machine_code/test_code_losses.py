"""The machine code of the aligned losses against float64, and of odd rows against the CPU kernels."""

import itertools

import pytest
import torch
from axes import KINDS, LAYOUTS, edge_pairs, oracle, random_boxes
from machine_compare import (
    WANTED,
    assert_alike,
    assert_close,
    assert_finite_alike,
    assert_losses,
    assert_values,
    in_double,
    is_within,
    misaligned,
    native,
)

#: Largest error of a loss, and of a gradient relative to the largest partial of its row.
TOLERANCE = {torch.float32: (1e-6, 2e-5), torch.float64: (1e-13, 1e-11)}
XYXY, XYWH, CXCYWH, LTRB = range(4)
CIOU = KINDS.index("ciou")


def call(pred, target, kind=CIOU, formats=(XYXY, XYXY), points=None, weight=None, avg=None, reduction=0, divisor=None,
         eps=1e-7, wanted=(True, True)):  # fmt: skip
    """The arguments of the operator."""
    return (pred, target, points, weight, avg, kind, *formats, reduction, divisor, eps, eps, *wanted)


def assert_right(machine, args):
    """As in float64, and laid out as the CPU kernels do it."""
    actual, alike, expected = machine.pair_loss(*args), native.pair_loss(*args), native.pair_loss(*in_double(args))
    for a, e in zip(actual, alike, strict=True):
        assert_alike(a, e)
    of_value, of_gradient = TOLERANCE[actual[0].dtype]
    assert_losses(actual, expected, of_value, of_gradient)
    return actual


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_kinds_and_gradients(machine, kind, dtype):
    """Every kernel: plain rows, rows that are not, reduced ones; against the formulas in plain PyTorch as well."""
    pred, target = random_boxes(70, dtype=dtype)
    for wanted in WANTED:
        loss, *grads = assert_right(machine, call(pred, target, kind, wanted=wanted))
        exact = oracle(pred, target, KINDS[kind])
        of_value, of_gradient = TOLERANCE[dtype]
        held = [e if g is None else g for g, e in zip(grads, exact[1:], strict=True)]
        assert_losses((loss, *held), exact, of_value, of_gradient)
        assert_right(machine, call(misaligned(pred), target, kind, wanted=wanted))
        assert_right(machine, call(pred, target, kind, wanted=wanted, reduction=2))
        assert_right(machine, call(pred, misaligned(target), kind, wanted=wanted, reduction=2))


@pytest.mark.parametrize("scale", [1.0, 1 / 3, 2.0**-13, 2.0**90])
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_identical_boxes(shuffled, kind, scale):
    """Loss and gradients are exactly 0 without eps."""
    g = torch.Generator().manual_seed(0)
    corner = torch.randn(300, 2, generator=g) * 100
    boxes = torch.cat([corner, corner + torch.rand(300, 2, generator=g) * 60 + 0.1], -1) * scale
    for first in (boxes, misaligned(boxes)):
        for result in shuffled.pair_loss(*call(first, boxes.clone(), kind, eps=0.0)):
            assert not result.any()


@pytest.mark.parametrize("exponent", [-100, -30, 30, 100])
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_scale_free(shuffled, kind, exponent):
    """Without eps, boxes times a power of two have the very same loss, as they have on CPUs."""
    pred, target = random_boxes(100)
    scale = 2.0**exponent
    loss, *grads = shuffled.pair_loss(*call(pred, target, kind, eps=0.0))
    loss2, *grads2 = shuffled.pair_loss(*call(pred * scale, target * scale, kind, eps=0.0))
    assert torch.equal(loss, loss2)
    for a, b in zip(grads, grads2, strict=True):
        torch.testing.assert_close(a.double(), b.double() * scale, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("exponent", [-60, -100, -118])
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_tiny_boxes_beside_eps(shuffled, kind, exponent):
    """Areas that are nothing beside eps have the gradients of float64, however tiny."""
    pred, target = (b * 2.0**exponent for b in random_boxes(70))
    for boxes in ((pred, target), (misaligned(pred), target)):
        assert_right(shuffled, call(*boxes, kind))


@pytest.mark.parametrize("n", [0, 1, 31, 33, 255, 257, 1030])
@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_sizes(machine, reduction, n):
    """One block, several, a grid that walks. The ticket is put back, so the second launch is right as well."""
    pred, target = random_boxes(n, seed=n)
    weight, avg = torch.rand(n), torch.tensor(3.5, dtype=torch.bfloat16)
    for given in ({}, {"weight": weight, "avg": avg}, {"weight": weight, "divisor": 4.0}):
        for boxes in ((pred, target), (misaligned(pred), target)):
            args = call(*boxes, reduction=reduction, wanted=(True, "avg" in given), **given)
            first, second = assert_right(machine, args), machine.pair_loss(*args)
            assert torch.equal(first[0], second[0])


@pytest.mark.parametrize("reduction", [0, 1])
def test_grid_of_a_gpu(as_on_gpu, reduction):
    """A block for every 256 rows."""
    pred, target = random_boxes(1030)
    for boxes in ((pred, target), (misaligned(pred), target)):
        assert_right(as_on_gpu, call(*boxes, reduction=reduction))
        assert as_on_gpu.runs[0]["blocks"] == 5


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "dtypes",
    [("float32", "float32"), ("float16", "float16"), ("bfloat16", "float32"), ("float16", "float64")],
    ids="-".join,
)
def test_layouts_dtypes_and_formats(machine, layout, dtypes):
    """Strided, unaligned and broadcast operands, decoded and encoded."""
    pred, target = random_boxes(3, 2, 11)
    points = torch.rand(2, 11, 2).expand(3, 2, 11, 2) * 50
    weight = torch.rand(3, 1, 11, dtype=torch.float16).expand(3, 2, 11)
    pred, target = (LAYOUTS[layout](b.to(getattr(torch, d))) for b, d in zip((pred, target), dtypes, strict=True))
    for formats in ((XYXY, XYXY), (XYWH, CXCYWH), (LTRB, XYXY), (CXCYWH, LTRB)):
        args = call(pred, target, formats=formats, points=points, weight=weight)
        assert_right(machine, args)
    assert_right(machine, call(pred, target, weight=torch.rand(3, 2, 11) > 0.4, reduction=1))
    assert_right(machine, call(pred, target, weight=torch.arange(66).view(3, 2, 11), reduction=2))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_odd_rows(machine, kind, dtype):
    """NaN, infinite, huge, tiny, inverted, without area: finite where boxes are, and as near float64 as CPU kernels."""
    pred, target = edge_pairs(dtype)
    pred[7, 2], target[11, 0] = float("nan"), float("inf")
    weight = torch.ones(len(pred), dtype=dtype)
    weight[20], weight[40], weight[60] = float("nan"), 0, 1e30
    single = dtype == torch.float32
    compared = [is_within(pred, e) & is_within(target, e) if single else slice(None) for e in (120, 30, 30)]
    tolerance = 4 * TOLERANCE[dtype][0], 8e-5 if single else 1e-9
    for eps, formats, given in itertools.product((0.0, 1e-7), ((XYXY, XYXY), (CXCYWH, XYXY)), (None, weight)):
        args = call(pred, target, kind, formats=formats, weight=given, eps=eps)
        actual, alike, exact = machine.pair_loss(*args), native.pair_loss(*args), native.pair_loss(*in_double(args))
        for a, e in zip(actual, alike, strict=True):
            assert_finite_alike(a, e)
        chosen = [tuple(x[c] for x, c in zip(xs, compared, strict=True)) for xs in (actual, exact, alike)]
        assert_losses(*chosen[:2], *tolerance, beside=chosen[2])


@pytest.mark.parametrize("reduction", [1, 2])
def test_odd_rows_in_a_sum(machine, reduction):
    """Sums that saturate, and a NaN that must not be lost."""
    pred, target = random_boxes(600)
    pred[5], target[5] = torch.tensor([-1e30, 0, 1e30, 1e30]), torch.tensor([0, 0, 1e-30, 1e-30])
    weight = torch.ones(600)
    for at, number in ((300, 1e38), (301, 3e38), (550, float("nan"))):
        weight[at] = number
        args = call(pred, target, weight=weight, reduction=reduction, wanted=(True, False))
        actual, expected = machine.pair_loss(*args), native.pair_loss(*args)
        assert_losses(actual, expected, 1e-6, 8e-5)


@pytest.mark.parametrize("width", [4, 5])
@pytest.mark.parametrize("layout", [*LAYOUTS, "misaligned"])
def test_scale_rows(machine, layout, width):
    """The backward pass: of every dtype, with a number for every row or one for all."""
    for dtype, n in itertools.product((torch.float32, torch.float64), (1, 31, 33, 300)):
        partials = torch.randn(3, 1, n, width, dtype=dtype)
        partials = misaligned(partials) if layout == "misaligned" else LAYOUTS[layout](partials)
        grads = torch.randn(3, 1, n, dtype=dtype), torch.randn(n, 1, 3, dtype=dtype).permute(2, 1, 0)
        for grad, out in zip(
            (*grads, torch.randn((), dtype=dtype), grads[0]),
            (torch.float32, torch.float16, torch.bfloat16, torch.float64),
            strict=True,
        ):
            actual, expected = machine.scale_rows(partials, grad, out), native.scale_rows(partials, grad, out)
            assert_alike(actual, expected)
            assert_close(actual, expected, 0.0)


def test_scale_rows_of_nothing_and_odd_numbers(machine):
    empty = torch.zeros(0, 4)
    assert machine.scale_rows(empty, torch.zeros(0), torch.float32).shape == (0, 4)
    partials = torch.tensor([[0.0, -0.0, 1e38, -1e38], [float("nan"), float("inf"), 1e-45, 1.0]]).repeat(9, 1)
    grad = torch.tensor([10.0, 0.5]).repeat(9)
    for out in (torch.float32, torch.float16):
        actual, expected = machine.scale_rows(partials, grad, out), native.scale_rows(partials, grad, out)
        assert_values(actual, expected, 0.0)
