"""Degenerate boxes are not errors: they have defined, finite answers."""

import pytest
import torch
from axes import DEVICES, DTYPES, EDGE_BOXES, KINDS, edge_pairs, encode, loss_and_grads, random_boxes

import fastiou

pytestmark = [pytest.mark.parametrize("kind", KINDS), pytest.mark.parametrize("device", DEVICES)]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("eps", [1e-7, 0.0])
def test_everything_finite(kind, device, dtype, eps):
    """Each edge box against each: loss and gradients are finite in every dtype."""
    pred, target = edge_pairs(dtype, device)
    for tensor in loss_and_grads(fastiou.iou_loss, pred, target, kind, eps=eps):
        bad = ~tensor.isfinite().reshape(len(pred), -1).all(-1)
        assert not bad.any(), torch.cat([pred, target], -1)[bad][:5]


@pytest.mark.parametrize("fmt", fastiou.formats())
def test_everything_finite_in_every_format(kind, device, fmt):
    pred, target = edge_pairs(torch.float32, device)
    largest = torch.finfo(torch.float32).max
    for point in (0.0, largest):
        points = torch.full((2,), point, device=device) if fmt == "ltrb" else None
        numbers = [encode(b, fmt, points).clamp(-largest, largest) for b in (pred, target)]
        for boxes in (numbers, (pred, target)):  # the edge boxes themselves, and their coordinates read as that format
            tensors = loss_and_grads(fastiou.iou_loss, *boxes, kind, fmt=fmt, points=points)
            assert all(t.isfinite().all() for t in tensors)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_reduced_finite(kind, device, reduction):
    pred, target = edge_pairs(torch.float32, device)
    weight = torch.full((len(pred),), 1e30, device=device)
    for w in (None, weight):
        tensors = loss_and_grads(fastiou.iou_loss, pred, target, kind, weight=w, reduction=reduction)
        assert all(t.isfinite().all() for t in tensors)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_identical_boxes(kind, device, dtype):
    """Loss and gradient are exactly 0 without eps, and of the size of eps / area with it."""
    g = torch.Generator().manual_seed(0)
    corner = torch.randn(20_000, 2, generator=g, dtype=torch.float64) * 100  # any digits, so that sums round
    boxes = torch.cat([corner, corner + torch.rand(20_000, 2, generator=g, dtype=torch.float64) * 60], -1)
    boxes = boxes.to(device, dtype)
    boxes = boxes[(boxes[:, 2:] > boxes[:, :2]).all(-1)]
    for scale in (1.0, 2.0**-13, 1.0 if dtype == torch.float16 else 2.0**90):
        for tensor in loss_and_grads(fastiou.iou_loss, boxes * scale, boxes * scale, kind, eps=0.0):
            assert (tensor == 0).all()
    loss, *grads = loss_and_grads(fastiou.iou_loss, boxes, boxes, kind)
    sides = (boxes[:, 2:].double() - boxes[:, :2].double()).clamp(max=1)
    assert (loss <= 1e-6 + 3e-7 / sides.prod(-1)).all()
    assert all((grad.double().abs() <= 1e-6 + (3e-7 / sides.prod(-1) ** 2)[:, None]).all() for grad in grads)


def test_nan_stays_in_its_row(kind, device):
    pred, target = random_boxes(300, device=device)
    clean = loss_and_grads(fastiou.iou_loss, pred, target, kind)
    for side in range(2):
        for column in range(4):
            for value in (float("nan"), float("inf"), -float("inf")):
                boxes = [pred.clone(), target.clone()]
                boxes[side][137, column] = value
                rest = torch.arange(300, device=device) != 137
                for tensor, expected in zip(loss_and_grads(fastiou.iou_loss, *boxes, kind), clean, strict=True):
                    assert tensor[137].isnan().all(), (side, column, value)
                    assert torch.equal(tensor[rest], expected[rest])
                # The kernels without gradients, and with one, are others.
                assert fastiou.iou_loss(*boxes, kind).isnan().tolist() == [i == 137 for i in range(300)]
                loss = fastiou.iou_loss(boxes[0].requires_grad_(), boxes[1], kind)
                (grad,) = torch.autograd.grad(loss.sum(), boxes[0])
                assert loss[137].isnan() and grad[137].isnan().all() and torch.equal(grad[rest], clean[1][rest])


def test_nan_weight_is_not_hidden(kind, device):
    pred, target = random_boxes(4, device=device)
    weight = torch.tensor([1.0, float("nan"), 0.0, float("inf")], device=device)
    loss, grad, _ = loss_and_grads(fastiou.iou_loss, pred, target, kind, weight=weight)
    assert loss.isnan().tolist() == [False, True, False, True]
    assert grad.isnan().any(-1).tolist() == [False, True, False, True]
    assert loss[2] == 0 and (grad[2] == 0).all()


@pytest.mark.parametrize("exponent", [-30, -60, -80, -100, -118])
def test_tiny_boxes_beside_eps(kind, device, exponent):
    """Areas that are nothing beside eps have the gradients of float64, however tiny."""
    pred, target = (b.to(device) * 2.0**exponent for b in random_boxes(200))
    loss, *grads = loss_and_grads(fastiou.iou_loss, pred, target, kind)
    exact, *exact_grads = loss_and_grads(fastiou.iou_loss, pred.double(), target.double(), kind)
    torch.testing.assert_close(loss.double(), exact, rtol=1e-6, atol=1e-6)
    for grad, expected in zip(grads, exact_grads, strict=True):
        error, largest = (grad.double() - expected).abs().amax(-1), expected.abs().amax(-1)
        assert (error <= 1e-5 * largest + 1e-7 * largest.max() + 1e-12).all()  # terms as large as any may cancel


@pytest.mark.parametrize("exponent", [-100, -30, 30, 100])
def test_scale_free(kind, device, exponent):
    """Without eps, boxes times a power of two have the very same loss; gradients are divided by it."""
    pred, target = random_boxes(500, device=device)
    scale = 2.0**exponent
    loss, grad, _ = loss_and_grads(fastiou.iou_loss, pred, target, kind, eps=0.0)
    loss2, grad2, _ = loss_and_grads(fastiou.iou_loss, pred * scale, target * scale, kind, eps=0.0)
    if fastiou.backend(device) == "native":
        assert torch.equal(loss, loss2)
    torch.testing.assert_close(loss, loss2, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(grad.double(), grad2.double() * scale, rtol=1e-5, atol=1e-8)


def test_documented_meaning(kind, device):
    """Empty boxes have IoU 0, also with themselves; inverted ones an empty intersection."""
    unit = torch.tensor(EDGE_BOXES["pixels"], dtype=torch.float64, device=device)
    disjoint = fastiou.iou_loss(unit, unit + 1e6, kind)
    for name in ("point", "flat", "thin", "inverted", "inverted_x"):
        box = torch.tensor(EDGE_BOXES[name], dtype=torch.float64, device=device)
        if kind in ("iou", "iou_log", "iou_square"):
            assert fastiou.iou_loss(box, box, kind) == disjoint
            assert fastiou.iou_loss(box, unit, kind) == disjoint
