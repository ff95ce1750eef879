"""Losses of rotated boxes: values and gradients against the references, known answers, invariances, edge cases."""

import json
import math
from pathlib import Path

import pytest
import torch
from axes import DEVICES
from losses_of_rotated import ENCLOSINGS, GAUSSIAN, LOSSES
from rotated_boxes import edge_pairs, random_pairs

import fastiou

pytestmark = pytest.mark.parametrize("device", DEVICES)
each_loss = pytest.mark.parametrize("name", LOSSES)
GOLDEN = json.loads((Path(__file__).parent / "data" / "rotated_adversarial.json").read_text())["cases"]
PROBIOU = json.loads((Path(__file__).parent / "data" / "probiou.json").read_text())

#: Largest error of a loss, and of a gradient relative to the largest of its row, against the float64 reference.
TOLERANCE = {
    torch.float64: (1e-12, 1e-9),
    torch.float32: (2e-6, 1e-4),
    torch.float16: (2e-6, 2e-3),
    torch.bfloat16: (2e-6, 1e-2),
}


def value_and_grads(loss, pred, target, **options):
    pred, target = (x.detach().clone().requires_grad_() for x in (pred, target))
    value = loss(pred, target, **options)
    value.sum().backward()
    return value.detach(), pred.grad, target.grad


def iou(pred, target, **options):
    return 1 - fastiou.rotated_iou_loss(pred, target, **options)


# ----------------------------------------------------------------------------------------------------------- answers
@each_loss
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("degrees", [False, True], ids=["radians", "degrees"])
def test_reference(device, name, dtype, degrees):
    """Values and both gradients, any way of writing angles, more rows than a task has."""
    loss, oracle = LOSSES[name]
    pred, target = random_pairs(4500 if dtype == torch.float32 and not degrees else 300, device=device)
    if degrees:
        pred, target = (torch.cat([x[:, :4], x[:, 4:] * 180 / math.pi], -1) for x in (pred, target))
    pred, target = pred.to(dtype), target.to(dtype)
    flags = dict(degrees=degrees, clockwise=not degrees)
    actual = value_and_grads(loss, pred, target, **flags)
    expected = value_and_grads(oracle, pred.double(), target.double(), **flags)
    assert actual[0].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    of_value, of_grad = TOLERANCE[dtype]
    scale = expected[0].abs().clamp(min=1)
    error = ((actual[0] - expected[0]) / scale).abs()
    if name in ("diou-min", "ciou-min"):  # rectangles of one area have several diagonals
        error = error.sort().values[: int(len(error) * 0.99)]
    assert error.max() <= of_value * (10 if name in (*GAUSSIAN, "iou-log") else 1)
    for a, e in zip(actual[1:], expected[1:], strict=True):
        assert a.dtype == dtype
        error = (a.double() - e).abs() / e.abs().amax(-1, keepdim=True).clamp(min=1e-3)
        # A kink that rounding has stepped over is another valid answer.
        assert (error > of_grad).double().mean() < (2e-3 if dtype == torch.float32 else 5e-3), error.max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_golden(device, dtype):
    """Every case that has broken another library, to 60 digits."""
    cases = [c for c in GOLDEN if dtype == torch.float64 or c.get("dtype") != "float64"]
    pred, target = (
        torch.tensor([c[side] for c in cases], dtype=torch.float64, device=device).to(dtype)
        for side in ("box1", "box2")
    )
    expected = torch.tensor([float(c["iou"]) for c in cases], dtype=torch.float64, device=device)
    tolerance = torch.tensor([c["tol_f32"] if dtype == torch.float32 else 1e-9 for c in cases], device=device)
    error = (iou(pred, target).double() - expected).abs()
    assert len(cases) >= 97 and (error <= tolerance).all(), [
        c["name"] for c, e in zip(cases, error, strict=True) if e > 1e-6
    ]
    pairwise = fastiou.rotated_box_iou(pred[:, None], target[:, None])[:, 0, 0]
    assert ((pairwise.double() - expected).abs() <= tolerance).all()


