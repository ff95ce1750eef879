"""The machine code of non-maximum suppression beside the CPU kernels: the same boxes, scores but for rounding."""

import pytest
import torch
from axes import EDGE_BOXES, random_boxes
from machine_compare import assert_equal, assert_values, misaligned, native

import fastiou

KINDS = fastiou.pairwise_kinds()
IOU, DIOU = KINDS.index("iou"), KINDS.index("diou")
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-12}
#: None, one, one past a warp, a word, a block of words and several of these, more than a chunk.
SIZES = [0, 1, 33, 64, 65, 257, 600]


def detections(n, dtype=torch.float32, classes=3):
    """Crowded boxes, scores with ties and NaN."""
    boxes, _ = random_boxes(n)
    g = torch.Generator().manual_seed(n)
    scores = (torch.rand(n, generator=g) * 50).round() / 50
    scores[::17] = float("nan")
    return boxes.to(dtype), scores, torch.randint(-classes, classes, (n,), generator=g) if classes else None


def assert_nms(machine, args):
    """Boxes that are kept, and their means."""
    (*kept, merged), (*expected, means) = machine.nms(*args), native.nms(*args)
    assert_equal(tuple(kept), tuple(expected))
    assert merged.shape == means.shape and merged.dtype == means.dtype
    if merged.numel():
        assert_values(merged, means, TOLERANCE[means.dtype])


def assert_soft(machine, args):
    (selected, scores, count), expected = machine.soft_nms(*args), native.soft_nms(*args)
    assert_equal((selected, count), expected[::2])
    assert scores.dtype == expected[1].dtype
    assert_values(scores, expected[1], TOLERANCE[torch.float32])


def assert_matrix(machine, args):
    actual, expected = machine.matrix_nms(*args), native.matrix_nms(*args)
    assert actual.dtype == expected.dtype
    assert_values(actual, expected, TOLERANCE[torch.float32])


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("classes", [0, 3])
def test_greedy(machine, n, classes):
    assert_nms(machine, (*detections(n, classes=classes), 0.4, IOU, 1.0, 0, False))


@pytest.mark.parametrize("n", [0, 1, 33, 257])
@pytest.mark.parametrize("classes", [0, 3])
def test_merged(machine, n, classes):
    assert_nms(machine, (*detections(n, classes=classes), 0.4, IOU, 1.0, 0, True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32], ids=str)
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_kinds(machine, kind, dtype):
    """Every kernel; with a power of the distance as well."""
    for beta in (1.0, 0.6) if kind == DIOU else (1.0,):
        assert_nms(machine, (*detections(70, dtype), 0.3, kind, beta, 2, True))
        for gaussian in (False, True):
            assert_soft(machine, (*detections(40, dtype), gaussian, 0.5, 0.3, 0.01, kind, beta, 0))
            assert_matrix(machine, (*detections(70, dtype), gaussian, 2.0, kind, beta, 0))


@pytest.mark.parametrize("n", [0, 1, 31, 33, 150])
def test_soft(machine, n):
    for gaussian, classes in ((False, 0), (True, 3)):
        assert_soft(machine, (*detections(n, classes=classes), gaussian, 0.5, 0.3, 0.05, IOU, 1.0, 0))


@pytest.mark.parametrize("n", [0, 1, 31, 257, 520])
def test_matrix(machine, n):
    for gaussian, classes in ((False, 0), (True, 3)):
        assert_matrix(machine, (*detections(n, classes=classes), gaussian, 2.0, IOU, 1.0, 0))


def scattered(n):
    """Many of which few overlap, and few have a score."""
    boxes, scores, idxs = detections(n)
    boxes = (boxes + torch.arange(n)[:, None] % 40 * 100).contiguous()
    scores[torch.rand(n, generator=torch.Generator().manual_seed(0)) > 0.1] = 0.0
    return boxes, scores, idxs


def test_more_boxes_than_a_gpu_decides_at_a_time(as_on_gpu):
    assert_nms(as_on_gpu, (*scattered(2100), 0.5, IOU, 1.0, 0, False))


def test_more_boxes_than_threads_of_a_block(as_on_gpu):
    assert_soft(as_on_gpu, (*scattered(600), False, 0.5, 0.3, 0.05, IOU, 1.0, 0))
    assert_matrix(as_on_gpu, (*scattered(600), False, 2.0, IOU, 1.0, 0))


@pytest.mark.parametrize("score_dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_dtypes_and_layouts(machine, score_dtype):
    boxes, scores, idxs = detections(70)
    scores = scores.to(score_dtype)
    for given in (boxes.half(), boxes.bfloat16(), misaligned(boxes), boxes.mT.contiguous().mT, boxes.to(torch.int16)):
        for classes in (idxs, idxs.int(), idxs.to(torch.int8)):
            assert_nms(machine, (given, scores, classes, 0.4, IOU, 1.0, 1, True))
    wide = torch.stack([scores, scores], -1)[:, 1]
    assert_soft(machine, (boxes[:, [2, 3, 0, 1]], wide, idxs, False, 0.5, 0.3, 0.05, IOU, 1.0, 1))
    assert_matrix(machine, (misaligned(boxes), misaligned(scores), None, True, 2.0, IOU, 1.0, 2))


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_odd_boxes(shuffled, kind, dtype):
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64).repeat(3, 1).to(dtype)
    boxes[7, 2], boxes[11, 0] = float("nan"), float("inf")
    scores = torch.linspace(1, 0.1, len(boxes))
    assert_nms(shuffled, (boxes, scores, None, 0.3, kind, 1.0, 0, kind == IOU))
    assert_soft(shuffled, (boxes[:40], scores[:40], None, True, 0.5, 0.3, 0.01, kind, 1.0, 0))
    assert_matrix(shuffled, (boxes, scores, None, True, 2.0, kind, 1.0, 0))
