"""Losses of rotated boxes as a part of torch: layouts, reductions, compile, export, opcheck, transforms."""

import pytest
import torch
import torch._dynamo.testing
from axes import DEVICES, LAYOUTS
from losses_of_rotated import LOSSES
from rotated_boxes import random_pairs

import fastiou

pytestmark = pytest.mark.parametrize("device", DEVICES)
native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="the operators are not compiled")

SOME = ["iou-linear", "giou-hull", "ciou-min", "gwd", "kld-alpha", "probiou"]


def value_and_grads(loss, *tensors, **options):
    tensors = [x.detach().clone().requires_grad_() for x in tensors]
    value = loss(*tensors, **options)
    return value.detach(), *torch.autograd.grad(value.sum(), tensors)


def assert_same(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-5, atol=1e-6)


# alpha of CIoU is no path for the gradient, so that finite differences have another one: see test_rotated_reference.py.
@pytest.mark.parametrize("name", [name for name in LOSSES if not name.startswith("ciou")])
def test_gradcheck(device, name):
    pred, target = (x.requires_grad_() for x in random_pairs(12, seed=3, device=device))
    assert torch.autograd.gradcheck(LOSSES[name][0], (pred, target), atol=1e-6)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(device, name, layout):
    loss = LOSSES[name][0]
    pred, target = (x.float().reshape(4, 6, 10, 5) for x in random_pairs(240, device=device))
    expected = value_and_grads(loss, pred, target)
    strided = [LAYOUTS[layout](x).detach().requires_grad_() for x in (pred, target)]
    value = loss(*strided)
    value.sum().backward()
    for a, e in zip((value.detach(), *(x.grad for x in strided)), expected, strict=True):
        assert torch.equal(a, e)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 1, 5)], ids=str)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_shapes(device, shape, reduction):
    count = torch.Size(shape).numel()
    pred, target = (x.float().reshape(*shape, 5) for x in random_pairs(count, device=device))
    for name in SOME:
        value, *grads = value_and_grads(LOSSES[name][0], pred, target, reduction=reduction)
        rows = LOSSES[name][0](pred, target)
        expected = {"none": rows, "sum": rows.sum(), "mean": rows.sum() / max(count, 1)}[reduction]
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
        assert all(g.shape == pred.shape for g in grads)


def test_broadcast(device):
    pred, target = random_pairs(7, dtype=torch.float32, device=device)
    actual = value_and_grads(fastiou.rotated_iou_loss, pred[:, None], target[None, :3], kind="giou")
    expected = value_and_grads(
        lambda p, t: fastiou.rotated_iou_loss(p[:, None].expand(7, 3, 5), t[None, :3].expand(7, 3, 5), "giou"),
        pred,
        target,
    )
    torch.testing.assert_close(actual[0], expected[0])
    torch.testing.assert_close(actual[1][:, 0], expected[1])
    torch.testing.assert_close(actual[2][0], expected[2][:3])


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("by_tensor", [False, True])
def test_weights_and_avg_factor(device, name, by_tensor):
    loss, oracle = LOSSES[name]
    pred, target = random_pairs(5000, device=device)
    weight = torch.rand(5000, device=device, dtype=torch.float64)
    weight[::3] = 0
    factor = torch.tensor(123.0, device=device) if by_tensor else 123.0
    options = dict(weight=weight, reduction="mean", avg_factor=factor)
    actual = value_and_grads(loss, pred, target, **options)
    expected = value_and_grads(
        lambda p, t: oracle(p, t, weight=weight).sum() / (123 + 1.1920928955078125e-07), pred, target
    )
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-7, atol=1e-10)
    assert (actual[1][::3] == 0).all()
    mask = weight > 0.5
    torch.testing.assert_close(loss(pred, target, weight=mask, reduction="sum"), loss(pred[mask], target[mask]).sum())
    weight.requires_grad_()
    (grad,) = torch.autograd.grad(loss(pred, target, weight=weight, reduction="sum"), weight)
    torch.testing.assert_close(grad, loss(pred, target))


