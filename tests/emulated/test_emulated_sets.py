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
#: Kinds without those that run the kernels of another one.
SCORES = [kind for kind in KINDS if kind not in ("iou_log", "iou_square")]
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


SIZES = [(0, 3), (1, 1), (7, 33), (31, 130), (33, 31), (257, 129), (300, 132)]


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_pairwise_of_awkward_sizes(emulated, n, m):
    """One past a tile, less than a warp, rows that begin in the middle of a line."""
    for batch, dtype in (((), torch.float32), ((3,), torch.float32), ((), torch.int32)):
        for kind in ("iou", "ciou"):
            args = (*sets(n, m, batch, dtype), None, None, *options(kind))
            torch.testing.assert_close(emulated.pairwise(*args), native.pairwise(*args), rtol=1e-6, atol=1e-7)


def test_pairwise_masks_and_odd_boxes_at_the_edges_of_tiles(emulated):
    """Every tile picks its loop by its own boxes: what is odd or masked in one changes nothing in another."""
    boxes1, boxes2 = sets(300, 290)
    odd = torch.tensor([50.0, 50, 20, 80])
    for rows, columns in (([0], []), ([], [127]), ([255, 256], [128]), ([299], [289])):
        first, second = boxes1.clone(), boxes2.clone()
        first[rows], second[columns] = odd, odd
        mask1, mask2 = torch.ones(300, dtype=torch.bool), torch.ones(290, dtype=torch.bool)
        mask1[rows], mask2[columns] = False, False
        for given in ((first, second, None, None), (boxes1, boxes2, mask1, mask2), (first, boxes2, None, mask2)):
            for kind in ("iou", "giou"):
                args = (*given, *options(kind))
                torch.testing.assert_close(emulated.pairwise(*args), native.pairwise(*args), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("n", "m"), SIZES)
def test_backward_of_awkward_sizes(emulated, n, m):
    boxes1, boxes2 = sets(n, m, (2,))
    grad = torch.randn(2, n, m)
    for kind in ("iou", "iof", "ciou"):
        args = (grad, boxes1, boxes2, None, None, *options(kind), True, True)
        for a, e in zip(emulated.pairwise_backward(*args), native.pairwise_backward(*args), strict=True):
            torch.testing.assert_close(a, e, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("kind", SCORES)
def test_backward_of_special_gradients(emulated, kind):
    """Odd boxes in one tile, gradients that are NaN or infinite, also of boxes that are masked or apart."""
    boxes1, boxes2 = sets(140, 70)
    boxes1[135], boxes2[40] = torch.tensor([50.0, 50, 20, 80]), torch.tensor([1e-35, 0, 1e-36, 1e-35])
    boxes2[60:] += 1e4
    mask = torch.ones(70, dtype=torch.bool)
    mask[[0, 33, 69]] = False
    for row, column, value in ((3, 5, float("nan")), (100, 65, float("inf")), (3, 33, float("nan")), (0, 0, 0.0)):
        grad = torch.randn(140, 70)
        grad[row, column] = value
        args = (grad, boxes1, boxes2, None, mask, *options(kind), True, True)
        for a, e in zip(emulated.pairwise_backward(*args), native.pairwise_backward(*args), strict=True):
            torch.testing.assert_close(a, e, rtol=2e-5, atol=2e-5, equal_nan=True)


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


@pytest.mark.parametrize("kind", SCORES)
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
@pytest.mark.parametrize("kind", SCORES)
def test_max_iou(emulated, kind, dtype):
    """Ties, masks, boxes of no value, gts that nothing overlaps, more gts than one tile: the same bits."""
    boxes, gts = sets(330, 140, (2,), dtype)
    gts[:, 5], boxes[:, 150], boxes[:, 310] = gts[:, 4], gts[:, 9], gts[:, 9]
    gts[:, 20] += 1e4
    boxes[0, 3, 1], gts[1, 7, 0], boxes[0, 0, 0] = float("nan"), float("inf"), float("nan")
    boxes[1, 9] = torch.tensor([9.0, 9, 3, 3])
    masks = torch.rand(2, 330) > 0.2, torch.rand(2, 140) > 0.2
    nothing = torch.zeros(2, 140, dtype=torch.bool)
    for given, bounds in (((None, None), (-2.0, 0.0, 0.4)), (masks, (0.4,)), ((None, nothing), (-2.0,))):
        args = (boxes, gts, *given, *options(kind, eps=0.0))
        expected = native.max_iou(*args)
        for a, e in zip(emulated.max_iou(*args), expected, strict=True):
            assert torch.equal(a, e)
        for least in bounds:
            tied = (boxes, gts, *given, expected[2], least, *options(kind, eps=0.0))
            assert torch.equal(emulated.tied_gts(*tied), native.tied_gts(*tied))


def assert_same_matches(emulated, boxes, gts, masks=(None, None), kind="iou", formats=(0, 0)):
    """The same bits from both operators of matching as on the CPU."""
    args = (boxes, gts, *masks, *options(kind, formats, eps=0.0))
    expected = native.max_iou(*args)
    for a, e in zip(emulated.max_iou(*args), expected, strict=True):
        assert torch.equal(a, e)
    for least in (-2.0, 0.3):
        tied = (boxes, gts, *masks, expected[2], least, *options(kind, formats, eps=0.0))
        assert torch.equal(emulated.tied_gts(*tied), native.tied_gts(*tied))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 257), (31, 33), (33, 31), (257, 1), (256, 64), (3, 1100), (1100, 3)])