def test_ultralytics_probiou(device):
    pred, target = (torch.tensor(PROBIOU[k], dtype=torch.float64, device=device) for k in ("boxes1", "boxes2"))
    expected = torch.tensor(PROBIOU["value"], dtype=torch.float64, device=device)
    for dtype in (torch.float32, torch.float64):
        loss = fastiou.gaussian_loss(pred.to(dtype), target.to(dtype), "probiou")
        torch.testing.assert_close(1 - loss.double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [n for n in LOSSES if not n.endswith("aabb")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_identical_boxes(device, name, dtype):
    """The loss of boxes that agree is its least, exactly, and nothing pulls: not one bit of gradient."""
    boxes, _ = random_pairs(500, dtype=dtype, device=device)
    for scale in (1, 2.0**-12, 2.0**30):
        size = boxes * torch.tensor([scale] * 4 + [1], dtype=dtype, device=device)
        if name in GAUSSIAN and scale > 1:
            continue  # sides are limited to 1e7
        value, *grads = value_and_grads(LOSSES[name][0], size, size)
        least = {"kfiou": 2 / 3, "kfiou-ln": math.log(3), "kfiou-exp": math.expm1(2 / 3), "probiou": 1e-7**0.5}
        if name in least:
            assert (value - least[name]).abs().max() < 1e-5
        elif not name.startswith("gwd-alpha"):  # 1 - 1 / tau
            assert (value == 0).all()
        for grad in grads:
            assert (grad.abs() * size[:, 2:3]).max() < 1e-5 if name.startswith("kfiou") else (grad == 0).all()


def test_disjoint_boxes(device):
    """Exactly 0, and no gradient, as far apart as rounding lets one see."""
    pred, target = random_pairs(1000, dtype=torch.float32, device=device)
    reach = (pred[:, 2:4].norm(dim=-1) + target[:, 2:4].norm(dim=-1)) / 2 * (1 + 1e-6)
    pred[:, :2] = target[:, :2] + torch.stack([reach, torch.zeros_like(reach)], -1)
    value, *grads = value_and_grads(iou, pred, target)
    assert (value == 0).all() and all((g == 0).all() for g in grads)
    assert (fastiou.rotated_iou_loss(pred, target, "giou") > 1).all()


# -------------------------------------------------------------------------------------------------------- invariances
@pytest.mark.parametrize(
    "name", [name for name in LOSSES if name != "iou-log"]
)  # which magnifies what iou-linear loses
def test_rectangles_written_otherwise(device, name):
    """By half turns and by swapped sides with quarter turns; whole quarters of degrees change nothing at all."""
    loss = LOSSES[name][0]
    pred, target = random_pairs(2000, dtype=torch.float32, device=device)
    # Multiples of 1/4 and of 1/8: none is turned by 45 degrees, where CIoU changes which sides it compares.
    degrees = [torch.cat([x[:, :4], (x[:, 4:] * 60).round() / 4 + y], -1) for x, y in ((pred, 0), (target, 0.125))]
    expected = loss(pred, target)
    in_degrees = loss(*degrees, degrees=True)
    for quarters in (-2, -1, 1, 2, 3):
        for side in (0, 1):
            pair = [pred, target]
            pair[side] = turned(pair[side], quarters, math.pi / 2)
            # The rounding of an angle times the aspect, up to 20 here.
            scale = expected.abs().clamp(min=1)
            assert ((loss(*pair) - expected).abs() / scale).max() < 3e-5, (quarters, side)
            pair = list(degrees)
            pair[side] = turned(pair[side], quarters, 90.0)
            torch.testing.assert_close(loss(*pair, degrees=True), in_degrees, rtol=1e-5, atol=1e-5)


def turned(boxes, quarters, quarter):
    x, y, w, h, r = boxes.unbind(-1)
    w, h = (h, w) if quarters % 2 else (w, h)
    return torch.stack([x, y, w, h, (r.double() + quarters * quarter).to(r.dtype)], -1)


@pytest.mark.parametrize("aspect", [1.5, 10.0, 60.0])
def test_twins_in_float32(device, aspect):
    w = torch.linspace(1, 500, 4000, device=device)
    # Angles below 4 after half a turn: there they are rounded by 1.2e-7, which is worth 3.6e-6 at aspect 60.
    boxes = torch.stack([w, -w, w, w / aspect, torch.linspace(-3.1, 0.8, 4000, device=device)], -1)
    for quarters in (1, 2):
        assert (1 - iou(boxes, turned(boxes, quarters, math.pi / 2))).abs().max() < 5e-6


@pytest.mark.parametrize("noise", [0, 6e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2])
@pytest.mark.parametrize("scale", [1.0, 1e-4])
def test_boxes_that_are_almost_the_same(device, noise, scale):
    """One ulp to one percent apart, in pixels and normalised: where polygon clipping fails."""
    boxes, _ = random_pairs(20000, dtype=torch.float64, device=device)
    boxes[:, :4] *= scale
    target = boxes.float()
    pred = (boxes * (1 + noise * torch.randn_like(boxes))).float()
    actual, expected = iou(pred, target), iou(pred.double(), target.double())
    assert (actual.double() - expected).abs().max() < 2e-6
    assert (actual >= 0).all() and (actual <= 1).all()


@pytest.mark.parametrize(
    "name", ["iou-linear", "giou-hull", "giou-min", "giou-target", "diou-hull", "kfiou", "probiou"]
)
def test_common_motion(device, name):
    """Turning the picture, moving it and scaling it change nothing."""
    loss = LOSSES[name][0]
    pred, target = random_pairs(500, device=device)
    expected = loss(pred, target)
    for angle, shift, scale in ((0.7, 0.0, 1.0), (0.0, 1e3, 1.0), (-2.0, 50.0, 3.0)):
        c, s = math.cos(angle), math.sin(angle)
        turn = torch.tensor([[c, s], [-s, c]], dtype=torch.float64, device=device)
        pair = [
            torch.cat([x[:, :2] @ turn * scale + shift, x[:, 2:4] * scale, x[:, 4:] + angle], -1)
            for x in (pred, target)
        ]
        torch.testing.assert_close(loss(*pair), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("aspect", [1.0, 30.0, 1000.0, 1e5])
@pytest.mark.parametrize("enclosing", ["hull", "min", "target"])
def test_thin_boxes_that_almost_agree(device, aspect, enclosing):
    """The area around them is as exact as that which they share, however thin they are."""
    boxes, _ = random_pairs(20000, device=device)
    boxes[:, 3] = boxes[:, 2] / aspect
    noise = torch.randn(20000, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).to(device)
    h = boxes[:, 3:4]
    move = torch.cat([h * 0.2, h * 0.2, h * 0, h * 0, 0.3 * h / boxes[:, 2:3]], -1)
    pred, target = (boxes + noise * move).float(), boxes.float()
    loss = fastiou.rotated_iou_loss(pred, target, "giou", enclosing=enclosing)
    expected = fastiou.rotated_iou_loss(pred.double(), target.double(), "giou", enclosing=enclosing)
    assert (loss.double() - expected).abs().max() < 5e-6


def test_symmetry(device):
    pred, target = random_pairs(5000, dtype=torch.float32, device=device)
    assert (iou(pred, target) - iou(target, pred)).abs().max() < 2e-6
    for enclosing in ENCLOSINGS:
        a, b = (fastiou.rotated_iou_loss(*p, "giou", enclosing=enclosing) for p in ((pred, target), (target, pred)))
        assert enclosing == "target" or (a - b).abs().max() < 5e-6


def test_upright_boxes(device):
    """With angle 0 and axis-aligned enclosing boxes these are the losses of upright boxes."""
    pred, target = random_pairs(500, device=device)
    pred[:, 4], target[:, 4] = 0, 0
    for kind in ("iou", "giou", "diou", "ciou"):
        expected = value_and_grads(fastiou.iou_loss, pred[:, :4], target[:, :4], kind=kind, eps=0.0, fmt="cxcywh")
        actual = value_and_grads(fastiou.rotated_iou_loss, pred, target, kind=kind, enclosing="aabb")
        torch.testing.assert_close(actual[0], expected[0], rtol=0, atol=1e-12)
        for a, e in zip(actual[1:], expected[1:], strict=True):
            torch.testing.assert_close(a[:, :4], e, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["iou-linear", "iof"])
def test_identities_of_the_gradient(device, name):
    """Euler's identity of a function that does not change with the scale; centres pull with opposite forces."""
    pred, target = (x.requires_grad_() for x in random_pairs(3000, device=device))
    if name == "iof":
        value = fastiou.rotated_box_iou(pred[:, None], target[:, None], "iof")[:, 0, 0]
    else:
        value = fastiou.rotated_iou_loss(pred, target)
    p, t = torch.autograd.grad(value.sum(), (pred, target))
    assert (p[:, :2] + t[:, :2]).abs().max() < 1e-15
    euler = ((pred - target)[:, :2] * p[:, :2]).sum(-1) + (pred * p + target * t)[:, 2:4].sum(-1)
    assert euler.abs().max() < 1e-12
    turning = p[:, 4] + t[:, 4] + (pred - target)[:, 0] * p[:, 1] - (pred - target)[:, 1] * p[:, 0]
    assert turning.abs().max() < 1e-12


def test_float32_gradient(device):
    """Of the area shared, relative to the extent of the boxes: all but one of ten thousand within 5e-6."""
    pred, target = random_pairs(100000, dtype=torch.float32, device=device, aspect=10)
    actual = value_and_grads(fastiou.rotated_iou_loss, pred, target)
    expected = value_and_grads(fastiou.rotated_iou_loss, pred.double(), target.double())
    extent = torch.maximum(pred[:, 2:4], target[:, 2:4]).amax(-1, keepdim=True)
    union = (pred[:, 2] * pred[:, 3] + target[:, 2] * target[:, 3]).unsqueeze(-1) / (1 + iou(pred, target)).unsqueeze(
        -1
    )
    units = union / torch.cat([extent.expand(-1, 4), extent**2], -1)
    for a, e in zip(actual[1:], expected[1:], strict=True):
        error = ((a - e) * units).abs().amax(-1).sort().values
        assert error[int(len(error) * 0.9999)] < 5e-6


# --------------------------------------------------------------------------------------------------- degenerate boxes
@each_loss
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_finite(device, name, dtype):
    pred, target = edge_pairs(dtype, device)
    value, *grads = value_and_grads(LOSSES[name][0], pred, target)
    assert value.isfinite().all() and all(g.isfinite().all() for g in grads)
    if name.startswith("iou-linear"):
        assert (value >= 0).all() and (value <= 1).all()


@each_loss
def test_nan_and_infinity_stay_in_their_row(device, name):
    loss = LOSSES[name][0]
    pred, target = random_pairs(16, dtype=torch.float32, device=device)
    expected = value_and_grads(loss, pred, target)
    for column in range(5):
        for row, bad in ((3, math.nan), (9, math.inf), (12, -math.inf)):
            for side in (0, 1):
                pair = [pred.clone(), target.clone()]
                pair[side][row, column] = bad
                actual = value_and_grads(loss, *pair)
                others = torch.arange(16) != row
                assert all(a[row].isnan().all() for a in actual)
                for a, e in zip(actual, expected, strict=True):
                    assert torch.equal(a[others], e[others])


def test_sizes_below_zero_are_zero(device):
    pred, target = random_pairs(50, dtype=torch.float32, device=device)
    negative, zero = pred.clone(), pred.clone()
    negative[:, 2], zero[:, 2] = -5, 0
    for kind in ("iou", "giou", "diou", "ciou"):
        a, b = (fastiou.rotated_iou_loss(x, target, kind) for x in (negative, zero))
        assert torch.equal(a, b) and (kind != "iou" or (a == 1).all())
    _, grad, _ = value_and_grads(fastiou.rotated_iou_loss, negative, target, kind="giou")
    assert (grad[:, 2] == 0).all()


def test_squares_have_no_angle(device):
    """Gaussians of squares are circles: whatever the angle, the loss is the same and does not turn them."""
    pred, target = random_pairs(50, device=device)
    pred[:, 3] = pred[:, 2]
    for kind in fastiou.gaussian_kinds():
        _, grad, _ = value_and_grads(fastiou.gaussian_loss, pred, target, kind=kind)
        assert grad[:, 4].abs().max() < 1e-12
