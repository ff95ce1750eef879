"""PIoU where boxes are odd, and the PIoU loss: conventions, floors, far boxes, weights, reductions, the module."""

import json
import math
from pathlib import Path

import pytest
import torch
from axes import DEVICES, LAYOUTS
from pixels import assert_near, oracle, pairs, value_and_grads

import fastiou
from fastiou._names import FORMATS
from fastiou.reference import pixels as reference_pixels
from fastiou.reference.formats import BoxFormat

pytestmark = pytest.mark.parametrize("device", DEVICES)
VECTORS = json.loads((Path(__file__).parent / "data" / "piou_vectors.json").read_text())["vectors"]
unions = pytest.mark.parametrize("union", ["exact", "area"])


def on(device, boxes, dtype=torch.float64):
    return [b.to(device, dtype) for b in boxes]


def box(*numbers, device="cpu", dtype=torch.float64):
    return torch.tensor([numbers], dtype=dtype, device=device)


# -------------------------------------------------------------------------------------------------------- odd boxes
@unions
def test_disjoint_boxes(device, union):
    pred, target = box(0, 0, 20, 8, 0.3, device=device), box(60, 5, 20, 8, 1, device=device)
    for function in (fastiou.pixel_iou, lambda p, t, **o: fastiou.pixel_iou(p, t, pairwise=True, **o)):
        value, *grads = value_and_grads(function, pred, target, union=union)
        assert (value == 0).all() and all((g == 0).all() for g in grads)


@unions
@pytest.mark.parametrize("fmt", ["cxcywhr", "cxcywh", "xyxy"])
def test_boxes_without_area(device, union, fmt):
    """0, and so is the gradient, of both."""
    flat = torch.tensor([[5, 5, 0, 8, 0.3], [5, 5, 8, 0, 0], [5, 5, -3, 8, 0], [5, 5, -3, -8, 0], [5, 5, 0, 0, 1]])
    whole = torch.tensor([5, 5, 8, 8, 0.2]).expand(5, 5)
    pair = [x if fmt == "cxcywhr" else x[:, :4] for x in on(device, (flat, whole), torch.float32)]
    if fmt == "xyxy":
        pair = [torch.cat([x[:, :2] - x[:, 2:] / 2, x[:, :2] + x[:, 2:] / 2], -1) for x in pair]
    for boxes in (pair, pair[::-1], (pair[0], pair[0])):
        for options in ({}, dict(pairwise=True)):
            value, *grads = value_and_grads(fastiou.pixel_iou, *boxes, union=union, fmt=fmt, **options)
            assert (value == 0).all() and all((g == 0).all() for g in grads)
        assert (fastiou.pixel_iou(*boxes, union=union, fmt=fmt, hard=True) == 0).all()
        value, *grads = value_and_grads(fastiou.piou_loss, *boxes, union=union, fmt=fmt, straight_through=True)
        assert abs(value.item() + math.log(1e-6)) < 1e-4 and all((g == 0).all() for g in grads)


@pytest.mark.parametrize("options", [{}, dict(union="area"), dict(hard=True)], ids=str)
def test_nan_and_infinity_stay_in_their_row(device, options):
    pred, target = on(device, pairs(8, 4, 20), torch.float32)

    def results(p, t):
        if options.get("hard"):
            return fastiou.pixel_iou(p, t, **options), fastiou.pixel_iou(p, t, pairwise=True, **options).diagonal()
        loss = value_and_grads(fastiou.piou_loss, p, t, reduction="none", straight_through=True, **options)
        return *value_and_grads(fastiou.pixel_iou, p, t, **options), *loss

    expected = results(pred, target)
    for column in range(5):
        for row, bad in ((3, math.nan), (5, math.inf), (7, -math.inf)):
            for side in (0, 1):
                pair = [pred.clone(), target.clone()]
                pair[side][row, column] = bad
                others = torch.arange(8) != row
                for a, e in zip(results(*pair), expected, strict=True):
                    assert a[row].isnan().all()
                    torch.testing.assert_close(a[others], e[others], rtol=1e-6, atol=1e-7)
    pred[2, 1] = math.nan
    scores = fastiou.pixel_iou(pred, target[:4], pairwise=True, **options)
    assert scores[2].isnan().all() and scores.isfinite().sum() == 28


