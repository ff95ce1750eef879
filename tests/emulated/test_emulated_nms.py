"""The CUDA kernels of non-maximum suppression, run on the CPU (emulated_nms.cpp), against the CPU kernels.

As test_emulated.py: indexing, chunks, words of bits and block-wide reductions, not how nvcc compiles them.
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
PAIRWISE_KINDS = fastiou.pairwise_kinds()
IOU, DIOU = PAIRWISE_KINDS.index("iou"), PAIRWISE_KINDS.index("diou")


@pytest.fixture(scope="module")
def emulated():
    load_emulation("emulated_nms.cpp")
    return torch.ops.fastiou_emulated_nms


def detections(n, dtype=torch.float32, classes=3, proper=True):
    """Boxes, scores, classes. Unless boxes are proper, a few are inverted: no tile is without one."""
    boxes, _ = random_boxes(n, dtype=dtype)
    if proper:
        boxes = torch.cat((torch.minimum(boxes[:, :2], boxes[:, 2:]), torch.maximum(boxes[:, :2], boxes[:, 2:])), 1)
    g = torch.Generator().manual_seed(n)
    scores = (torch.rand(n, generator=g) * 50).round() / 50  # with ties
    scores[::17] = float("nan")
    return boxes, scores, torch.randint(-classes, classes, (n,), generator=g) if classes else None


def assert_same(actual, expected):
    actual, expected = (x if isinstance(x, tuple) else (x,) for x in (actual, expected))
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7, equal_nan=True)


# Around a warp, a word, a tile of rows, a group of words, a chunk (640 boxes), and two chunks.
SIZES = [0, 1, 31, 33, 63, 64, 65, 127, 129, 255, 257, 511, 513, 575, 639, 640, 641, 1279, 1281]


@pytest.mark.parametrize("n", SIZES)
def test_sizes(emulated, n):
    """Crowded boxes, of which few are kept, and scattered ones, of which most are, in a class and in several."""
    for scale, classes in [(1, 0), (1, 3), (20, 0)]:
        boxes, scores, idxs = detections(n, classes=classes)
        boxes[:, 2:] = boxes[:, :2] + (boxes[:, 2:] - boxes[:, :2]) / scale
        for threshold in (0.4, 0.0):
            args = (boxes, scores, idxs, threshold, IOU, 1.0, 0, n % 2 == 0)
            assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))


@pytest.mark.parametrize("classes", [0, 3])
def test_greedy_and_merged(emulated, classes):
    for merge in (False, True):
        args = (*detections(700, classes=classes), 0.4, IOU, 1.0, 0, merge)
        assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))


def test_wide_classes(emulated):
    """Classes that agree in their lower 32 bits."""
    boxes, scores, idxs = detections(700)
    args = (boxes, scores, idxs << 32, 0.4, IOU, 1.0, 0, False)
    assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))
    assert_same(emulated.nms(*args), torch.ops.fastiou.nms(boxes, scores, idxs, *args[3:]))
    args = (boxes, scores, idxs << 32, True, 2.0, IOU, 1.0, 0)
    assert_same(emulated.matrix_nms(*args), torch.ops.fastiou.matrix_nms(*args))


def test_odd_box_in_a_tile(emulated):
    """The other pairs of the tile are compared as ever, and it as it is compared elsewhere."""
    boxes, scores, idxs = detections(700)
    for odd in ([300], [3, 64, 650, 699]):
        boxes[odd] = boxes[odd][:, [2, 3, 0, 1]]
        boxes[odd[0], 1] = float("nan")
        for kind in (IOU, DIOU):
            args = (boxes, scores, idxs, 0.3, kind, 1.0, 0, False)
            assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))
            args = (boxes, scores, idxs, True, 2.0, kind, 1.0, 0)
            assert_same(emulated.matrix_nms(*args), torch.ops.fastiou.matrix_nms(*args))


def test_a_chain(emulated):
    """Boxes that overlap the next ones only, so that every second or third is kept: a word takes many rounds."""
    for step, kept in [(0.4, 2), (0.2, 3)]:
        n = torch.arange(1300)
        x = n * step
        boxes = torch.stack((x, torch.zeros(len(n)), x + 1, torch.ones(len(n))), 1)
        args = (boxes, torch.linspace(1, 0.1, len(n)), None, 0.3, IOU, 1.0, 0, False)
        assert torch.equal(emulated.nms(*args)[0], n % kept == 0)


THRESHOLDS = [0.0, 1e-7, 2.0**-21, 2.0**-20, 0.25, 0.3, float(torch.tensor(0.3)), 1 / 3, 0.5, 0.7, 1 - 2.0**-24, 1.0]


@pytest.mark.parametrize("kind", ["iou", "iof"])
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_quotients_beside_the_threshold(emulated, threshold, kind):
    """Quotients that round to the threshold or to its neighbours are compared as if they had been divided."""
    g = torch.Generator().manual_seed(round(threshold * 1000))
    for dtype, digits in ((torch.float32, 24), (torch.float64, 53)):
        n = 600
        whole = torch.randint(2 ** (digits - 1), 2**digits - 4, (n,), generator=g).double()
        part = ((whole * threshold).round() + torch.randint(-2, 3, (n,), generator=g)).clamp_min(1)
        sides = torch.stack((part, whole) if kind == "iou" else (whole, part), 1).flatten()  # the better box first
        zero, one = torch.zeros(2 * n, dtype=torch.float64), torch.ones(2 * n, dtype=torch.float64)
        boxes = torch.stack((zero, zero, sides, one), 1).to(dtype)
        scores, pairs = torch.linspace(1, 0.1, 2 * n, dtype=dtype), torch.arange(2 * n) // 2
        keep = emulated.nms(boxes, scores, pairs, threshold, PAIRWISE_KINDS.index(kind), 1.0, 0, False)[0]
        part, whole = part.to(dtype), whole.to(dtype)
        shared = torch.minimum(part, whole)
        total = part + whole - shared if kind == "iou" else whole
        assert keep[::2].all() and torch.equal(keep[1::2], (shared / total).double() <= threshold)
        assert 0 < keep[1::2].sum() < n or not 1e-6 < threshold < 1 - 1e-6


@pytest.mark.parametrize("kind", range(len(PAIRWISE_KINDS)), ids=PAIRWISE_KINDS)
@pytest.mark.parametrize("proper", [False, True])
def test_kinds(emulated, kind, proper):
    for dtype in (torch.float32, torch.float64, torch.int32):
        args = (*detections(150, dtype, proper=proper), 0.3, kind, 1.0, 0 if proper else 2, True)
        assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))
        args = (*detections(60, dtype, proper=proper), True, 0.5, 0.3, 0.01, kind, 1.0, 0)
        assert_same(emulated.soft_nms(*args), torch.ops.fastiou.soft_nms(*args))
        args = (*detections(300, dtype, proper=proper), False, 2.0, kind, 1.0, 0)
        assert_same(emulated.matrix_nms(*args), torch.ops.fastiou.matrix_nms(*args))


@pytest.mark.parametrize("kind", ["giou", "ciou"])
def test_negative_threshold(emulated, kind):
    """Boxes without a common point suppress each other; the empty places of a tile suppress nothing."""
    kind = PAIRWISE_KINDS.index(kind)
    for n in (33, 700, 1300):
        boxes, scores, idxs = detections(n)
        for classes in (None, idxs):
            args = (boxes, scores, classes, -0.6, kind, 1.0, 0, False)
            assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))
    boxes = detections(700)[0] + 5000
    boxes[-1] = torch.tensor([-5.0, -5, 5, 5])  # far from all others, around the box that fills empty places
    keep = emulated.nms(boxes, torch.linspace(1, 0.1, 700), None, -0.6, kind, 1.0, 0, False)[0]
    assert keep[-1] and keep.sum() % 64 != 1


@pytest.mark.parametrize("n", SIZES[:12])
def test_sizes_of_matrix_nms(emulated, n):
    boxes, scores, idxs = detections(n)
    for classes, gaussian in [(None, True), (idxs, False)]:
        args = (boxes, scores, classes, gaussian, 2.0, IOU, 1.0, 0)
        assert_same(emulated.matrix_nms(*args), torch.ops.fastiou.matrix_nms(*args))


def test_beta(emulated):
    args = (*detections(150), 0.2, DIOU, 0.6, 0, False)
    assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))


@pytest.mark.parametrize("gaussian", [False, True])
@pytest.mark.parametrize("n", [0, 1, 130])
def test_soft_and_matrix(emulated, gaussian, n):
    for score_dtype in (torch.float16, torch.float64):
        boxes, scores, idxs = detections(n, torch.bfloat16, 1)
        scores = scores.to(score_dtype)
        args = (boxes, scores, idxs.int(), gaussian, 0.5, 0.3, 0.05, IOU, 1.0, 1)
        assert_same(emulated.soft_nms(*args), torch.ops.fastiou.soft_nms(*args))
        args = (boxes[:, [2, 3, 0, 1]], scores, None, gaussian, 2.0, IOU, 1.0, 1)
        assert_same(emulated.matrix_nms(*args), torch.ops.fastiou.matrix_nms(*args))


def test_degenerate_boxes(emulated):
    boxes, _ = edge_pairs()
    boxes = boxes.unique(dim=0).repeat(3, 1)
    boxes[7, 2], boxes[11, 0] = float("nan"), float("inf")
    scores = torch.linspace(1, 0.1, len(boxes))
    for kind in range(len(PAIRWISE_KINDS)):
        args = (boxes, scores, None, 0.3, kind, 1.0, 0, True)
        assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))
        args = (boxes, scores, None, True, 0.5, 0.3, 0.01, kind, 1.0, 0)
        assert_same(emulated.soft_nms(*args), torch.ops.fastiou.soft_nms(*args))
        args = (boxes, scores, None, True, 2.0, kind, 1.0, 0)
        assert_same(emulated.matrix_nms(*args), torch.ops.fastiou.matrix_nms(*args))
