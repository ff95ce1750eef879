"""The CUDA kernels of the losses of rotated boxes, run on the CPU (emulated_rotated.cpp), against the CPU kernels.

No substitute for a GPU, see test_emulated.py.
"""

import itertools
import shutil

import pytest
import torch
from axes import LAYOUTS
from emulation import load_emulation
from rotated_boxes import edge_pairs, random_pairs

import fastiou
from fastiou import _names

pytestmark = [
    pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled to compare with"),
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
KINDS, LINKS = _names.ROTATED_KINDS, _names.LINKS
VARIANTS = 4
RADIANS, DEGREES, COUNTERCLOCKWISE = 4, 5, 6
WANTED = ((False, False), (True, False), (False, True), (True, True))


@pytest.fixture(scope="module")
def emulated():
    load_emulation("emulated_rotated.cpp")
    return torch.ops.fastiou_emulated_rotated


def options(kind="iou", variant=0, fmt=RADIANS, link="none", alpha=1.0, tau=0.0, eps=1e-6):
    return KINDS.index(kind) * VARIANTS + variant, fmt, LINKS.index(link), alpha, tau, eps


def assert_same(emulated, *args):
    """The same numbers but for a few ulp."""
    actual, expected = emulated.rotated_loss(*args), torch.ops.fastiou.rotated_loss(*args)
    for a, e in zip(actual, expected, strict=True):
        assert (a is None) == (e is None)  # a gradient that nobody asked for
        if e is None:
            continue
        assert a.stride() == e.stride() and a.dtype == e.dtype
        eps = torch.finfo(e.dtype).eps
        torch.testing.assert_close(a, e, rtol=4 * eps, atol=4 * eps, equal_nan=True)


@pytest.mark.parametrize("variant", range(VARIANTS), ids=("hull", "min", "target", "aabb"))
@pytest.mark.parametrize("kind", KINDS)
def test_kinds_and_gradients(emulated, kind, variant):
    for dtype, wanted in itertools.product((torch.float32, torch.float64), WANTED):
        pred, target = random_pairs(300, dtype=dtype)
        pred[:5] = target[:5]
        assert_same(emulated, pred, target, None, None, *options(kind, variant), 0, None, *wanted)


@pytest.mark.parametrize("link", LINKS)
def test_links(emulated, link):
    pred, target = random_pairs(300, seed=1, dtype=torch.float32)
    for kind, alpha, tau in itertools.product(("iou", "gwd", "gwd_normalized", "kfiou"), (1.0, 3.0), (0.0, 1.0)):
        chosen = options(kind, link=link, alpha=alpha, tau=tau)
        assert_same(emulated, pred, target, None, None, *chosen, 0, None, True, True)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float16", "float64"), ("bfloat16", "float16")], ids=str)
def test_layouts_dtypes_and_formats(emulated, layout, dtypes):
    pred, target = (x.reshape(3, 5, 20, 5) for x in random_pairs(300, seed=2))
    weight = torch.rand(3, 1, 20, dtype=torch.float16).expand(3, 5, 20)
    pred, target = (LAYOUTS[layout](b.to(getattr(torch, d))) for b, d in zip((pred, target), dtypes, strict=True))
    for fmt in (RADIANS, DEGREES, COUNTERCLOCKWISE, DEGREES + 2):
        assert_same(emulated, pred, target, weight, None, *options("giou", fmt=fmt), 0, None, True, True)


@pytest.mark.parametrize("reduction", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 256, 257, 1500])
def test_reductions(emulated, reduction, n):
    """One block, many blocks, a grid that walks; the ticket is put back, so a second launch is right as well."""
    pred, target = random_pairs(n, dtype=torch.float32)
    avg = torch.tensor(3.5, dtype=torch.bfloat16)
    for weight, avg_factor, divisor in ((None, None, None), (torch.rand(n), avg, None), (torch.rand(n), None, 4.0)):
        for _ in range(2):
            chosen = options("iou", link="one_minus")
            assert_same(emulated, pred, target, weight, avg_factor, *chosen, reduction, divisor, True, False)


@pytest.mark.parametrize("kind", KINDS)
def test_degenerate_boxes(emulated, kind):
    for dtype in (torch.float32, torch.float64):
        pred, target = edge_pairs(dtype)
        pred[7, 2], target[11, 0], pred[13, 4] = float("nan"), float("inf"), float("inf")
        if kind in ("kld_symmax", "kld_symmin"):
            # 0 times the partials of the other direction: NaN where those overflow, or 0 as a vector loop has it.
            jd = torch.ops.fastiou.rotated_loss(pred, target, None, None, *options("jd"), 0, None, True, True)
            fits = torch.cat(jd[1:], -1).abs().amax(-1) < torch.finfo(dtype).max / 4
            pred, target = pred[fits], target[fits]
        for variant in range(VARIANTS):
            assert_same(emulated, pred, target, None, None, *options(kind, variant), 0, None, True, True)


def test_unknown_codes(emulated):
    pred, target = random_pairs(3)
    for kind, link in ((-1, 0), (len(KINDS) * VARIANTS, 0), (0, -1), (0, len(LINKS))):
        with pytest.raises(RuntimeError, match="there is no kind"):
            emulated.rotated_loss(pred, target, None, None, kind, 4, link, 1.0, 0.0, 0.0, 0, None, False, False)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scale_rows(emulated, layout):
    partials = LAYOUTS[layout](torch.randn(3, 4, 30, 5))
    for grad in (torch.randn(3, 4, 30), torch.randn(30, 4, 3).permute(2, 1, 0), torch.randn(())):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            args = (partials, grad, dtype)
            assert torch.equal(emulated.scale_rows(*args), torch.ops.fastiou.scale_rows(*args))
