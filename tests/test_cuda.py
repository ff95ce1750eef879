"""What only a GPU can show: launches, graphs, streams, memory, synchronisation, many rows."""

import functools

import pytest
import torch
from axes import KINDS, loss_and_grads, random_boxes
from rotated_boxes import random_pairs

import fastiou
from fastiou.benchmarks import launches

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
    pytest.mark.skipif(fastiou.backend("cuda") == "fallback", reason="the CUDA kernels are not compiled"),
]


def kernels_of(function) -> list[str]:
    """Names of the kernels, copies and fills that a call launches."""
    if not launches.can_count():
        pytest.skip("the profiler sees no kernels here")
    function()  # warm-up: modules are loaded lazily
    return launches.names_of(function, ("kernel", "gpu_memcpy", "gpu_memset"))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("n", [100, 100_000])
def test_one_launch_each_way(reduction, n):
    pred, target = random_boxes(n, device="cuda")
    weight = torch.rand(n, device="cuda") > 0.5
    avg = weight.sum() if reduction == "mean" else None
    pred.requires_grad_()

    def forward():
        return fastiou.iou_loss(pred, target, weight=weight, reduction=reduction, avg_factor=avg)

    assert len(kernels_of(forward)) == 1
    loss = forward()
    ones = torch.ones_like(loss)
    backward = kernels_of(lambda: torch.autograd.grad(loss, pred, ones, retain_graph=True))
    assert len(backward) == 1, backward


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_no_synchronisation(kind, reduction):
    pred, target = random_boxes(5000, device="cuda")
    weight, avg = torch.rand(5000, device="cuda"), torch.tensor(9, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss_and_grads(fastiou.iou_loss, pred, target, kind, weight=weight, reduction=reduction, avg_factor=avg)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_avg_factor_of_the_host_costs_nothing():
    """One kernel, no copy, no synchronisation, and a graph may be captured: its number goes along with the launch."""
    pred, target = random_boxes(5000, device="cuda")
    avg = torch.tensor(9)

    def forward():
        return fastiou.iou_loss(pred, target, reduction="mean", avg_factor=avg)

    assert len(kernels_of(forward)) == 1
    torch.cuda.set_sync_debug_mode("error")
    try:
        expected = forward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = forward()
    graph.replay()
    assert torch.equal(loss, expected)
    on_device = fastiou.iou_loss(pred, target, reduction="mean", avg_factor=avg.cuda())
    torch.testing.assert_close(expected, on_device, rtol=3e-7, atol=0)


@pytest.mark.parametrize("n", [50, 50_000])
def test_cuda_graph(n):
    """Captured once, replayed on new boxes, several graphs at a time."""
    stream = torch.cuda.Stream()
    graphs = []
    for seed in range(3):
        pred, target = random_boxes(n, seed=seed, device="cuda")
        pred.requires_grad_()
        with torch.cuda.stream(stream):
            torch.autograd.grad(fastiou.iou_loss(pred, target, reduction="mean"), pred)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = fastiou.iou_loss(pred, target, reduction="mean")
            (grad,) = torch.autograd.grad(loss, pred)
        graphs.append((graph, pred, target, loss, grad))
    for seed, (_, pred, target, _, _) in enumerate(graphs):
        new_pred, new_target = random_boxes(n, seed=10 + seed, device="cuda")
        pred.data.copy_(new_pred)
        target.copy_(new_target)
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in graphs]
    for _ in range(20):
        for (graph, *_), s in zip(graphs, streams, strict=True):
            with torch.cuda.stream(s):
                graph.replay()
    torch.cuda.synchronize()
    for _, pred, target, loss, grad in graphs:
        expected, expected_grad, _ = loss_and_grads(fastiou.iou_loss, pred, target, reduction="mean")
        assert torch.equal(loss, expected) and torch.equal(grad, expected_grad)


def test_side_streams_at_once():
    """Reduced losses that overlap on many streams do not disturb each other."""
    cases = [random_boxes(200_000, seed=s, device="cuda") for s in range(8)]
    expected = [fastiou.iou_loss(p, t, reduction="mean") for p, t in cases]
    torch.cuda.synchronize()
    streams = [torch.cuda.Stream() for _ in cases]
    for _ in range(20):
        actual = []
        for (p, t), stream in zip(cases, streams, strict=True):
            with torch.cuda.stream(stream):
                actual.append(fastiou.iou_loss(p, t, reduction="mean"))
        torch.cuda.synchronize()
        assert all(torch.equal(a, b) for a, b in zip(actual, expected, strict=True))


