"""What only a GPU can show of the functions over pixels: the numbers of the CPU, launches, graphs, memory, devices."""

import functools
import math

import pytest
import torch
from axes import loss_and_grads, random_boxes
from rotated_boxes import EDGE_BOXES, random_pairs
from sets import scores_and_grads
from test_cuda import kernels_of

import fastiou

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
    pytest.mark.skipif(fastiou.backend("cuda") == "fallback", reason="the CUDA kernels are not compiled"),
]
pairwise_iou = functools.partial(fastiou.pixel_iou, pairwise=True)

LOSSES = {
    "paper": fastiou.piou_loss,
    "official": functools.partial(fastiou.piou_loss, convention="official"),
    "linear": functools.partial(fastiou.piou_loss, mode="linear"),
    "area": functools.partial(fastiou.piou_loss, union="area"),
    "straight_through": functools.partial(fastiou.piou_loss, straight_through=True),
    "coarse": functools.partial(fastiou.piou_loss, k=0.1),
    "scaled": functools.partial(fastiou.piou_loss, scale=4.0, k=2.5),
}
#: Of a loss, and of a gradient relative to the largest partial of its row, or to 0.001 where that is less.
TOLERANCE = {torch.float32: (2e-5, 1e-3), torch.float64: (1e-11, 1e-10)}


def assert_close(gpu, cpu):
    """A loss, and gradients."""
    of_loss, of_grad = TOLERANCE[cpu[0].dtype]
    torch.testing.assert_close(gpu[0].cpu(), cpu[0], rtol=of_loss, atol=of_loss, equal_nan=True)
    for a, b in zip(gpu[1:], cpu[1:], strict=True):
        assert torch.equal(a.cpu().isnan(), b.isnan())
        scale = b.nan_to_num().abs().amax(-1, keepdim=True).clamp(min=1e-3)
        assert ((a.cpu() - b) / scale).nan_to_num().abs().max() <= of_grad