@unions
def test_tiny_boxes(device, union):
    """Smaller than pixels: the union of areas is no less than what is shared; without a pixel there is nothing."""
    g = torch.Generator().manual_seed(0)
    target = torch.rand(40, 5, generator=g, dtype=torch.float64)
    target[:, 2:4] = 10 ** -(4 * target[:, 2:4])
    pred = target + torch.cat([torch.rand(40, 2, generator=g) * 0.3, torch.zeros(40, 3)], -1)
    expected = oracle(pred, target, union=union, k=4.0)
    actual = value_and_grads(fastiou.pixel_iou, *on(device, (pred, target)), union=union, k=4.0)
    assert_near(actual, expected, 1e-7, 1e-7)
    assert (actual[0] <= 1).all() and (union == "exact" or (actual[0] == 1).any())
    value, *grads = value_and_grads(fastiou.pixel_iou, *on(device, (pred, target), torch.float32), union=union, k=1e6)
    assert all(x.isfinite().all() for x in (value, *grads))


@unions
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_finite(device, union, dtype):
    """Of any size against any, at any k and scale: no overflow."""
    sizes = [(0, 0, 1, 1, 0), (0, 0, 1e-30, 1e-42, 1), (5, 5, 1e-6, 1e4, 0.3), (0, 0, 30, 20, 1e30)]
    sizes += [(1e30, 1e30, 1e30, 1e29, 2), (-3e38, 3e38, 3e38, 3e38, 0), (0, 0, 3e38, 1e-30, 1), (-9, 1e38, 50, 9, 1)]
    boxes = torch.tensor(sizes, dtype=torch.float64).clamp(-torch.finfo(dtype).max, torch.finfo(dtype).max)
    for k, scale in ((10.0, 1.0), (1e6, 1e6), (1e6, 1e-6), (1e-6, 1e-6), (1e-6, 1e6)):
        # Soft edges take long, and those of long boxes longer.
        some = boxes if k > 1 else boxes[boxes[:, 2:4].amax(-1) * scale * k < 1e4][:2]
        options = dict(union=union, k=k, scale=scale)
        pair = on(device, (some, some.roll(1, 0)), dtype)
        scores = value_and_grads(fastiou.pixel_iou, *pair, pairwise=True, **options)
        losses = value_and_grads(fastiou.piou_loss, *pair, reduction="none", **options)
        for value, *grads in (scores, losses):
            assert value.isfinite().all() and all(g.isfinite().all() and g.dtype == dtype for g in grads)
        assert ((scores[0] >= 0) & (scores[0] <= 1 + 1e-6)).all()
    if dtype == torch.float32:
        pair = on(device, (boxes, boxes.roll(1, 0)), dtype)
        value, *grads = value_and_grads(fastiou.piou_loss, *pair, straight_through=True, union=union)
        assert value.isfinite() and all(g.isfinite().all() for g in grads)


@unions
def test_huge_boxes(device, union):
    """Long boxes are counted on larger pixels, and the answer is near to the exact one."""
    pred = box(100.3, -7.2, 20000, 20000, 0.3, device=device)
    target = box(200.1, 55.5, 20500, 19000, 0.4, device=device)
    exact = fastiou.rotated_box_iou(pred, target)[0]
    unit = torch.tensor([1, 1, 1, 1, 0], device=device)
    for factor in (1.0, 1e3, 1e26):
        size = unit * factor + (1 - unit)
        value, *grads = value_and_grads(fastiou.pixel_iou, pred * size, target * size, union=union)
        assert (value - exact).abs() < 1e-5 and all(g.isfinite().all() and (g != 0).any() for g in grads)
    # A box as long as any against one of a few pixels: counted on the pixels of the latter.
    small = box(3.1, 2.2, 30, 12, 0.5, device=device, dtype=torch.float32)
    for size in (4e4, 1e9, 1e30):
        large = box(0, 0, size, size, 0.2, device=device, dtype=torch.float32)
        value = fastiou.pixel_iou(small, large).item()
        assert value == pytest.approx(30 / size * 12 / size, rel=1e-2)


