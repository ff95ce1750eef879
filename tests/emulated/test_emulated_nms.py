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


def detections(n, dtype=torch.float32, classes=3):
    boxes, _ = random_boxes(n, dtype=dtype)
    g = torch.Generator().manual_seed(n)
    scores = (torch.rand(n, generator=g) * 50).round() / 50  # with ties
    scores[::17] = float("nan")
    return boxes, scores, torch.randint(-classes, classes, (n,), generator=g) if classes else None


def assert_same(actual, expected):
    actual, expected = (x if isinstance(x, tuple) else (x,) for x in (actual, expected))
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7, equal_nan=True)


@pytest.mark.parametrize("n", [0, 1, 64, 65, 300, 700])
@pytest.mark.parametrize("classes", [0, 3])
def test_greedy_and_merged(emulated, n, classes):
    """One word, many, several chunks of them; 4 KiB of bits are 512 words."""
    for merge in (False, True):
        args = (*detections(n, classes=classes), 0.4, IOU, 1.0, 0, merge)
        assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))


@pytest.mark.parametrize("kind", range(len(PAIRWISE_KINDS)), ids=PAIRWISE_KINDS)
def test_kinds(emulated, kind):
    for dtype in (torch.float32, torch.float64, torch.int32):
        args = (*detections(150, dtype), 0.3, kind, 1.0, 2, True)
        assert_same(emulated.nms(*args), torch.ops.fastiou.nms(*args))
        args = (*detections(60, dtype), True, 0.5, 0.3, 0.01, kind, 1.0, 0)
        assert_same(emulated.soft_nms(*args), torch.ops.fastiou.soft_nms(*args))
        args = (*detections(300, dtype), False, 2.0, kind, 1.0, 0)
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