def test_launches_on_the_current_stream():
    pred, target = random_boxes(1_000_000, device="cuda")
    stream = torch.cuda.Stream()
    late = torch.zeros_like(pred)
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        torch.cuda._sleep(50_000_000)
        late.copy_(pred)
        loss = fastiou.iou_loss(late, target, reduction="mean")
    stream.synchronize()
    assert torch.equal(loss, fastiou.iou_loss(pred, target, reduction="mean"))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_other_device_than_the_current_one():
    pred, target = random_boxes(5000, device="cuda:1")
    with torch.cuda.device(0):
        actual = loss_and_grads(fastiou.iou_loss, pred, target, reduction="mean")
    expected = loss_and_grads(fastiou.iou_loss, pred.cpu(), target.cpu(), reduction="mean")
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-5, atol=1e-8)


def test_no_memory_beyond_the_results():
    n = 1_000_000
    pred, target = random_boxes(n, device="cuda")
    pred.requires_grad_()
    fastiou.iou_loss(pred, target, reduction="mean")
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    loss = fastiou.iou_loss(pred, target, reduction="mean")
    partials = 16 * n
    assert torch.cuda.max_memory_allocated() - before <= partials + 200_000
    loss.backward()
    assert torch.cuda.max_memory_allocated() - before <= 2 * partials + 200_000


@pytest.mark.large
def test_more_than_2_to_the_31_elements():
    """Offsets beyond 32 bits: 600 million rows have 2.4e9 coordinates and partials."""
    rows = 600_000_000
    free, _ = torch.cuda.mem_get_info()
    if free < rows * 16 * 4:
        pytest.skip("needs 40 GB of free GPU memory")
    pred, target = random_boxes(1000, device="cuda")
    many = pred.repeat(rows // 1000, 1).requires_grad_()
    loss = fastiou.iou_loss(many, target.repeat(rows // 1000, 1))
    (grad,) = torch.autograd.grad(loss, many, torch.ones_like(loss))
    expected, expected_grad, _ = loss_and_grads(fastiou.iou_loss, pred, target)
    for start in (0, rows // 2, rows - 1000):
        assert torch.equal(loss[start : start + 1000], expected)
        assert torch.equal(grad[start : start + 1000], expected_grad)


#: Losses of rotated boxes, by every way through the kernel.
ROTATED = {
    **{kind: functools.partial(fastiou.rotated_iou_loss, kind=kind) for kind in ("iou", "giou", "ciou")},
    "giou_min": functools.partial(fastiou.rotated_iou_loss, kind="giou", enclosing="min"),
    **{kind: functools.partial(fastiou.gaussian_loss, kind=kind) for kind in fastiou.gaussian_kinds()},
}


@pytest.mark.parametrize("name", ROTATED)
def test_rotated_losses(name):
    """The CPU's numbers, in one launch each way, without synchronisation, and the same bits again."""
    pred, target = random_pairs(10_000, dtype=torch.float32, device="cuda")
    gpu = loss_and_grads(ROTATED[name], pred, target)
    cpu = loss_and_grads(ROTATED[name], pred.cpu(), target.cpu())
    for a, b in zip(gpu, cpu, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=2e-4, atol=2e-5)
    assert all(torch.equal(a, b) for a, b in zip(gpu, loss_and_grads(ROTATED[name], pred, target), strict=True))
    pred.requires_grad_()
    assert len(kernels_of(lambda: ROTATED[name](pred, target, reduction="mean"))) == 1
    torch.cuda.set_sync_debug_mode("error")
    try:
        ROTATED[name](pred, target, reduction="mean").backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_identical_rotated_boxes_have_iou_1():
    """Fused multiplications must not make it anything else."""
    boxes, _ = random_pairs(100_000, dtype=torch.float32, device="cuda")
    assert fastiou.rotated_iou_loss(boxes, boxes.clone()).abs().max() < 1e-6
    turned = torch.stack([*boxes[:, :2].T, boxes[:, 3], boxes[:, 2], boxes[:, 4] + torch.pi / 2], -1)
    assert fastiou.rotated_iou_loss(turned, boxes).abs().max() < 1e-5


def test_same_numbers_as_the_cpu():
    pred, target = random_boxes(10_000, device="cuda")
    for kind in KINDS:
        gpu = loss_and_grads(fastiou.iou_loss, pred, target, kind)
        cpu = loss_and_grads(fastiou.iou_loss, pred.cpu(), target.cpu(), kind)
        for a, b in zip(gpu, cpu, strict=True):
            torch.testing.assert_close(a.cpu(), b, rtol=2e-5, atol=1e-6)
