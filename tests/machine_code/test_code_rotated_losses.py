"""The machine code of the losses of rotated boxes against float64, and of odd rows against the CPU kernels."""

import itertools

import pytest
import torch
from axes import LAYOUTS, loss_and_grads
from machine_compare import (
    WANTED,
    assert_alike,
    assert_finite_alike,
    assert_losses,
    assert_values,
    in_double,
    is_within,
    misaligned,
    native,
)
from rotated_boxes import edge_pairs, random_pairs

from fastiou import _names
from fastiou.reference import rotated as reference_rotated

KINDS, LINKS, ENCLOSINGS = _names.ROTATED_KINDS, _names.LINKS, _names.ENCLOSINGS
EXACT = ("iou", "iof", "giou", "diou", "ciou")
RADIANS, DEGREES, COUNTERCLOCKWISE = 4, 5, 6
#: Largest error of a loss, and of a gradient relative to the largest partial of its row.
TOLERANCE = {torch.float32: (4e-6, 2e-4), torch.float64: (1e-12, 1e-9)}


def call(pred, target, kind="iou", variant=0, fmt=RADIANS, link="none", alpha=1.0, tau=0.0, eps=1e-6, weight=None,
         avg=None, reduction=0, divisor=None, wanted=(True, True)):  # fmt: skip
    """The arguments of the operator."""
    code = KINDS.index(kind) * len(ENCLOSINGS) + variant
    return pred, target, weight, avg, code, fmt, LINKS.index(link), alpha, tau, eps, reduction, divisor, *wanted


def assert_right(machine, args, looser=1):
    """As in float64, and laid out as the CPU kernels do it."""
    actual, alike = machine.rotated_loss(*args), native.rotated_loss(*args)
    for a, e in zip(actual, alike, strict=True):
        assert_alike(a, e)
    tolerance = (looser * t for t in TOLERANCE[actual[0].dtype])
    assert_losses(actual, native.rotated_loss(*in_double(args)), *tolerance, beside=alike)
    return actual


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_variants_and_gradients(machine, kind, dtype):
    """Every kernel."""
    pred, target = (x.to(dtype) for x in random_pairs(45, dtype=torch.float32))
    for variant, wanted in itertools.product(range(len(ENCLOSINGS)), WANTED):
        if kind in EXACT or variant < 2:
            assert_right(machine, call(pred, target, kind, variant, wanted=wanted), 1 if kind in EXACT else 10)


@pytest.mark.parametrize("kind", ["iou", "giou", "diou", "ciou"])
def test_reference(shuffled, kind):
    """The formulas in plain PyTorch."""
    pred, target = random_pairs(45, seed=5, dtype=torch.float32)
    actual = shuffled.rotated_loss(*call(pred, target, kind, link="one_minus"))
    expected = loss_and_grads(reference_rotated.row_loss, pred.double(), target.double(), kind)
    assert_losses(actual, expected, *TOLERANCE[torch.float32])


@pytest.mark.parametrize("link", LINKS)
def test_links(machine, link):
    pred, target = random_pairs(40, seed=1, dtype=torch.float32)
    for kind, alpha, tau in itertools.product(("iou", "gwd", "gwd_normalized", "kfiou"), (1.0, 3.0), (0.0, 1.0)):
        if link == "exp" and kind == "gwd":  # of a number of pixels: that is the largest float
            alpha = 0.001
        assert_right(machine, call(pred, target, kind, link=link, alpha=alpha, tau=tau), 10)


@pytest.mark.parametrize("n", [0, 1, 31, 33, 257, 800])
@pytest.mark.parametrize("reduction", [0, 1, 2])
def test_sizes(shuffled, reduction, n):
    """One block, several, a grid that walks. The ticket is put back, so the second launch is right as well."""
    pred, target = random_pairs(n, dtype=torch.float32)
    weight, avg = torch.rand(n), torch.tensor(3.5, dtype=torch.bfloat16)
    for given in ({}, {"weight": weight, "avg": avg}, {"weight": weight, "divisor": 4.0}):
        args = call(pred, target, link="one_minus", reduction=reduction, wanted=(True, "avg" in given), **given)
        first, second = assert_right(shuffled, args), shuffled.rotated_loss(*args)
        assert torch.equal(first[0], second[0])


@pytest.mark.parametrize("layout", [*LAYOUTS, "misaligned"])
@pytest.mark.parametrize(
    "dtypes",
    [("float32", "float32"), ("float16", "float64"), ("bfloat16", "float16")],
    ids="-".join,
)
def test_layouts_dtypes_and_formats(machine, layout, dtypes):
    pred, target = (x.reshape(3, 1, 11, 5) for x in random_pairs(33, seed=2))
    weight = torch.rand(3, 1, 11, dtype=torch.float16)
    change = misaligned if layout == "misaligned" else LAYOUTS[layout]
    pred, target = (change(b.to(getattr(torch, d))) for b, d in zip((pred, target), dtypes, strict=True))
    for fmt in (RADIANS, DEGREES, COUNTERCLOCKWISE, DEGREES + 2):
        assert_right(machine, call(pred, target, "giou", fmt=fmt, weight=weight))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_odd_rows(shuffled, kind, dtype):
    """Finite wherever boxes are, and the CPU kernels' losses as far as digits reach."""
    pred, target = edge_pairs(dtype)
    pred[7, 2], target[11, 0], pred[13, 4] = float("nan"), float("inf"), float("inf")
    compared = (torch.cat([pred, target], -1).abs().amax(-1) <= 1e5) & is_within(pred, 120) & is_within(target, 120)
    for variant in range(len(ENCLOSINGS) if kind in EXACT else 2):
        args = call(pred, target, kind, variant)
        actual, expected = shuffled.rotated_loss(*args), native.rotated_loss(*args)
        if kind not in ("kld_symmax", "kld_symmin"):  # 0 times the partials of the other direction, which may overflow
            for a, e in zip(actual, expected, strict=True):
                assert_finite_alike(a, e)
        exact = native.rotated_loss(*in_double(args))[0]
        tolerance = 4e-5 if dtype == torch.float32 else 1e-8
        assert_values(actual[0][compared], exact[compared], tolerance, expected[0][compared])