def test_work_is_bounded(device, monkeypatch):
    """The reference looks at no more rows and pixels if boxes are longer; kernels, at the same ones: see below."""
    looked_at = 0

    def pieces(counts, most, of=reference_pixels.pieces):
        nonlocal looked_at
        looked_at += int(counts.sum())
        return of(counts, most)

    monkeypatch.setattr(reference_pixels, "pieces", pieces)
    raster = reference_pixels.Raster.of(False, False, 10.0, 1.0, torch.float64)
    form = BoxFormat(len(FORMATS))
    for size in (2e4, 2e7, 2e30):
        looked_at = 0
        pred = box(size / 200, 0, size, size, 0.3, device=device)
        target = box(0, size / 400, size, size * 0.95, 0.4, device=device)
        boxes = [reference_pixels.Boxes.read(x, form, raster).measured(raster) for x in (pred, target)]
        reference_pixels.piou(*boxes, raster)
        assert 1e6 < looked_at < 3e6


def test_long_boxes_are_counted_on_larger_pixels(device):
    """By the power of two that makes them 2^14 to 2^15 long, with k per pixel of those."""
    pred, target = box(0.3, 5.1, 20000, 41, 0.7, device=device), box(9.7, 8.4, 18000, 43, 0.7003, device=device)
    unit = torch.tensor([16, 16, 16, 16, 1], device=device)
    value, *grads = value_and_grads(fastiou.pixel_iou, pred, target)
    large = value_and_grads(fastiou.pixel_iou, pred * unit, target * unit)
    assert_near(large, [value, *(g / unit for g in grads)], 1e-12, 1e-9)
    hard = fastiou.pixel_iou(pred, target, hard=True)
    assert 0.1 < hard < 0.99 and torch.equal(fastiou.pixel_iou(pred * unit, target * unit, hard=True), hard)


# -------------------------------------------------------------------------------------------------------------- loss
@pytest.mark.parametrize("dtype, tolerance", [(torch.float64, 1e-7), (torch.float32, 1e-5)], ids=str)
def test_official_convention(device, dtype, tolerance):
    pred, target = (torch.tensor([v[side] for v in VECTORS], dtype=torch.float64) for side in ("pred", "target"))
    expected = torch.tensor([v["loss_official"] for v in VECTORS], dtype=torch.float64)
    options = dict(convention="official", clockwise=False)
    actual = fastiou.piou_loss(*on(device, (pred, target), dtype), reduction="none", **options)
    assert_near([actual], [expected], tolerance, 0)
    mean = fastiou.piou_loss(*on(device, (pred, target), dtype), **options)
    assert_near([mean], [expected.sum() / (len(VECTORS) + 1e-9)], tolerance, 0)


