"""fastiou as a part of torch: compile, export, opcheck, func transforms, autocast, determinism, graphs and streams."""

import pytest
import torch
import torch._dynamo.testing
from axes import DEVICES, KINDS, assert_grad_close, loss_and_grads, random_boxes

import fastiou

pytestmark = pytest.mark.parametrize("device", DEVICES)
native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="the operators are not compiled")


def assert_same(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-7)


# ------------------------------------------------------------------------------------------------ compile and export
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_compile_with_dynamic_shapes(device, kind, reduction):
    """One graph without breaks, forward and backward, for any number of boxes."""
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")

    def loss(pred, target):
        return fastiou.iou_loss(pred * 2, target * 2, kind, reduction=reduction)

    compiled = torch.compile(loss, backend=counter, fullgraph=True, dynamic=True)
    compilations = None
    for n in (33, 50, 1000):
        pred, target = random_boxes(n, device=device)
        assert_same(loss_and_grads(compiled, pred, target), loss_and_grads(loss, pred, target))
        compilations = compilations or counter.frame_count
    assert counter.frame_count == compilations


def test_compile_by_inductor(device):
    """The default backend, with everything that an argument can be."""
    torch._dynamo.reset()
    points = torch.rand(6, 8, 2, device=device) * 50
    weight = torch.rand(2, 6, 8, device=device)
    avg = torch.tensor(7.0, device=device)

    def loss(head, target):
        distances = head.exp().permute(0, 2, 3, 1)
        return fastiou.iou_loss(
            distances, target, fmt=("ltrb", "xyxy"), points=points, weight=weight, reduction="mean", avg_factor=avg
        )

    head = torch.randn(2, 4, 6, 8, device=device)
    _, target = random_boxes(2, 6, 8, device=device)
    compiled = torch.compile(loss, fullgraph=True)
    assert_same(loss_and_grads(compiled, head, target), loss_and_grads(loss, head, target))


def test_export(device):
    class Model(torch.nn.Module):
        def forward(self, pred, target):
            return fastiou.iou_loss(pred, target, "giou", reduction="mean")

    pred, target = random_boxes(10, device=device)
    n = torch.export.Dim("n")
    program = torch.export.export(Model(), (pred, target), dynamic_shapes=({0: n}, {0: n}))
    pred, target = random_boxes(77, device=device)
    torch.testing.assert_close(program.module()(pred, target), fastiou.iou_loss(pred, target, "giou", reduction="mean"))


@native
@pytest.mark.parametrize("reduction", [0, 1, 2])
@pytest.mark.parametrize("layout", ["contiguous", "permuted", "expanded"])
def test_opcheck(device, reduction, layout):
    """Schema, fake kernel and tracing of the operators, as torch checks them; strides included."""
    pred, target = random_boxes(2, 5, device=device)
    if layout == "permuted":
        pred = pred.movedim(-1, 1).contiguous().movedim(1, -1)
    elif layout == "expanded":
        pred = pred[:1].expand(2, 5, 4)
    weight = torch.rand(2, 5, device=device)
    points = torch.rand(5, 2, device=device).expand(2, 5, 2)
    avg = torch.tensor(3.0, device=device)
    operator = torch.ops.fastiou.pair_loss.default
    for dtype in (torch.float32, torch.float16, torch.float64):
        boxes = pred.to(dtype), target
        torch.library.opcheck(operator, (*boxes, None, None, None, 5, 0, 0, reduction, None, 1e-7, 1e-7, True, True))
        torch.library.opcheck(
            operator, (*boxes, points, weight, avg, 3, 3, 0, reduction, None, 1e-7, 1e-7, True, False)
        )
        torch.library.opcheck(operator, (*boxes, None, weight, None, 3, 1, 2, reduction, 2.0, 1e-7, 1e-7, False, False))
    rows = torch.ops.fastiou.scale_rows.default
    for grad in (torch.rand(2, 5, device=device), torch.rand((), device=device)):
        torch.library.opcheck(rows, (pred, grad, torch.float16))


