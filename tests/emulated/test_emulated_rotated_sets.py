"""The CUDA kernels on sets of rotated boxes, run on the CPU, against the CPU kernels.

As test_emulated_sets.py and test_emulated_nms.py.
"""

import shutil

import pytest
import torch
from emulation import load_emulation
from rotated_boxes import EDGE_BOXES, random_pairs

import fastiou
from fastiou import _names

pytestmark = [
    pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled to compare with"),
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]
KINDS = _names.ROTATED_KINDS
#: Kinds with the variants that differ: what encloses, or the root.
CODES = {
    f"{kind}-{variant}": 4 * i + variant
    for i, kind in enumerate(KINDS)
    for variant in range({"iou": 1, "iof": 1, "giou": 4, "diou": 4, "ciou": 4}.get(kind, 2))
}
#: One of every way through the kernels, for what does not depend on the formula.
FEW = {name: CODES[name] for name in ("iou-0", "giou-0", "ciou-1", "gwd-1", "probiou-0")}
RADIANS, DEGREES, COUNTERCLOCKWISE = 4, 5, 6
native = torch.ops.fastiou


@pytest.fixture(scope="module")
def emulated():
    load_emulation("emulated_sets.cpp")
    return torch.ops.fastiou_emulated_sets


@pytest.fixture(scope="module")
def suppression():
    load_emulation("emulated_nms.cpp")
    return torch.ops.fastiou_emulated_nms


def options(code, formats=(RADIANS, RADIANS)):
    return (code, *formats, 0.0, 0.0, 0.0)


def sets(n, m, batch=(), dtype=torch.float32):
    """Crowded, so that many overlap, and some are far away from most."""
    count = max(n, m)
    first, second = random_pairs(torch.Size((*batch, count)).numel(), seed=n)
    first[..., :2] *= 0.4
    second[..., :2] *= 0.4
    return (x.reshape(*batch, count, 5)[..., :k, :].to(dtype) for x, k in ((first, n), (second, m)))


def assert_close(actual, expected, dtype, ulps=8):
    """Relative to the largest partial of a box."""
    eps = ulps * torch.finfo(dtype).eps
    torch.testing.assert_close(actual, expected, rtol=eps, atol=eps, equal_nan=True)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_pairwise(emulated, code):
    for (n, m), dtype in (((70, 150), torch.float32), ((3, 33), torch.float64), ((129, 2), torch.float16)):
        args = (*sets(n, m, dtype=dtype), None, None, *options(code))
        expected = native.pairwise(*args)
        assert_close(emulated.pairwise(*args), expected, expected.dtype)


def test_pairwise_layouts_masks_formats_and_integers(emulated):
    boxes1, boxes2 = sets(70, 140, (2,))
    masks = torch.rand(2, 70) > 0.3, torch.rand(2, 140) > 0.3
    transposed = boxes1.mT.contiguous().mT
    shared = boxes2[:1].expand(2, 140, 5)
    for first, second in ((transposed, boxes2), (boxes1.half(), shared), (boxes1.int(), boxes2.to(torch.int16))):
        for given in ((None, None), masks):
            for formats in ((RADIANS, COUNTERCLOCKWISE), (DEGREES + 2, DEGREES)):
                args = (first, second, *given, *options(CODES["iou-0"], formats))
                assert_close(emulated.pairwise(*args), native.pairwise(*args), torch.float32)


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_backward(emulated, code):
    for (n, m), dtype in (((130, 70), torch.float32), ((5, 40), torch.float64)):
        boxes1, boxes2 = sets(n, m, (2,), dtype)
        grad = torch.randn(2, n, m, dtype=dtype)
        grad[:, :, ::7] = 0
        masks = torch.rand(2, n) > 0.2, torch.rand(2, m) > 0.2
        for g, formats in ((grad, (RADIANS, RADIANS)), (grad[:1, :1].expand(2, n, m), (DEGREES, DEGREES + 2))):
            args = (g, boxes1, boxes2, *masks, *options(code, formats), True, True)
            for a, e in zip(emulated.pairwise_backward(*args), native.pairwise_backward(*args), strict=True):
                scale = e.abs().amax(-1, keepdim=True).clamp(min=1e-3)  # sums of terms that cancel
                assert_close(a / scale, e / scale, dtype, ulps=200)


def test_backward_in_slices(emulated):
    """Few boxes against many: the others are added up in slices."""
    boxes1, boxes2 = sets(3, 2100)
    args = (torch.randn(3, 2100), boxes1, boxes2, None, None, *options(CODES["giou-0"]), True, False)
    actual, expected = emulated.pairwise_backward(*args)[0], native.pairwise_backward(*args)[0]
    torch.testing.assert_close(actual, expected, rtol=2e-5, atol=2e-5)


def edge_boxes(dtype):
    """As large as differences can tell."""
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64).clamp(-4e37, 4e37).to(dtype)
    boxes[7, 2], boxes[11, 0], boxes[12, 4] = float("nan"), float("inf"), float("inf")
    return boxes