@unions
@pytest.mark.parametrize("mode", ["log", "linear"])
@pytest.mark.parametrize("floor", [None, 0.3])
def test_modes_and_floor(device, union, mode, floor):
    pred, target = pairs(30, 4, 40, shift=0.7)
    q, *grads = oracle(pred, target, union=union)
    least = 1e-6 if floor is None else floor
    assert floor is None or ((q < least).any() and (q > least).any())
    value = 1 - q if mode == "linear" else -q.clamp(min=least).log()
    slope = torch.full_like(q, -1) if mode == "linear" else torch.where(q >= least, -1 / q, 0.0)
    expected = value, *(g * slope[:, None] for g in grads)
    options = dict(union=union, mode=mode, floor=floor, reduction="none")
    actual = value_and_grads(fastiou.piou_loss, *on(device, (pred, target)), **options)
    assert_near(actual, expected, 1e-7, 1e-7)
    through = value_and_grads(fastiou.piou_loss, *on(device, (pred, target)), straight_through=True, **options)
    if mode == "log":
        assert (q > 1e-6).all()
        slope = -1 / q
    assert_near(through, [value, *(g * slope[:, None] for g in grads)], 1e-7, 1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("mode", ["log", "linear"])
@pytest.mark.parametrize("distance", [5.0, 1e4, 1e8])
def test_straight_through_pulls_from_any_distance(device, dtype, mode, distance):
    """Step by step, to where boxes overlap; the loss itself is that of the floor meanwhile."""
    angle = torch.linspace(0, 6, 7, dtype=torch.float64)
    size = torch.tensor([[24, 10], [5, 5], [60, 8], [12, 30], [1, 1], [2, 40], [9, 14]], dtype=torch.float64)
    target = torch.cat([torch.zeros(7, 2, dtype=torch.float64), size, angle[:, None] * 2], -1)
    pred = torch.cat([torch.stack([angle.cos(), angle.sin()], -1), size.flip(0), angle[:, None]], -1)
    pred[:, :2] *= distance + (size.norm(dim=-1) + size.flip(0).norm(dim=-1))[:, None] / 2
    pred, target = on(device, (pred, target), dtype)
    plain = value_and_grads(fastiou.piou_loss, pred, target, mode=mode, reduction="none")
    value, by_pred, by_target = value_and_grads(
        fastiou.piou_loss, pred, target, mode=mode, reduction="none", straight_through=True
    )
    assert (plain[0] == value).all() and all(g.abs().max() < 1e-12 for g in plain[1:])
    away = pred[:, :2] / pred[:, :2].norm(dim=-1, keepdim=True)
    pull, counter = ((g[:, :2] * away).sum(-1) for g in (by_pred, by_target))
    assert (pull > 0).all() and (counter < 0).all()
    assert (pull > 0.5 * by_pred[:, :2].norm(dim=-1)).all()


def test_straight_through_is_softer_where_nothing_is_left(device):
    """The gradient is that of the first of k / 2, k / 4, ... at which PIoU is at least 1e-6."""
    pred, target = box(0.2, 0.4, 20, 8, 0.3, device=device), box(31.3, 5.1, 20, 8, 1, device=device)
    _, *grads = value_and_grads(fastiou.piou_loss, pred, target, union="area", straight_through=True, floor=0.2)
    k = 10.0
    while fastiou.pixel_iou(pred, target, k=k) < 1e-6:
        k /= 2
    assert k < 5
    q, *soft = value_and_grads(fastiou.pixel_iou, pred, target, k=k)
    assert_near([q, *grads], [q, *(-g / q for g in soft)], 0, 1e-9)


def test_straight_through_learns(device):
    """Gradient descent from no overlap at all."""
    target = box(50, 40, 30, 14, 0.5, device=device, dtype=torch.float32)
    pred = box(-40, 90, 26, 16, 0.2, device=device, dtype=torch.float32).requires_grad_()
    optimizer = torch.optim.Adam([pred], lr=1.0, betas=(0.5, 0.9))
    for _ in range(200):
        optimizer.zero_grad()
        fastiou.piou_loss(pred, target, k=2.0, straight_through=True).backward()
        optimizer.step()
    assert fastiou.rotated_box_iou(pred.detach(), target) > 0.6


# --------------------------------------------------------------------------------------- weights, shapes, reductions
@pytest.mark.parametrize("by_tensor", [False, True])
def test_weights_and_avg_factor(device, by_tensor):
    pred, target = on(device, pairs(50, 3, 15))
    weight = torch.rand(50, device=device, dtype=torch.float64)
    weight[::3] = 0
    rows = value_and_grads(fastiou.piou_loss, pred, target, reduction="none")
    factor = torch.tensor(12.0, device=device) if by_tensor else 12.0
    actual = value_and_grads(fastiou.piou_loss, pred, target, weight=weight, avg_factor=factor)
    scale = weight / (12 + 1.1920928955078125e-07)
    expected = (rows[0] * scale).sum(), *(g * scale[:, None] for g in rows[1:])
    assert_near(actual, expected, 1e-9, 1e-9)
    mask = weight > 0.5
    total = fastiou.piou_loss(pred, target, weight=mask, reduction="sum")
    torch.testing.assert_close(total, rows[0][mask].sum())
    weight.requires_grad_()
    (grad,) = torch.autograd.grad(fastiou.piou_loss(pred, target, weight=weight, reduction="sum"), weight)
    torch.testing.assert_close(grad, rows[0])
    bad = torch.ones(50, device=device, dtype=torch.float64)
    bad[7] = math.nan
    value, *grads = value_and_grads(fastiou.piou_loss, pred, target, weight=bad, reduction="none")
    assert value.isnan().sum() == 1 and all(g[7].isnan().all() and g.isnan().sum() == 5 for g in grads)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32], ids=str)
