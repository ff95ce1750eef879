"""The CUDA kernels on sets of boxes, compiled as C++ (emulated_sets.cpp), against the CPU kernels.

No substitute for a GPU, see test_emulated.py.
"""

import shutil

import pytest
import torch
from axes import edge_pairs, random_boxes
from emulation import load_emulation

import fastiou

pytestmark = [
    pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled to compare with"),
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
KINDS = fastiou.pairwise_kinds()
native = torch.ops.fastiou


@pytest.fixture(scope="module")
def emulated():
    load_emulation("emulated_sets.cpp")
    return torch.ops.fastiou_emulated_sets


def options(kind="ciou", formats=(0, 0), eps=1e-7):
    return (KINDS.index(kind), *formats, eps, eps, eps)


def sets(n, m, batch=(), dtype=torch.float32):
    first, second = random_boxes(*batch, max(n, m), seed=n)
    return first[..., :n, :].to(dtype), second[..., :m, :].to(dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_pairwise(emulated, kind):
    for (n, m), dtype in (((70, 150), torch.float32), ((3, 33), torch.float64), ((129, 2), torch.float16)):
        args = (*sets(n, m, dtype=dtype), None, None, *options(kind))
        torch.testing.assert_close(emulated.pairwise(*args), native.pairwise(*args), rtol=1e-6, atol=1e-7)


def test_pairwise_layouts_masks_and_integers(emulated):
    boxes1, boxes2 = sets(70, 140, (2,))
    masks = torch.rand(2, 70) > 0.3, torch.rand(2, 140) > 0.3
    transposed = boxes1.mT.contiguous().mT
    shared = boxes2[:1].expand(2, 140, 4)
    for first, second in ((transposed, boxes2), (boxes1.half(), shared), (boxes1.int(), boxes2.to(torch.uint8))):
        for given in ((None, None), masks):
            args = (first, second, *given, *options("giou", (2, 1)))
            torch.testing.assert_close(emulated.pairwise(*args), native.pairwise(*args), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_backward(emulated, kind):
    for (n, m), dtype in (((130, 70), torch.float32), ((5, 40), torch.float64)):
        boxes1, boxes2 = sets(n, m, (2,), dtype)
        grad = torch.randn(2, n, m, dtype=dtype)
        masks = torch.rand(2, n) > 0.2, torch.rand(2, m) > 0.2
        for g in (grad, grad.mT.contiguous().mT, grad[:1, :1].expand(2, n, m)):
            args = (g, boxes1, boxes2, *masks, *options(kind, (1, 2)), True, True)
            for a, e in zip(emulated.pairwise_backward(*args), native.pairwise_backward(*args), strict=True):
                torch.testing.assert_close(a, e, rtol=2e-5, atol=2e-5)


def test_backward_in_slices(emulated):
    """Few boxes against many: the others are added up in slices."""
    boxes1, boxes2 = sets(3, 2100)
    args = (torch.randn(3, 2100), boxes1, boxes2, None, None, *options("iou"), True, False)
    actual, expected = emulated.pairwise_backward(*args)[0], native.pairwise_backward(*args)[0]
    torch.testing.assert_close(actual, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_degenerate_boxes(emulated, kind):
    boxes = edge_pairs()[1][:24].clone()
    boxes[7, 2], boxes[11, 0] = float("nan"), float("inf")
    for dtype in (torch.float32, torch.float64):
        args = (boxes.to(dtype), boxes.to(dtype), None, None, *options(kind, eps=0.0))
        actual, expected = emulated.pairwise(*args), native.pairwise(*args)
        torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-7, equal_nan=True)
        args = (torch.ones_like(actual), *args, True, True)
        for a, e in zip(emulated.pairwise_backward(*args), native.pairwise_backward(*args), strict=True):
            torch.testing.assert_close(a, e, rtol=1e-4, atol=1e-4, equal_nan=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_max_iou(emulated, kind, dtype):
    """Ties, masks, boxes of no value, gts that nothing overlaps, more gts than one tile: the same bits."""
    boxes, gts = sets(700, 140, (2,), dtype)
    gts[:, 5], boxes[:, 300], boxes[:, 600] = gts[:, 4], gts[:, 9], gts[:, 9]
    gts[:, 20] += 1e4
    boxes[0, 3, 1], gts[1, 7, 0], boxes[0, 0, 0] = float("nan"), float("inf"), float("nan")
    boxes[1, 9] = torch.tensor([9.0, 9, 3, 3])
    masks = torch.rand(2, 700) > 0.2, torch.rand(2, 140) > 0.2
    for given in ((None, None), masks, (None, torch.zeros(2, 140, dtype=torch.bool))):
        args = (boxes, gts, *given, *options(kind, eps=0.0))
        expected = native.max_iou(*args)
        for a, e in zip(emulated.max_iou(*args), expected, strict=True):
            assert torch.equal(a, e)
        for least in (-2.0, 0.0, 0.4):
            tied = (boxes, gts, *given, expected[2], least, *options(kind, eps=0.0))
            assert torch.equal(emulated.tied_gts(*tied), native.tied_gts(*tied))


def test_max_iou_of_nothing(emulated):
    for n, m in ((0, 3), (3, 0)):
        args = (*sets(n, m), None, None, *options("iou"))
        for a, e in zip(emulated.max_iou(*args), native.max_iou(*args), strict=True):
            assert torch.equal(a, e)
