"""weight, reduction and avg_factor: fused in the kernels, equal to the same written with torch operations."""

import pytest
import torch
from axes import DEVICES, KINDS, loss_and_grads, random_boxes
from torch.autograd import forward_ad

import fastiou
from fastiou._args.rows import check_row_call

pytestmark = pytest.mark.parametrize("device", DEVICES)
AVG_EPS = torch.finfo(torch.float32).eps


def reduce_plainly(pred, target, kind, weight, reduction, avg_factor):
    loss = fastiou.iou_loss(pred, target, kind)
    loss = loss if weight is None else loss * weight
    if reduction == "none":
        return loss
    if avg_factor is not None:
        return loss.sum() / (avg_factor + AVG_EPS)
    return loss.mean() if reduction == "mean" else loss.sum()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [1, 33, 4097, 300_000])
def test_equals_torch(device, kind, reduction, weighted, n):
    if n > 10_000 and kind != "ciou":
        pytest.skip("one kind is enough for the sum over many blocks")
    pred, target = random_boxes(n, dtype=torch.float64, device=device)
    weight = torch.rand(n, dtype=torch.float64, device=device) if weighted else None
    actual = loss_and_grads(fastiou.iou_loss, pred, target, kind, weight=weight, reduction=reduction)
    expected = loss_and_grads(reduce_plainly, pred, target, kind, weight, reduction, None)
    torch.testing.assert_close(actual, expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("avg_factor", [7, 0.5, 0, "tensor", "half tensor", "integer tensor"])
@pytest.mark.parametrize("weighted", [False, True])
def test_avg_factor(device, avg_factor, weighted):
    if isinstance(avg_factor, str):
        dtype = {"tensor": torch.float64, "half tensor": torch.float16, "integer tensor": torch.int64}[avg_factor]
        avg_factor = torch.tensor([13], dtype=dtype, device=device)
    pred, target = random_boxes(50, dtype=torch.float64, device=device)
    weight = torch.rand(50, 1, device=device).squeeze(-1) if weighted else None
    actual = loss_and_grads(
        fastiou.iou_loss, pred, target, "giou", weight=weight, reduction="mean", avg_factor=avg_factor
    )
    number = float(avg_factor)
    expected = loss_and_grads(reduce_plainly, pred, target, "giou", weight, "mean", number)
    torch.testing.assert_close(actual, expected, rtol=1e-11, atol=1e-14)
    unreduced = fastiou.iou_loss(pred, target, "giou", weight=weight, avg_factor=avg_factor)
    torch.testing.assert_close(unreduced, reduce_plainly(pred, target, "giou", weight, "none", None))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.bool], ids=str)
def test_avg_factor_of_the_host(device, dtype):
    """It is the number that it is on the device of the boxes."""
    avg = torch.tensor([3.3]).to(dtype)
    pred, target = random_boxes(50, device=device)
    results = [
        loss_and_grads(fastiou.iou_loss, pred, target, reduction="mean", avg_factor=x)
        for x in (avg, avg.to(device), float(avg))
    ]
    for result in results[1:]:
        torch.testing.assert_close(result, results[0], rtol=3e-7, atol=0)


def test_avg_factor_of_the_host_is_not_copied(device):
    """Boxes elsewhere, here where nothing is stored, get its number. What is more than a number stays a tensor."""
    boxes = torch.rand(5, 4, device="meta")

    def checked(avg):
        call = check_row_call(boxes, boxes, None, "mean", avg)
        assert (call.avg_factor is None) != (call.divisor is None)
        return call.avg_factor if call.divisor is None else call.divisor

    for avg in (torch.tensor(7.5), torch.tensor([[3]]), torch.tensor(True), torch.tensor(0.1, dtype=torch.float16)):
        assert type(checked(avg)) is float and checked(avg) == avg.item()
    wants_gradient = torch.tensor(7.5, requires_grad=True)
    assert checked(wants_gradient).device == boxes.device and checked(wants_gradient).requires_grad
    with torch.no_grad():
        assert checked(wants_gradient) == 7.5
    seen = []
    torch.vmap(lambda avg: seen.append(checked(avg)) or avg)(torch.rand(3))
    assert isinstance(seen[0], torch.Tensor) and seen[0].device == boxes.device