@pytest.mark.parametrize("code", CODES.values(), ids=CODES)
def test_degenerate_boxes(emulated, suppression, code):
    for dtype in (torch.float32, torch.float64):
        boxes = edge_boxes(dtype)
        args = (boxes, boxes, None, None, *options(code))
        expected = native.pairwise(*args)
        assert_close(emulated.pairwise(*args), expected, expected.dtype)
        args = (torch.ones(len(boxes), len(boxes), dtype=dtype), *args, True, True)
        for a, e in zip(emulated.pairwise_backward(*args), native.pairwise_backward(*args), strict=True):
            torch.testing.assert_close(a, e, rtol=1e-4, atol=1e-4, equal_nan=True)
        for a, e in zip(emulated.max_iou(*args[1:-2]), native.max_iou(*args[1:-2]), strict=True):
            assert torch.equal(a, e)
        args = (boxes.repeat(3, 1), torch.linspace(1, 0.1, 3 * len(boxes)), None, 0.3, code, 1.0, RADIANS, False)
        assert_equal(suppression.nms(*args), native.nms(*args))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("code", FEW.values(), ids=FEW)
def test_max_iou(emulated, code, dtype):
    """Ties, masks, boxes of no value, gts that nothing overlaps, more gts than one tile: the same bits."""
    boxes, gts = sets(300, 140, (2,), dtype)
    gts[:, 5], boxes[:, 200], boxes[:, 270] = gts[:, 4], gts[:, 9], gts[:, 9]
    gts[:, 20, :2] += 1e4
    boxes[0, 3, 1], gts[1, 7, 0], boxes[0, 0, 0] = float("nan"), float("inf"), float("nan")
    masks = torch.rand(2, 300) > 0.2, torch.rand(2, 140) > 0.2
    nothing = torch.zeros(2, 140, dtype=torch.bool)
    for given, bounds in (((None, None), (-2.0, 0.0, 0.4)), (masks, (0.4,)), ((None, nothing), (-2.0,))):
        args = (boxes, gts, *given, *options(code))
        expected = native.max_iou(*args)
        for a, e in zip(emulated.max_iou(*args), expected, strict=True):
            assert torch.equal(a, e)
        for least in bounds:
            tied = (boxes, gts, *given, expected[2], least, *options(code))
            assert torch.equal(emulated.tied_gts(*tied), native.tied_gts(*tied))


def test_max_iou_of_nothing(emulated):
    for n, m in ((0, 3), (3, 0)):
        args = (*sets(n, m), None, None, *options(0))
        for a, e in zip(emulated.max_iou(*args), native.max_iou(*args), strict=True):
            assert torch.equal(a, e)


def detections(n, dtype=torch.float32, classes=3):
    boxes, _ = sets(n, n, dtype=dtype)
    g = torch.Generator().manual_seed(n)
    scores = (torch.rand(n, generator=g) * 50).round() / 50  # with ties
    scores[::17] = float("nan")
    return boxes, scores, torch.randint(-classes, classes, (n,), generator=g) if classes else None


def assert_equal(actual, expected):
    for a, e in zip(*((x if isinstance(x, tuple) else (x,)) for x in (actual, expected)), strict=True):
        torch.testing.assert_close(a, e, rtol=1e-6, atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("n", [0, 1, 64, 600])
@pytest.mark.parametrize("classes", [0, 3])
def test_nms(suppression, n, classes):
    """One word, many, several chunks of them."""
    for fmt in (RADIANS, DEGREES + 2):
        args = (*detections(n, classes=classes), 0.3, CODES["iou-0"], 1.0, fmt, False)
        assert_equal(suppression.nms(*args), native.nms(*args))


@pytest.mark.parametrize("code", FEW.values(), ids=FEW)
def test_suppression(suppression, code):
    for dtype in (torch.float32, torch.float64, torch.int32):
        args = (*detections(150, dtype), 0.3, code, 1.0, RADIANS, False)
        assert_equal(suppression.nms(*args), native.nms(*args))
        for gaussian in (False, True):
            args = (*detections(60, dtype), gaussian, 0.5, 0.3, 0.01, code, 1.0, RADIANS)
            assert_equal(suppression.soft_nms(*args), native.soft_nms(*args))
            args = (*detections(300, dtype), gaussian, 2.0, code, 1.0, RADIANS)
            assert_equal(suppression.matrix_nms(*args), native.matrix_nms(*args))


def test_refusals(emulated, suppression):
    boxes, scores, _ = detections(10)
    with pytest.raises(RuntimeError, match="no mean"):
        suppression.nms(boxes, scores, None, 0.3, 0, 1.0, RADIANS, True)
    for code in (-1, 4 * len(KINDS)):
        with pytest.raises(RuntimeError, match="there is no kind"):
            suppression.nms(boxes, scores, None, 0.3, code, 1.0, RADIANS, False)
        with pytest.raises(RuntimeError, match="there is no kind"):
            emulated.pairwise(boxes, boxes, None, None, *options(code))