@pytest.mark.parametrize("name", ["ciou-hull", "kld"])
def test_gradient_of_one_side(device, name):
    pred, target = random_pairs(50, dtype=torch.float32, device=device)
    _, for_pred, for_target = value_and_grads(LOSSES[name][0], pred, target)
    (p,) = value_and_grads(lambda x: LOSSES[name][0](x, target), pred)[1:]
    (t,) = value_and_grads(lambda x: LOSSES[name][0](pred, x), target)[1:]
    assert torch.equal(p, for_pred) and torch.equal(t, for_target)


@pytest.mark.parametrize("fmt", [f for f in fastiou.rotated_conventions() if f != "cxcywhr"])
def test_conventions(device, fmt):
    """Whatever boxes are written in, the loss is the same, and gradients come back through it."""
    pred, target = random_pairs(64, device=device)
    upright = fmt in ("xyxy", "xywh", "cxcywh")
    if upright:
        pred[:, 4] = 0
        written = {"cxcywh": pred[:, :4], "xywh": torch.cat([pred[:, :2] - pred[:, 2:4] / 2, pred[:, 2:4]], -1)}
        written["xyxy"] = torch.cat([written["xywh"][:, :2], written["xywh"][:, :2] + pred[:, 2:4]], -1)
        written = written[fmt]
    else:
        written = fastiou.convert_rotated(pred, "cxcywhr", fmt)
    expected = fastiou.rotated_iou_loss(pred, target, "giou")
    value, grad, _ = value_and_grads(fastiou.rotated_iou_loss, written, target, kind="giou", fmt=(fmt, "cxcywhr"))
    torch.testing.assert_close(value, expected, rtol=1e-9, atol=1e-9)
    assert grad.shape == written.shape and grad.isfinite().all() and (grad != 0).any()
    if not upright:
        both = fastiou.convert_rotated(target, "cxcywhr", fmt)
        torch.testing.assert_close(
            fastiou.rotated_iou_loss(written, both, "giou", fmt=fmt), expected, rtol=1e-9, atol=1e-9
        )


# ------------------------------------------------------------------------------------------------------ transforms
@pytest.mark.parametrize("name", SOME)
def test_compile_with_dynamic_shapes(device, name):
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")
    scale = torch.tensor([2, 2, 2, 2, 1], device=device)

    def loss(pred, target):
        return LOSSES[name][0](pred * scale, target * scale, reduction="mean")

    compiled = torch.compile(loss, backend=counter, fullgraph=True, dynamic=True)
    compilations = None
    for n in (33, 50, 1000):
        pair = random_pairs(n, dtype=torch.float32, device=device)
        assert_same(value_and_grads(compiled, *pair), value_and_grads(loss, *pair))
        compilations = compilations or counter.frame_count
    assert counter.frame_count == compilations


def test_compile_of_what_wants_no_gradient(device):
    torch._dynamo.reset()
    pred, target = (x.detach() for x in random_pairs(20, dtype=torch.float32, device=device))
    compiled = torch.compile(fastiou.rotated_iou_loss, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(pred, target, "diou"), fastiou.rotated_iou_loss(pred, target, "diou"))


def test_compile_by_inductor(device):
    torch._dynamo.reset()
    weight = torch.rand(60, device=device)

    def loss(pred, target):
        exact = fastiou.rotated_iou_loss(pred.sigmoid() * 50, target, "giou", weight=weight, reduction="mean")
        return exact + fastiou.gaussian_loss(pred.sigmoid() * 50, target, "probiou", reduction="mean")

    pred, target = torch.randn(60, 5, device=device), random_pairs(60, dtype=torch.float32, device=device)[1]
    compiled = torch.compile(loss, fullgraph=True)
    assert_same(value_and_grads(compiled, pred, target), value_and_grads(loss, pred, target))


