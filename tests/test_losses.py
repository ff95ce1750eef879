"""Losses and gradients against the float64 oracle, along every axis, for every kind of the registry."""

import pytest
import torch
from axes import (
    DEVICES,
    DTYPES,
    FORMATS,
    KINDS,
    LAYOUTS,
    SHAPES,
    TOLERANCE,
    assert_grad_close,
    encode,
    loss_and_grads,
    oracle,
    random_boxes,
)

import fastiou

pytestmark = [pytest.mark.parametrize("kind", KINDS), pytest.mark.parametrize("device", DEVICES)]


def check(pred, target, kind, tolerance_dtype=None, **kwargs):
    """Compares with the oracle and returns what fastiou answered."""
    dtype = tolerance_dtype or pred.dtype
    loss_tolerance, grad_tolerance = TOLERANCE[dtype]
    actual = loss_and_grads(fastiou.iou_loss, pred, target, kind, **kwargs)
    fmt = kwargs.pop("fmt", "xyxy")
    points = kwargs.pop("points", None)
    points = None if points is None else points.double()
    expected = oracle(pred, target, kind, formats=(fmt, fmt) if isinstance(fmt, str) else fmt, points=points, **kwargs)
    wide = torch.float64 in (pred.dtype, target.dtype)
    assert actual[0].dtype == (torch.float64 if wide else torch.float32)
    assert actual[1].dtype == pred.dtype and actual[2].dtype == target.dtype
    assert actual[0].shape == expected[0].shape
    torch.testing.assert_close(actual[0].double(), expected[0], rtol=loss_tolerance, atol=loss_tolerance)
    assert_grad_close(actual[1], expected[1], grad_tolerance)
    assert_grad_close(actual[2], expected[2], grad_tolerance)
    return actual


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_shapes_and_dtypes(kind, device, dtype, shape):
    check(*random_boxes(*shape, dtype=dtype, device=device), kind)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (33,), (2, 7, 9), (3, 1, 4, 5)], ids=str)
def test_layouts(kind, device, layout, shape):
    """Any strides, read in place; the gradient keeps the memory order of a dense input."""
    pred, target = random_boxes(*shape, device=device)
    pred, target = LAYOUTS[layout](pred), LAYOUTS[layout](target)
    _, grad, _ = check(pred, target, kind)
    if layout == "permuted" and fastiou.backend(device) == "native":
        assert grad.stride() == pred.stride()
    check(pred, target.contiguous(), kind)


@pytest.mark.parametrize("fmt", [*FORMATS, ("ltrb", "xyxy"), ("cxcywh", "xywh")], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(3000,), (2, 6, 7)], ids=str)
def test_formats(kind, device, fmt, dtype, shape):
    pred, target = random_boxes(*shape, dtype=dtype, device=device)
    pred_fmt, target_fmt = (fmt, fmt) if isinstance(fmt, str) else fmt
    points = (target[..., :2] + target[..., 2:]) / 2 if "ltrb" in (pred_fmt, target_fmt) else None
    check(encode(pred, pred_fmt, points), encode(target, target_fmt, points), kind, fmt=fmt, points=points)


def test_head_with_anchor_points(kind, device):
    """A (B, 4, H, W) head in ltrb distances against ltrb targets, points (H, W, 2) shared by the batch."""
    pred, target = random_boxes(2, 6, 8, device=device)
    points = torch.stack(torch.meshgrid(torch.arange(8.0), torch.arange(6.0), indexing="xy"), -1).to(device) * 8 + 4
    head = encode(pred, "ltrb", points).permute(0, 3, 1, 2).contiguous()
    check(head.permute(0, 2, 3, 1), encode(target, "ltrb", points), kind, fmt="ltrb", points=points)


@pytest.mark.parametrize("dtypes", [("float16", "float32"), ("float32", "float64"), ("bfloat16", "float16")], ids=str)
def test_mixed_dtypes(kind, device, dtypes):
    a, b = (getattr(torch, d) for d in dtypes)
    pred, target = random_boxes(100, device=device)
    loosest = max(a, b, key=lambda d: TOLERANCE[d][1])
    check(pred.to(a), target.to(b), kind, tolerance_dtype=loosest)


@pytest.mark.parametrize("shapes", [((5, 1), (1, 7)), ((4,), ()), ((2, 3, 1), (3, 5))], ids=str)
def test_broadcasting(kind, device, shapes):
    pred, _ = random_boxes(*shapes[0], device=device)
    _, target = random_boxes(*shapes[1], seed=1, device=device)
    leading = torch.broadcast_shapes(*shapes)
    expected = oracle(pred.expand(*leading, 4), target.expand(*leading, 4), kind)
    loss, grad_pred, grad_target = loss_and_grads(fastiou.iou_loss, pred, target, kind)
    torch.testing.assert_close(loss.double(), expected[0], rtol=1e-6, atol=1e-6)
    assert_grad_close(grad_pred, expected[1].sum_to_size(pred.shape), 1e-4)
    assert_grad_close(grad_target, expected[2].sum_to_size(target.shape), 1e-4)


@pytest.mark.parametrize("eps", [0.0, 1e-3])
def test_eps(kind, device, eps):
    check(*random_boxes(500, dtype=torch.float64, device=device), kind, eps=eps)


def test_incoming_gradient(kind, device):
    """Each row is multiplied by its own incoming gradient, whatever its strides."""
    pred, target = random_boxes(50, device=device)
    _, ones, _ = loss_and_grads(fastiou.iou_loss, pred, target, kind)
    grad = torch.randn(50, 2, device=device)[:, 1]
    _, scaled, _ = loss_and_grads(fastiou.iou_loss, pred, target, kind, grad=grad)
    torch.testing.assert_close(scaled, ones * grad[:, None])


def test_only_the_wanted_gradient(kind, device):
    """Target alone may want a gradient; nobody may."""
    pred, target = random_boxes(20, device=device)
    _, _, expected = loss_and_grads(fastiou.iou_loss, pred, target, kind)
    target.requires_grad_()
    (grad,) = torch.autograd.grad(fastiou.iou_loss(pred, target, kind).sum(), target)
    torch.testing.assert_close(grad, expected)
    assert not fastiou.iou_loss(pred, target.detach(), kind).requires_grad
    with torch.no_grad():
        assert not fastiou.iou_loss(pred, target, kind).requires_grad


def test_gradcheck(kind, device, monkeypatch):
    """Partial derivatives against finite differences of the loss.

    What a formula takes as a constant (alpha of CIoU) must stay constant while coordinates move, so finite differences
    are taken of the reference with those values frozen; fastiou's gradients equal the reference's. Kinds without
    constants are checked directly as well.
    """
    pred, target = random_boxes(12, seed=3, dtype=torch.float64, device=device)
    boxes = pred.requires_grad_(), (target + 0.01).requires_grad_()
    constants = []
    monkeypatch.setattr(
        fastiou.reference.kinds, "stop_gradient", lambda x: constants.append(x.detach()) or constants[0]
    )
    assert torch.autograd.gradcheck(lambda p, t: fastiou.reference.row_loss(p, t, kind, 1e-7), boxes)
    if not constants:
        assert torch.autograd.gradcheck(lambda p, t: fastiou.iou_loss(p, t, kind), boxes)
    monkeypatch.undo()
    expected = loss_and_grads(fastiou.reference.row_loss, *boxes, kind, 1e-7)
    torch.testing.assert_close(loss_and_grads(fastiou.iou_loss, *boxes, kind), expected, rtol=1e-11, atol=1e-12)