def test_weight_broadcasts_and_may_be_a_mask(device):
    pred, target = random_boxes(4, 6, device=device)
    mask = torch.tensor([True, False, True, True], device=device)[:, None]
    actual = fastiou.iou_loss(pred, target, weight=mask, reduction="sum")
    torch.testing.assert_close(actual, (fastiou.iou_loss(pred, target) * mask).sum())


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_nothing_reduces_to_zero(device, reduction):
    """As torchvision, and unlike torch.mean: 0, with a graph."""
    pred = torch.zeros(0, 4, device=device, requires_grad=True)
    loss = fastiou.iou_loss(pred, torch.zeros(0, 4, device=device), reduction=reduction)
    loss.backward()
    assert loss.item() == 0 and pred.grad.shape == (0, 4)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_weight_and_avg_factor_may_want_gradients(device, reduction):
    pred, target = random_boxes(30, dtype=torch.float64, device=device)
    weight = torch.rand(30, dtype=torch.float64, device=device, requires_grad=True)
    avg = torch.tensor(5.0, dtype=torch.float64, device=device, requires_grad=True)
    avg = avg if reduction == "mean" else None
    inputs = (pred.requires_grad_(), weight, *([avg] if avg is not None else []))
    actual = fastiou.iou_loss(pred, target, weight=weight, reduction=reduction, avg_factor=avg).sum()
    expected = reduce_plainly(pred, target, "ciou", weight, reduction, avg).sum()
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs), torch.autograd.grad(expected, inputs), rtol=1e-11, atol=1e-14
    )


def test_weight_may_have_a_tangent(device):
    """Forward mode, with respect to what is not a box."""
    pred, target = random_boxes(30, device=device)
    weight, tangent = torch.rand(2, 30, device=device)
    with forward_ad.dual_level(), torch.no_grad():
        loss = fastiou.iou_loss(pred, target, weight=forward_ad.make_dual(weight, tangent))
        torch.testing.assert_close(forward_ad.unpack_dual(loss).tangent, fastiou.iou_loss(pred, target) * tangent)


def test_sum_does_not_depend_on_threads(device):
    """Bit for bit, run after run; with kernels also for any number of threads, on which torch's own sum depends."""
    pred, target = random_boxes(100_003, device=device)
    threads = torch.get_num_threads()
    try:
        sums = []
        for n in (1, 2, threads, 1) if fastiou.backend(device) == "native" else (threads, threads):
            torch.set_num_threads(n)
            sums.append(loss_and_grads(fastiou.iou_loss, pred, target, reduction="sum"))
    finally:
        torch.set_num_threads(threads)
    for other in sums[1:]:
        assert all(torch.equal(a, b) for a, b in zip(sums[0], other, strict=True))


def test_modules(device):
    pred, target = random_boxes(40, device=device)
    weight = torch.rand(40, device=device)
    for kind in KINDS:
        module = fastiou.IoULoss(kind, loss_weight=2.5)
        expected = fastiou.iou_loss(pred, target, kind, weight=weight, reduction="mean", avg_factor=9) * 2.5
        torch.testing.assert_close(module(pred, target, weight, avg_factor=9), expected)
        assert f"kind='{kind}'" in repr(module)
    for cls, kind in ((fastiou.GIoULoss, "giou"), (fastiou.DIoULoss, "diou"), (fastiou.CIoULoss, "ciou")):
        torch.testing.assert_close(cls()(pred, target), fastiou.iou_loss(pred, target, kind, reduction="mean"))
        none = cls()(pred, target, reduction_override="none")
        torch.testing.assert_close(none, fastiou.iou_loss(pred, target, kind))