def without_synchronisation(function):
    torch.cuda.set_sync_debug_mode("error")
    try:
        return function()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def pairs(n, dtype=torch.float32, shift=0.0, seed=0):
    pred, target = random_pairs(n, seed=seed, dtype=dtype)
    pred[: n // 10, 4] = target[: n // 10, 4] = 0
    pred[: n // 20, 0] += shift
    return pred.cuda(), target.cuda()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_losses(name, dtype):
    """The CPU's numbers, in one launch each way, without synchronisation, and the same bits again."""
    pred, target = pairs(2000, dtype, shift=100.0)
    loss = functools.partial(LOSSES[name], reduction="none")
    gpu = loss_and_grads(loss, pred, target)
    assert_close(gpu, loss_and_grads(loss, pred.cpu(), target.cpu()))
    again = without_synchronisation(lambda: loss_and_grads(loss, pred, target))
    assert all(torch.equal(a, b) for a, b in zip(gpu, again, strict=True))
    mean = LOSSES[name](pred.requires_grad_(), target)
    assert len(kernels_of(lambda: LOSSES[name](pred, target))) == 1
    one = torch.ones_like(mean)
    assert len(kernels_of(lambda: torch.autograd.grad(mean, pred, one, retain_graph=True))) == 1


def test_upright_boxes_and_half_precision():
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        pred, target = (x.to(dtype) for x in random_boxes(2000, device="cuda"))
        gpu = loss_and_grads(fastiou.piou_loss, pred, target, reduction="none")
        cpu = loss_and_grads(fastiou.piou_loss, pred.cpu(), target.cpu(), reduction="none")
        torch.testing.assert_close(gpu[0].cpu(), cpu[0], rtol=2e-5, atol=2e-5)
        for a, b in zip(gpu[1:], cpu[1:], strict=True):
            tolerance = max(1e-3, 2 * torch.finfo(dtype).eps)
            torch.testing.assert_close(a.cpu(), b, rtol=tolerance, atol=1e-3)


def test_boxes_of_all_sizes():
    """From half a pixel to beyond what is rasterised, in one launch: warps take some of them, blocks the others."""
    sizes = torch.logspace(math.log10(0.5), math.log10(60_000), 60, dtype=torch.float64)
    target = torch.stack([sizes * 0, sizes * 0, sizes, sizes * 0.6, sizes.log()], -1)
    pred = target + torch.stack([sizes * 0.1, sizes * 0.05, sizes * 0.1, sizes * 0.02, sizes * 0 + 0.05], -1)
    order = torch.randperm(len(sizes), generator=torch.Generator().manual_seed(0))
    for dtype in (torch.float32, torch.float64):
        p, t = pred[order].to("cuda", dtype), target[order].to("cuda", dtype)
        gpu = loss_and_grads(fastiou.piou_loss, p, t, reduction="none")
        assert_close(gpu, loss_and_grads(fastiou.piou_loss, p.cpu(), t.cpu(), reduction="none"))
        for a, b in zip(gpu, loss_and_grads(fastiou.piou_loss, p, t, reduction="none"), strict=True):
            assert torch.equal(a, b)


def test_degenerate_boxes():
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64).float()
    boxes = torch.cat([boxes, boxes[:2]])
    boxes[-2, 2], boxes[-1, 0] = float("nan"), float("inf")
    pred, target = boxes.repeat_interleave(len(boxes), 0), boxes.repeat(len(boxes), 1)
    gpu = fastiou.pixel_iou(pred.cuda(), target.cuda(), union="area").cpu()
    torch.testing.assert_close(gpu, fastiou.pixel_iou(pred, target, union="area"), rtol=2e-5, atol=2e-5, equal_nan=True)
    scores = pairwise_iou(boxes.cuda(), boxes.cuda(), union="area").cpu()
    assert torch.equal(scores.flatten().isnan(), gpu.isnan())
    torch.testing.assert_close(scores.flatten(), gpu, rtol=2e-5, atol=2e-5, equal_nan=True)


def test_hard_pixels():
    """Whether a centre that lies on an edge counts is a matter of the last digit."""
    pred, target = pairs(20_000)
    gpu, cpu = (fastiou.pixel_iou(p, t, hard=True).cpu() for p, t in ((pred, target), (pred.cpu(), target.cpu())))
    assert (gpu == cpu).double().mean() > 0.999
    torch.testing.assert_close(gpu, cpu, rtol=0, atol=0.05)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_many_rows(reduction):
    """More than a grid has warps."""
    pred, target = pairs(100_000)
    weight = torch.rand(len(pred), device="cuda")
    gpu = fastiou.piou_loss(pred, target, weight=weight, reduction=reduction)
    cpu = fastiou.piou_loss(pred.cpu(), target.cpu(), weight=weight.cpu(), reduction=reduction)
    torch.testing.assert_close(gpu.cpu(), cpu, rtol=1e-5, atol=1e-6)
    assert torch.equal(gpu, fastiou.piou_loss(pred, target, weight=weight, reduction=reduction))


@pytest.mark.parametrize("union", ["exact", "area"])
@pytest.mark.parametrize("n, m", [(300, 70), (5, 4000), (1, 1)])
def test_pairwise(n, m, union):
    """The CPU's numbers and the aligned ones, without synchronisation, and the same bits again."""
    boxes1, boxes2 = (x[:k] for x, k in zip(pairs(max(n, m)), (n, m), strict=True))
    run = functools.partial(scores_and_grads, pairwise_iou, union=union)
    gpu = run(boxes1, boxes2)
    cpu = run(boxes1.cpu(), boxes2.cpu())
    assert_close(gpu, cpu)
    again = without_synchronisation(lambda: run(boxes1, boxes2))
    assert all(torch.equal(a, b) for a, b in zip(gpu, again, strict=True))
    aligned = fastiou.pixel_iou(boxes1[:, None], boxes2, union=union)
    torch.testing.assert_close(gpu[0], aligned, rtol=2e-5, atol=2e-5)


def test_pairwise_batches_and_hard_pixels():
    boxes1, boxes2 = (x.reshape(4, 50, 5) for x in pairs(200))
    torch.testing.assert_close(
        pairwise_iou(boxes1, boxes2).cpu(), pairwise_iou(boxes1.cpu(), boxes2.cpu()), rtol=2e-5, atol=2e-5
    )
    hard = pairwise_iou(boxes1, boxes2, hard=True)
    assert torch.equal(hard, fastiou.pixel_iou(boxes1[:, :, None], boxes2[:, None], hard=True))


def test_pairwise_memory_is_that_of_the_result():
    boxes1, boxes2 = pairs(20_000)
    pairwise_iou(boxes1[:10], boxes2[:10])
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    scores = pairwise_iou(boxes1[:2000], boxes2)
    assert torch.cuda.max_memory_allocated() - before < scores.numel() * 4 + 5e6


@pytest.mark.large
def test_pairwise_of_more_than_2_to_the_31_pairs():
    n = 50_000
    if torch.cuda.mem_get_info()[0] < n * n * 4 * 1.2:
        pytest.skip("needs 12 GB of free GPU memory")
    boxes, _ = pairs(n)
    boxes[:, :2] *= 1000
    boxes[-1] = boxes[0]
    scores = pairwise_iou(boxes, boxes)
    assert torch.equal(scores[-1], scores[0]) and scores[-1, -1] > 0.5
    torch.testing.assert_close(scores.diagonal(), fastiou.pixel_iou(boxes, boxes), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", ["loss", "pairwise"])
def test_cuda_graph(name):
    pred, target = pairs(500)
    calls = {
        "loss": lambda p, t: loss_and_grads(fastiou.piou_loss, p, t),
        "pairwise": lambda p, t: scores_and_grads(pairwise_iou, p, t[:50]),
    }
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        calls[name](pred, target)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = calls[name](pred, target)
    for seed in (5, 6):
        new = pairs(500, seed=seed)
        pred.copy_(new[0])
        target.copy_(new[1])
        graph.replay()
        torch.cuda.synchronize()
        assert all(torch.equal(a, b) for a, b in zip(results, calls[name](*new), strict=True))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_other_device_than_the_current_one():
    pred, target = (x.to("cuda:1") for x in pairs(500))
    with torch.cuda.device(0):
        loss = loss_and_grads(fastiou.piou_loss, pred, target, reduction="none")
        scores = scores_and_grads(pairwise_iou, pred, target[:50])
    assert_close(loss, loss_and_grads(fastiou.piou_loss, pred.cpu(), target.cpu(), reduction="none"))
    assert_close(scores, scores_and_grads(pairwise_iou, pred.cpu(), target[:50].cpu()))