def test_export(device):
    class Model(torch.nn.Module):
        def forward(self, pred, target):
            return fastiou.rotated_iou_loss(pred, target, "ciou") + fastiou.gaussian_loss(pred, target, "kld")

    n = torch.export.Dim("n")
    pair = random_pairs(10, dtype=torch.float32, device=device)
    program = torch.export.export(Model(), pair, dynamic_shapes=({0: n}, {0: n}))
    other = random_pairs(77, seed=1, dtype=torch.float32, device=device)
    torch.testing.assert_close(program.module()(*other), Model()(*other))


@native
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("reduction", [0, 1])
def test_opcheck(device, dtype, reduction):
    pred, target = random_pairs(6, dtype=dtype, device=device)
    weight = torch.rand(6, device=device)
    for gradient in ((False, False), (True, False), (True, True)):
        for w in (None, weight):
            args = (pred, target, w, None, 8, 4, 1, 1.0, 0.0, 1e-6, reduction, None, *gradient)
            torch.library.opcheck(torch.ops.fastiou.rotated_loss.default, args)
    factor = torch.tensor(3.0, device=device)
    args = (pred, target, weight, factor, 29, 5, 6, 1.0, 1.0, 1e-6, 1, None, True, True)
    torch.library.opcheck(torch.ops.fastiou.rotated_loss.default, args)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_vmap_and_func_grad(device, name, reduction):
    loss = LOSSES[name][0]
    pred, target = (x.reshape(4, 9, 5) for x in random_pairs(36, dtype=torch.float32, device=device))
    weight = torch.rand(4, 9, device=device)

    def total(p, t, w):
        return loss(p, t, weight=w, reduction=reduction).sum()

    per_sample = torch.vmap(torch.func.grad(total, argnums=(0, 1, 2)))(pred, target, weight)
    values = torch.vmap(total)(pred, target, weight)
    for i in range(4):
        value, *grads = value_and_grads(total, pred[i], target[i], weight[i])
        assert_same((values[i], *(g[i] for g in per_sample)), (value, *grads))


@native
@pytest.mark.parametrize("loss", [fastiou.rotated_iou_loss, fastiou.gaussian_loss])
def test_second_derivative_is_refused(device, loss):
    pred, target = random_pairs(4, device=device)
    pred.requires_grad_()
    (grad,) = torch.autograd.grad(loss(pred, target).sum(), pred, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        (pred.sum() + grad.square().sum()).backward()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(device, dtype):
    pred, target = random_pairs(50, dtype=dtype, device=device)
    with torch.autocast(device, dtype=dtype):
        loss = fastiou.rotated_iou_loss(pred, target, "giou")
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, fastiou.rotated_iou_loss(pred.float(), target.float(), "giou"))


def test_same_bits_for_any_number_of_threads(device):
    pred, target = random_pairs(20000, dtype=torch.float32, device=device)
    threads, answers = torch.get_num_threads(), []
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            answers.append(value_and_grads(fastiou.rotated_iou_loss, pred, target, kind="giou", reduction="mean"))
    finally:
        torch.set_num_threads(threads)
    for a, b in zip(*answers, strict=True):
        assert torch.equal(a, b)


def test_modules(device):
    pred, target = random_pairs(20, dtype=torch.float32, device=device)
    weight = torch.rand(20, device=device)
    exact = fastiou.RotatedIoULoss("giou", enclosing="min", loss_weight=2.0, degrees=True)
    expected = fastiou.rotated_iou_loss(pred, target, "giou", enclosing="min", degrees=True, weight=weight)
    torch.testing.assert_close(exact(pred, target, weight), 2 * expected.mean())
    torch.testing.assert_close(exact(pred, target, weight, reduction_override="none"), 2 * expected)
    gaussian = fastiou.GaussianLoss("kld", fun="sqrt", tau=2.0)
    expected = fastiou.gaussian_loss(pred, target, "kld", fun="sqrt", tau=2.0, weight=weight)
    torch.testing.assert_close(gaussian(pred, target, weight, avg_factor=7), expected.sum() / 7)
    with pytest.raises(ValueError, match="mode: expected 'linear'"):
        fastiou.RotatedIoULoss("giou", mode="log")
