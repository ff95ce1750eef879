"""The CUDA kernels, compiled as C++ and run on the CPU (emulated_cuda.cpp), against the CPU kernels.

This is no substitute for a GPU: it shows that indexing, vector loads and reductions are right, not how nvcc compiles
them or how they are launched. test_cuda.py needs the real thing.
"""

import itertools
import shutil

import pytest
import torch
from axes import KINDS, LAYOUTS, edge_pairs, random_boxes
from emulation import load_emulation

import fastiou

pytestmark = [
    pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled to compare with"),
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]


WANTED = ((False, False), (True, False), (False, True), (True, True))


@pytest.fixture(scope="module")
def emulated():
    load_emulation("emulated_cuda.cpp")
    return torch.ops.fastiou_emulated


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert (a is None) == (b is None)  # a gradient that nobody asked for
        if b is None:
            continue
        assert a.stride() == b.stride()
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_kinds_and_gradients(emulated, kind):
    pred, target = random_boxes(400)
    for dtype, wanted in itertools.product((torch.float32, torch.float64), WANTED):
        args = (pred.to(dtype), target.to(dtype), None, None, None, kind, 0, 0, 0, None, 1e-7, 1e-7, *wanted)
        assert_same(emulated.pair_loss(*args), torch.ops.fastiou.pair_loss(*args))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtypes", [("float32", "float32"), ("float16", "float64"), ("bfloat16", "float32")], ids=str)
def test_layouts_dtypes_and_formats(emulated, layout, dtypes):
    """Strided, unaligned and broadcast operands of all dtypes, decoded and encoded."""
    pred, target = random_boxes(3, 5, 20)
    points = torch.rand(5, 20, 2).expand(3, 5, 20, 2) * 50
    weight = torch.rand(3, 1, 20, dtype=torch.float16).expand(3, 5, 20)
    pred, target = (LAYOUTS[layout](b.to(getattr(torch, d))) for b, d in zip((pred, target), dtypes, strict=True))
    for formats in ((0, 0), (1, 2), (3, 0), (2, 3)):
        args = (pred, target, points, weight, None, 5, *formats, 0, None, 1e-7, 1e-7, True, True)
        assert_same(emulated.pair_loss(*args), torch.ops.fastiou.pair_loss(*args))


@pytest.mark.parametrize("n", [1, 31, 257, 800])
@pytest.mark.parametrize("formats", [(0, 0), (1, 2), (2, 2), (3, 0), (3, 3)], ids=str)
def test_plain_rows_have_a_kernel_with_the_same_numbers(emulated, formats, n):
    """Bit for bit those of the kernel for strided rows: both do the same arithmetic in the same order."""
    pred, target = random_boxes(n)
    points, weight = torch.rand(n, 2) * 50, torch.rand(n) - 0.25
    strided = LAYOUTS["strided"]
    for kind, wanted, reduction in itertools.product(range(len(KINDS)), WANTED, range(3)):
        for w in (None, weight):
            options = (points, w, None, kind, *formats, reduction, None, 1e-7, 1e-7, *wanted)
            plain, others = (emulated.pair_loss(f(pred), f(target), *options) for f in (torch.clone, strided))
            assert all(a is b is None or torch.equal(a, b) for a, b in zip(plain, others, strict=True))
    assert_same(plain, torch.ops.fastiou.pair_loss(pred, target, *options))


def test_rows_that_are_nearly_plain(emulated):
    """Rows that are not aligned as vectors, a target for all, a single row, more than one leading dimension."""
    pred, target = random_boxes(400)
    shifted = torch.empty(1601)[1:].view(400, 4).copy_(pred)
    pairs = (shifted, target), (pred, shifted), (pred, target[:1].expand(400, 4)), (pred[7], target[7])
    for p, t in (*pairs, (pred.view(4, 100, 4), target.view(4, 100, 4)), (pred.view(4, 100, 4)[:, 3:], shifted[:388])):
        args = (p, t.reshape(p.shape), None, None, None, 5, 0, 0, 0, None, 1e-7, 1e-7, True, True)
        assert_same(emulated.pair_loss(*args), torch.ops.fastiou.pair_loss(*args))


def test_sums_in_float_have_the_digits_of_doubles(emulated):
    """Losses of all sizes, and more than float can hold; NaN is not hidden."""
    pred, target = random_boxes(1500)
    weight = 10 ** torch.empty(1500).uniform_(-6, 6, generator=torch.Generator().manual_seed(0))
    for w in (weight, weight.sort()[0], -weight, torch.full((1500,), 1e-20), torch.full((1500,), 3e38)):
        options = (pred, target, None, w, None, 3, 0, 0)
        losses = emulated.pair_loss(*options, 0, None, 1e-7, 1e-7, False, False)[0]
        total = emulated.pair_loss(*options, 2, None, 1e-7, 1e-7, False, False)[0]
        expected = losses.double().sum().clamp(max=torch.finfo(torch.float32).max)
        torch.testing.assert_close(total.double(), expected, rtol=1.2e-7, atol=0)
    pred[700, 2] = float("nan")
    assert emulated.pair_loss(pred, target, *options[2:], 2, None, 1e-7, 1e-7, False, False)[0].isnan()


@pytest.mark.parametrize("reduction", [1, 2])
@pytest.mark.parametrize("n", [0, 1, 256, 257, 1500])
def test_reductions(emulated, reduction, n):
    """One block, many blocks, a grid that walks; the ticket is put back, so a second launch is right as well."""
    pred, target = random_boxes(n)
    avg = torch.tensor(3.5, dtype=torch.bfloat16)
    for weight, avg_factor, divisor in ((None, None, None), (torch.rand(n), avg, None), (torch.rand(n), None, 4.0)):
        args = (pred, target, None, weight, avg_factor, 3, 0, 0, reduction, divisor, 1e-7, 1e-7, True, False)
        for _ in range(2):
            assert_same(emulated.pair_loss(*args), torch.ops.fastiou.pair_loss(*args))


@pytest.mark.parametrize("layout", ["contiguous", "strided"])
@pytest.mark.parametrize("eps", [1e-7, 0.0])
def test_degenerate_boxes(emulated, layout, eps):
    """Plain rows and others, the boxes themselves and their coordinates read in other formats."""
    pred, target = edge_pairs()
    pred[7, 2], target[11, 0] = float("nan"), float("inf")
    pred, target = (LAYOUTS[layout](x) for x in (pred, target))
    for kind, fmt in itertools.product(range(len(KINDS)), range(4)):
        points = torch.full((len(pred), 2), 3e38) if fmt == 3 else None
        args = (pred, target, points, None, None, kind, fmt, fmt, 0, None, eps, eps, True, True)
        assert_same(emulated.pair_loss(*args), torch.ops.fastiou.pair_loss(*args))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scale_rows(emulated, layout):
    partials = LAYOUTS[layout](torch.randn(3, 4, 30, 4))
    for grad in (torch.randn(3, 4, 30), torch.randn(30, 4, 3).permute(2, 1, 0), torch.randn(())):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            args = (partials, grad, dtype)
            assert_same([emulated.scale_rows(*args)], [torch.ops.fastiou.scale_rows(*args)])
