"""What only a GPU can show of the functions on sets of boxes: synchronisation, graphs, memory, devices."""

import pytest
import torch
from axes import random_boxes
from rotated_boxes import random_pairs

import fastiou

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
    pytest.mark.skipif(fastiou.backend("cuda") == "fallback", reason="the CUDA kernels are not compiled"),
]
KINDS = fastiou.pairwise_kinds()


def sets(n, m, seed=0, device="cuda"):
    first, second = random_boxes(max(n, m), seed=seed, device=device)
    return first[:n].contiguous(), second[:m].contiguous()


def detections(n, seed=0, device="cuda"):
    g = torch.Generator().manual_seed(seed)
    boxes, _ = random_boxes(n, seed=seed)
    return boxes.to(device), torch.rand(n, generator=g).to(device), torch.randint(0, 5, (n,), generator=g).to(device)


def pairwise_and_backward(boxes1, boxes2):
    boxes1, boxes2 = boxes1.detach().requires_grad_(), boxes2.detach().requires_grad_()
    scores = fastiou.pairwise_iou(boxes1, boxes2, "ciou")
    return scores.detach(), *torch.autograd.grad(scores, (boxes1, boxes2), torch.ones_like(scores))


CALLS = {
    "pairwise": lambda b, g: pairwise_and_backward(b, g),
    "max_iou": lambda b, g: tuple(fastiou.max_iou(b, g)),
    "matcher": lambda b, g: (fastiou.Matcher(0.5, 0.3, True)(b, g),),
    "ssd_matcher": lambda b, g: (fastiou.SSDMatcher(0.5)(b, g),),
    "assigner": lambda b, g: fastiou.MaxIoUAssigner(0.5, 0.4, ignore_iof_thr=0.5)(b, g, ignore=g[:3])[:2],
}


def rotated_sets(n, m, seed=0, device="cuda"):
    first, second = random_pairs(max(n, m), seed=seed, dtype=torch.float32, device=device)
    return first[:n].contiguous(), second[:m].contiguous()


def rotated_pairwise_and_backward(boxes1, boxes2, kind):
    boxes1, boxes2 = boxes1.detach().requires_grad_(), boxes2.detach().requires_grad_()
    scores = fastiou.rotated_box_iou(boxes1, boxes2, kind)
    return scores.detach(), *torch.autograd.grad(scores, (boxes1, boxes2), torch.ones_like(scores))


@pytest.mark.parametrize("kind", ["iou", "giou", "ciou", "probiou"])
def test_rotated_boxes(kind):
    """The CPU's numbers, without synchronisation, and the same bits again."""
    boxes, gts = rotated_sets(3000, 70)

    def run(b, g):
        return *rotated_pairwise_and_backward(b, g, kind), *fastiou.max_iou(b, g, kind, fmt="cxcywhr")

    gpu, cpu = run(boxes, gts), run(boxes.cpu(), gts.cpu())
    for a, b in zip(gpu[:3], cpu[:3], strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=2e-4, atol=2e-4)
    scores, values, gt_values = gpu[0], gpu[3], gpu[5]
    assert torch.equal(values, scores.amax(1)) and torch.equal(gt_values, scores.amax(0))
    torch.cuda.set_sync_debug_mode("error")
    try:
        again = run(boxes, gts)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert all(torch.equal(a, b) for a, b in zip(gpu, again, strict=True))


def test_rotated_nms_is_that_of_the_cpu():
    boxes, _ = rotated_sets(20_000, 1)
    scores = torch.rand(len(boxes), device="cuda")
    kept, expected = fastiou.nms_rotated(boxes, scores, 0.5), fastiou.nms_rotated(boxes.cpu(), scores.cpu(), 0.5)
    assert torch.equal(kept.cpu(), expected)


@pytest.mark.parametrize("name", CALLS)
def test_no_synchronisation(name):
    boxes, gts = sets(3000, 40)
    CALLS[name](boxes, gts)
    torch.cuda.set_sync_debug_mode("error")
    try:
        CALLS[name](boxes, gts)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_nms_mask_does_not_synchronise():
    boxes, scores, classes = detections(3000)
    calls = (
        lambda: fastiou.nms_mask(boxes, scores, 0.5, idxs=classes),
        lambda: fastiou.matrix_nms(boxes, scores, idxs=classes),
    )
    for call in calls:
        call()
        torch.cuda.set_sync_debug_mode("error")
        try:
            call()
        finally:
            torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("name", CALLS)
def test_cuda_graph(name):
    boxes, gts = sets(3000, 40)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        CALLS[name](boxes, gts)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = CALLS[name](boxes, gts)
    for seed in (5, 6):
        new = sets(3000, 40, seed)
        boxes.copy_(new[0])
        gts.copy_(new[1])
        graph.replay()
        torch.cuda.synchronize()
        assert all(torch.equal(a, b) for a, b in zip(results, CALLS[name](*new), strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_same_numbers_as_the_cpu(kind):
    boxes, gts = sets(3000, 70)
    gpu = fastiou.pairwise_iou(boxes, gts, kind)
    torch.testing.assert_close(gpu.cpu(), fastiou.pairwise_iou(boxes.cpu(), gts.cpu(), kind), rtol=2e-6, atol=2e-6)
    best = fastiou.max_iou(boxes, gts, kind)
    assert torch.equal(best.values, gpu.amax(1)) and torch.equal(best.gt_values, gpu.amax(0))


def test_nms_is_that_of_the_cpu():
    boxes, scores, classes = detections(20_000)
    cpu = [x.cpu() for x in (boxes, scores, classes)]
    assert torch.equal(fastiou.nms(boxes, scores, 0.5).cpu(), fastiou.nms(*cpu[:2], 0.5))
    assert torch.equal(fastiou.batched_nms(boxes, scores, classes, 0.5).cpu(), fastiou.batched_nms(*cpu, 0.5))


def test_deterministic():
    boxes, gts = sets(300_000, 100)
    runs = [(*fastiou.max_iou(boxes, gts), *pairwise_and_backward(boxes[:30_000], gts)) for _ in range(3)]
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], run, strict=True))


def test_memory_does_not_grow_with_the_matrix():
    boxes, gts = sets(200_000, 500)
    fastiou.max_iou(boxes, gts)
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    fastiou.max_iou(boxes, gts)
    assert torch.cuda.max_memory_allocated() - before < 5e6  # the matrix has 400 MB


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
@pytest.mark.parametrize("name", CALLS)
def test_other_device_than_the_current_one(name):
    boxes, gts = sets(2000, 40, device="cuda:1")
    with torch.cuda.device(0):
        actual = CALLS[name](boxes, gts)
    for a, b in zip(actual, CALLS[name](boxes.cpu(), gts.cpu()), strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=2e-5, atol=2e-5)