# ---------------------------------------------------------------------------------------------------- func transforms
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_func_grad_and_vmap(device, kind, reduction):
    """torch.func.grad, vmap, and vmap of grad, over either argument or both."""
    pred, target = random_boxes(6, 20, device=device)
    weight = torch.rand(20, device=device)
    avg = torch.rand(6, device=device) + 1 if reduction == "mean" else None

    def loss(p, t, a):
        return fastiou.iou_loss(p, t, kind, weight=weight, reduction=reduction, avg_factor=a)

    avg_dim = None if avg is None else 0

    def row(i, p=pred, t=target):
        return loss(p[i], t[i], None if avg is None else avg[i])

    expected = torch.stack([row(i) for i in range(6)])
    torch.testing.assert_close(torch.vmap(loss, in_dims=(0, 0, avg_dim))(pred, target, avg), expected)
    shared = torch.stack([row(i, t=target[:1].expand_as(target)) for i in range(6)])
    torch.testing.assert_close(torch.vmap(loss, in_dims=(0, None, avg_dim))(pred, target[0], avg), shared)
    last = torch.vmap(loss, in_dims=(2, 0, avg_dim))(pred.permute(1, 2, 0), target, avg)
    torch.testing.assert_close(last, expected)

    gradient = torch.func.grad(lambda p, t, a: loss(p, t, a).sum(), argnums=(0, 1))
    per_sample = torch.vmap(gradient, in_dims=(0, 0, avg_dim))(pred, target, avg)
    for i in range(6):
        _, *grads = loss_and_grads(loss, pred[i], target[i], None if avg is None else avg[i])
        for a, b in zip(per_sample, grads, strict=True):
            assert_grad_close(a[i], b.double(), 1e-5)
        for a, b in zip(gradient(pred[i], target[i], None if avg is None else avg[i]), grads, strict=True):
            assert_grad_close(a, b.double(), 1e-5)


@native
def test_second_derivative_is_refused(device):
    pred, target = random_boxes(5, dtype=torch.float64, device=device)
    pred.requires_grad_()
    for reduction in ("none", "mean"):
        loss = fastiou.iou_loss(pred, target, reduction=reduction).sum()
        (grad,) = torch.autograd.grad(loss, pred, create_graph=True)
        with pytest.raises(NotImplementedError, match="no second derivative"):
            (pred.sum() + grad.square().sum()).backward()  # not left out of a sum in silence either
        (grad,) = torch.autograd.grad(
            fastiou.iou_loss(pred, target, reduction=reduction).sum(), pred, create_graph=True
        )
        with pytest.raises(NotImplementedError, match="no second derivative"):
            torch.autograd.grad(grad.square().sum(), pred)

    def loss_of(p):
        return fastiou.iou_loss(p, target).sum()

    with pytest.raises(NotImplementedError, match="no second derivative"):
        torch.autograd.functional.hessian(loss_of, pred.detach())
    once = torch.func.grad(loss_of)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        torch.func.grad(lambda p: once(p).square().sum())(pred.detach())
    with torch.autograd.forward_ad.dual_level(), pytest.raises(NotImplementedError, match="jvp"):
        loss_of(torch.autograd.forward_ad.make_dual(pred.detach(), torch.ones_like(pred)))
    with pytest.raises((NotImplementedError, RuntimeError), match="jvp"):
        torch.func.jvp(loss_of, (pred.detach(),), (torch.ones_like(pred),))


@native
def test_compiled_second_derivative_is_refused(device):
    pred, target = random_boxes(5, device=device)
    compiled = torch.compile(lambda p: fastiou.iou_loss(p, target).sum(), backend="aot_eager")
    pred.requires_grad_()
    loss = compiled(pred)
    with pytest.raises(RuntimeError, match="double backward"):
        (grad,) = torch.autograd.grad(loss, pred, create_graph=True)
        (loss + grad.square().sum()).backward()


