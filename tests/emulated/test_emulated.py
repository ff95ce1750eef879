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


@pytest.fixture(scope="module")
def emulated():
    load_emulation("emulated_cuda.cpp")
    return torch.ops.fastiou_emulated


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert a.stride() == b.stride()
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_kinds_and_gradients(emulated, kind):
    pred, target = random_boxes(400)
    for dtype, wanted in itertools.product(
        (torch.float32, torch.float64), ((False, False), (True, False), (True, True))
    ):
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


def test_degenerate_boxes(emulated):
    pred, target = edge_pairs()
    pred[7, 2], target[11, 0] = float("nan"), float("inf")
    for kind in range(len(KINDS)):
        args = (pred, target, None, None, None, kind, 0, 0, 0, None, 1e-7, 1e-7, True, True)
        assert_same(emulated.pair_loss(*args), torch.ops.fastiou.pair_loss(*args))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scale_rows(emulated, layout):
    partials = LAYOUTS[layout](torch.randn(3, 4, 30, 4))
    for grad in (torch.randn(3, 4, 30), torch.randn(30, 4, 3).permute(2, 1, 0), torch.randn(())):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            args = (partials, grad, dtype)
            assert_same([emulated.scale_rows(*args)], [torch.ops.fastiou.scale_rows(*args)])