def test_max_iou_of_awkward_sizes(emulated, n, m):
    """Sets change places where gts are more; warps, words of gts and tiles that are full, and one more."""
    for batch in ((), (2,)):
        boxes, gts = sets(n, m, batch)
        for kind in ("iou", "iof", "giou"):
            assert_same_matches(emulated, boxes, gts, kind=kind)


@pytest.mark.parametrize("kind", SCORES)
def test_max_iou_of_few_boxes_and_many_gts(emulated, kind):
    """Every kind of score: whether it asks which box is the first one must not be lost when sets change places."""
    boxes, gts = sets(40, 700)
    gts[[5, 300, 699]], gts[100] = boxes[7], torch.tensor([50.0, 50, 20, 80])
    gts[400], boxes[30] = float("nan"), torch.tensor([50.0, 50, 20, 80])
    for dtype in (torch.float32, torch.float64):
        assert_same_matches(emulated, boxes.to(dtype), gts.to(dtype), kind=kind)
    masks = torch.rand(40) > 0.3, torch.rand(700) > 0.3
    assert_same_matches(emulated, boxes, gts, masks, kind)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_max_iou_in_an_order_of_neighbours(emulated, dtype):
    """Many boxes, far apart: ties within tiles and across, odd, infinite and masked boxes in between."""
    g = torch.Generator().manual_seed(1)

    def scattered(n):
        corner, size = torch.rand(n, 2, generator=g) * 500, torch.rand(n, 2, generator=g) * 60 + 4
        return torch.cat([corner, corner + size], 1).to(dtype)

    boxes, gts = scattered(2100), scattered(100)
    boxes[[3, 700, 1500, 2099]], gts[[2, 40, 99]] = gts[40].clone(), gts[2].clone()
    boxes[[10, 1030]] = torch.tensor([[400.0, 400, 300, 300], [1e30, 1e30, 2e30, 3e30]], dtype=dtype)
    boxes[[11, 2000], 1], gts[50] = float("inf"), torch.tensor([400.0, 300, 300, 400], dtype=dtype)
    gts[60] += 1e5
    for kind in ("iou", "iof"):
        assert_same_matches(emulated, boxes, gts, kind=kind)
    masks = torch.rand(2100, generator=g) > 0.5, torch.rand(100, generator=g) > 0.5
    masks[0][:1100] = False
    assert_same_matches(emulated, boxes, gts, masks)
    assert_same_matches(emulated, gts, boxes, masks[::-1])
    points = torch.zeros(2100, 4, dtype=dtype)  # all in one cell, and all tie at 0
    assert_same_matches(emulated, points, gts)
    assert_same_matches(emulated, boxes, gts, kind="iou", formats=(1, 2))


def test_max_iou_of_nothing(emulated):
    for n, m in ((0, 3), (3, 0)):
        args = (*sets(n, m), None, None, *options("iou"))
        for a, e in zip(emulated.max_iou(*args), native.max_iou(*args), strict=True):
            assert torch.equal(a, e)