def test_weight_gradient_inside_vmap(device):
    pred, target = random_boxes(3, 7, device=device)
    weight = torch.rand(3, 7, device=device)

    def total(w):
        return torch.vmap(lambda p, t, w: fastiou.iou_loss(p, t, weight=w, reduction="sum"))(pred, target, w).sum()

    torch.testing.assert_close(torch.func.grad(total)(weight), fastiou.iou_loss(pred, target))


def test_reference_has_second_derivatives(device):
    pred, target = random_boxes(3, seed=5, dtype=torch.float64, device=device)
    target = target + 0.01
    assert torch.autograd.gradgradcheck(
        lambda p: fastiou.reference.row_loss(p, target, "giou", 1e-7), (pred.requires_grad_(),)
    )


# ------------------------------------------------------------------------------------------- precision and the engine
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(device, dtype):
    """Nothing is cast: half boxes are read as they are, computed in float32, and the loss is float32."""
    pred, target = random_boxes(64, device=device)
    half = pred.to(dtype).requires_grad_()
    with torch.autocast(device, dtype=dtype):
        loss = fastiou.iou_loss(half, target, reduction="mean")
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, fastiou.iou_loss(half.float(), target, reduction="mean"))
    loss.backward()
    assert half.grad.dtype == dtype


@native
@pytest.mark.parametrize("key", ["Autocast", "AutocastCPU"])
def test_autocast_rule_is_registered(device, key):
    key = "AutocastCUDA" if key == "Autocast" else key
    for name in ("pair_loss", "scale_rows"):
        assert torch._C._dispatch_has_kernel_for_dispatch_key(f"fastiou::{name}", key)


def test_grad_scaler_sees_overflow(device):
    """Saturation is for degenerate boxes; a loss scale that is too large still overflows."""
    pred, target = random_boxes(8, dtype=torch.float16, device=device)
    _, grad, _ = loss_and_grads(fastiou.iou_loss, pred, target, grad=torch.full((8,), 1e8, device=device))
    assert grad.isinf().any()


def test_retained_graph_and_accumulation(device):
    pred, target = random_boxes(9, device=device)
    pred.requires_grad_()
    loss = fastiou.iou_loss(pred, target).sum()
    loss.backward(retain_graph=True)
    once = pred.grad.clone()
    loss.backward()
    torch.testing.assert_close(pred.grad, 2 * once)


def test_gradient_does_not_alias(device):
    """Writing into a gradient must not spoil a second backward pass."""
    pred, target = random_boxes(9, device=device)
    pred.requires_grad_()
    loss = fastiou.iou_loss(pred, target, reduction="sum")
    (first,) = torch.autograd.grad(loss, pred, retain_graph=True)
    kept = first.clone()
    first.zero_()
    (second,) = torch.autograd.grad(loss, pred)
    torch.testing.assert_close(second, kept)


def test_saved_tensor_hooks(device):
    """What is saved for backward goes through the engine: checkpointing and offloading see it."""
    pred, target = random_boxes(9, device=device)
    pred.requires_grad_()
    packed = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: packed.append(x) or x, lambda x: x):
        loss = fastiou.iou_loss(pred, target).sum()
    loss.backward()
    assert packed


def test_deterministic_algorithms(device):
    pred, target = random_boxes(50_000, device=device)
    torch.use_deterministic_algorithms(True)
    try:
        runs = [loss_and_grads(fastiou.iou_loss, pred, target, reduction="mean") for _ in range(3)]
    finally:
        torch.use_deterministic_algorithms(False)
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], run, strict=True))


def test_inference_mode_and_subclasses(device):
    pred, target = random_boxes(9, device=device)
    expected = fastiou.iou_loss(pred, target)
    with torch.inference_mode():
        torch.testing.assert_close(fastiou.iou_loss(pred, target), expected)
    torch.testing.assert_close(fastiou.iou_loss(torch.nn.Parameter(pred), target).detach(), expected)