def test_gradients_saturate(device, dtype):
    pred, target = on(device, (x * torch.tensor([0.01] * 4 + [1]) for x in pairs(5, 4, 15)), dtype)
    weight = torch.full((5,), 1e9 if dtype == torch.float16 else 3e38, device=device)
    value, *grads = value_and_grads(fastiou.piou_loss, pred, target, weight=weight, reduction="sum", scale=100.0)
    assert value.isfinite() and all(g.isfinite().all() for g in grads)
    assert (grads[0].abs() >= torch.finfo(dtype).max / 4).any()


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 0, 2), (2, 3, 1, 2)], ids=str)
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_shapes(device, shape, reduction):
    count = torch.Size(shape).numel()
    pred, target = (x.reshape(*shape, 5) for x in on(device, pairs(count, 3, 20), torch.float32))
    value, *grads = value_and_grads(fastiou.piou_loss, pred, target, reduction=reduction)
    rows = fastiou.piou_loss(pred, target, reduction="none")
    expected = {"none": rows, "sum": rows.sum(), "mean": rows.sum() / max(count, 1)}[reduction]
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    assert rows.shape == shape and all(g.shape == pred.shape for g in grads)
    assert fastiou.pixel_iou(pred, target).shape == shape
    assert fastiou.pixel_iou(pred.reshape(-1, 5), target.reshape(-1, 5)[:1], pairwise=True).shape == (
        count, min(count, 1))  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(device, layout):
    pred, target = (x.reshape(2, 3, 4, 5) for x in on(device, pairs(24, 3, 20), torch.float32))
    expected = value_and_grads(fastiou.pixel_iou, pred, target)
    strided = [LAYOUTS[layout](x).detach().requires_grad_() for x in (pred, target)]
    value = fastiou.pixel_iou(*strided)
    value.sum().backward()
    assert all(torch.equal(a, e) for a, e in zip((value.detach(), *(x.grad for x in strided)), expected, strict=True))
    sets = [LAYOUTS[layout](x.reshape(6, 4, 5)) for x in (pred, target)]
    expected = fastiou.pixel_iou(*(x.contiguous() for x in sets), pairwise=True)
    assert torch.equal(fastiou.pixel_iou(*sets, pairwise=True), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(device, dtype):
    pred, target = on(device, pairs(20, 3, 20), dtype)
    value, *grads = value_and_grads(fastiou.pixel_iou, pred, target)
    expected = value_and_grads(fastiou.pixel_iou, pred.float(), target.float())
    assert value.dtype == torch.float32 and torch.equal(value, expected[0])
    assert all(torch.equal(g, e.to(dtype)) for g, e in zip(grads, expected[1:], strict=True))


def test_broadcast_and_mixed_dtypes(device):
    pred, target = on(device, pairs(6, 3, 20))
    actual = fastiou.pixel_iou(pred[:, None], target[None, :2].float())
    assert actual.shape == (6, 2) and actual.dtype == torch.float64
    assert_near([actual], [fastiou.pixel_iou(pred, target[:2].float(), pairwise=True)], 1e-12, 0)


def test_module(device):
    pred, target = on(device, pairs(20, 3, 20), torch.float32)
    weight = torch.rand(20, device=device)
    options = dict(k=4.0, union="area", straight_through=True, clockwise=False)
    loss = fastiou.PIoULoss(loss_weight=2.0, **options)
    expected = fastiou.piou_loss(pred, target, weight=weight, reduction="none", **options)
    torch.testing.assert_close(loss(pred, target, weight), 2 * expected.mean())
    torch.testing.assert_close(loss(pred, target, weight, reduction_override="none"), 2 * expected)
    torch.testing.assert_close(loss(pred, target, weight, avg_factor=7), 2 * expected.sum() / 7)
    upright = fastiou.PIoULoss(fmt="cxcywh")(pred[:, :4], target[:, :4])
    torch.testing.assert_close(upright, fastiou.piou_loss(pred[:, :4], target[:, :4], fmt="cxcywh"))
