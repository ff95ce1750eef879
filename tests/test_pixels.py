"""PIoU: values and gradients against the full grid, known answers, identities, edge cases."""

import json
import math
from pathlib import Path

import pytest
import torch
from axes import DEVICES
from pixels import assert_near, oracle, pairs, soft, value_and_grads

import fastiou

pytestmark = pytest.mark.parametrize("device", DEVICES)
VECTORS = json.loads((Path(__file__).parent / "data" / "piou_vectors.json").read_text())["vectors"]
TOLERANCE = {torch.float64: 1e-7, torch.float32: 1e-5}
dtypes = pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
unions = pytest.mark.parametrize("union", ["exact", "area"])


def vectors(column: str, dtype=torch.float64, device="cpu"):
    return torch.tensor([v[column] for v in VECTORS], dtype=torch.float64).to(device, dtype)


def on(device, boxes, dtype=torch.float64):
    return [b.to(device, dtype) for b in boxes]


# ----------------------------------------------------------------------------------------------------------- answers
@dtypes
@unions
def test_golden(device, dtype, union):
    name = {"exact": "exact", "area": "approx"}[union]
    pred, target = (vectors(side, dtype, device) for side in ("pred", "target"))
    actual = value_and_grads(fastiou.pixel_iou, pred, target, union=union, clockwise=False)
    expected = vectors(f"piou_{name}_union"), vectors(f"grad_{name}_union")
    assert len(VECTORS) >= 13 and {v["k"] for v in VECTORS} == {10}
    assert_near(actual[:2], expected, TOLERANCE[dtype], TOLERANCE[dtype])
    pairwise = fastiou.pixel_iou(pred, target, union=union, clockwise=False, pairwise=True)
    assert_near([pairwise.diagonal()], expected[:1], TOLERANCE[dtype], 0)


@dtypes
def test_golden_hard(device, dtype):
    pred, target = (vectors(side, dtype, device) for side in ("pred", "target"))
    actual = fastiou.pixel_iou(pred, target, hard=True, clockwise=False)
    assert_near([actual], [vectors("piou_hard")], 1e-7, 0)


@unions
@pytest.mark.parametrize("k", [0.05, 0.3, 0.7, 1.0, 4.0, 10.0, 50.0])
def test_full_grid(device, union, k):
    """Of every aspect, 0.5 to 300 pixels long; the row-clipped sum is that over everything."""
    n = 12 if k > 0.1 else 2  # the softer edges are, the further they reach
    groups = [pairs(n, 0.5, 8), pairs(n, 5, 40, seed=1), pairs(n // 3 or 1, 30, 300, seed=2)]
    pred, target = (torch.cat(x) for x in zip(*groups, strict=True))
    expected = oracle(pred, target, k=k, union=union)
    actual = value_and_grads(fastiou.pixel_iou, *on(device, (pred, target)), k=k, union=union)
    assert_near(actual, expected, 1e-7, 1e-7)


@pytest.mark.parametrize("k", [1.0, 4.0, 10.0])
def test_float32(device, k):
    pred, target = (x.float() for x in pairs(60, 3, 60, seed=3))
    expected = oracle(pred, target, k=k)
    actual = value_and_grads(fastiou.pixel_iou, *on(device, (pred, target), torch.float32), k=k)
    assert actual[0].dtype == torch.float32
    assert_near(actual, expected, 1e-5, 1e-4)


def test_far_from_the_origin(device):
    """Negative coordinates, and those of a million: what float32 holds of them is not lost again."""
    pred, target = pairs(30, 4, 40, seed=4)
    for origin in ((-300, -1000), (1e6, -1e6)):
        shift = torch.tensor([*origin, 0, 0, 0], dtype=torch.float64)
        moved = [(x + shift).float() for x in (pred, target)]
        actual = value_and_grads(fastiou.pixel_iou, *on(device, moved, torch.float32), k=4.0)
        assert_near(actual, oracle(*moved, k=4.0), 1e-5, 1e-4)
        exact = value_and_grads(fastiou.pixel_iou, *on(device, moved), k=4.0)
        assert_near(exact, oracle(*moved, k=4.0), 1e-7, 1e-7)


@pytest.mark.parametrize("union", ["exact", "area"])
@pytest.mark.parametrize("k", [2.0, 10.0])
def test_gradcheck(device, union, k):
    pred, target = (x.requires_grad_() for x in on(device, pairs(6, 3, 20, seed=5)))
    assert torch.autograd.gradcheck(lambda p, t: fastiou.pixel_iou(p, t, union=union, k=k), (pred, target), atol=1e-6)
    assert torch.autograd.gradcheck(
        lambda p, t: fastiou.pixel_iou(p, t, union=union, k=k, pairwise=True), (pred[:3], target[:2]), atol=1e-6
    )


# ------------------------------------------------------------------------------------------------------- hard pixels
@dtypes
@unions
def test_hard_count(device, dtype, union):
    pred, target = (x.to(dtype) for x in pairs(40, 0.5, 60, seed=6))
    expected = oracle(pred, target, union=union, whole=True)[0]
    boxes = [x.requires_grad_() for x in on(device, (pred, target), dtype)]
    actual = fastiou.pixel_iou(*boxes, union=union, hard=True)
    assert not actual.requires_grad and actual.dtype == dtype
    assert_near([actual], [expected], 1e-7, 0)
    pairwise = fastiou.pixel_iou(*boxes, union=union, hard=True, pairwise=True)
    assert not pairwise.requires_grad and torch.equal(pairwise.diagonal(), actual)


@dtypes
def test_hard_count_of_edges_through_pixels(device, dtype):
    """Edges on centres of pixels count, and edges next to them are not taken for it, also far away."""
    g = torch.Generator().manual_seed(0)
    boxes = torch.randint(-8, 9, (2, 200, 5), generator=g).double() / 2
    boxes[..., 2:4] = 2 * boxes[..., 2:4].abs() + 0.5
    boxes[..., 4] = 0
    boxes[:, 100:, :2] += 2**18
    boxes = boxes.to(dtype)
    sides = boxes[:, ::3, 2:4]
    sides.copy_(torch.nextafter(sides, torch.tensor([[math.inf, 0.0]], dtype=dtype)))
    expected = oracle(*boxes, whole=True)[0]
    assert (expected > 0.1).sum() > 30
    assert_near([fastiou.pixel_iou(*on(device, boxes, dtype), hard=True)], [expected], 1e-7, 0)
    turned = boxes.clone()[..., [0, 1, 3, 2, 4]]
    turned[..., 4] = torch.tensor([90.0, -270.0])[:, None]
    assert_near([fastiou.pixel_iou(*on(device, turned, dtype), hard=True, degrees=True)], [expected], 1e-7, 0)
    corners = torch.cat([boxes[..., :2] - boxes[..., 2:4] / 2, boxes[..., :2] + boxes[..., 2:4] / 2], -1)[:, 1::3]
    assert_near([fastiou.pixel_iou(*on(device, corners, dtype), hard=True)], [expected[1::3]], 1e-7, 0)


# -------------------------------------------------------------------------------------------------------- identities
def test_upright_boxes(device):
    """Whatever they are written in; the angle a whole number of quarters, or a hair away from it."""
    pred, target = pairs(30, 2, 40, seed=7)
    pred[:, 4], target[:, 4] = 0, 0
    expected = oracle(pred, target)
    boxes = on(device, (pred, target))
    assert_near(value_and_grads(fastiou.pixel_iou, *boxes), expected, 1e-7, 1e-7)
    corners = [torch.cat([x[:, :2] - x[:, 2:4] / 2, x[:, :2] + x[:, 2:4] / 2], -1) for x in boxes]
    written = {
        "xyxy": corners,
        "xywh": [torch.cat([c[:, :2], x[:, 2:4]], -1) for c, x in zip(corners, boxes, strict=True)],
        "cxcywh": [x[:, :4] for x in boxes],
    }
    for fmt, numbers in written.items():
        value, *grads = value_and_grads(fastiou.pixel_iou, *numbers, fmt=fmt)
        assert_near([value], expected[:1], 1e-7, 0)
        # What centre, right and bottom do together is what moving does.
        move = grads[0][:, :2] + grads[0][:, 2:] if fmt == "xyxy" else grads[0][:, :2]
        assert_near([value, move], [expected[0], expected[1][:, :2]], 1e-7, 1e-7)
    assert_near([fastiou.pixel_iou(*corners)], expected[:1], 1e-7, 0)
    mixed = value_and_grads(fastiou.pixel_iou, corners[0], boxes[1])
    assert mixed[1].shape[-1] == 4
    assert_near([mixed[0], mixed[2]], [expected[0], expected[2]], 1e-7, 1e-7)
    for quarters, hair in ((1, 0), (-2, 0), (4, 0), (0, 1e-7), (1, -1e-7)):
        turned = [x[:, [0, 1, 3, 2, 4]] if quarters % 2 else x.clone() for x in boxes]
        for x in turned:
            x[:, 4] = 90 * quarters + hair
        actual = fastiou.pixel_iou(*turned, degrees=True)
        assert_near([actual], expected[:1], 1e-6 if hair else 1e-7, 0)


def test_ways_to_write_an_angle(device):
    pred, target = on(device, pairs(20, 3, 40, seed=8))
    expected = value_and_grads(fastiou.pixel_iou, pred, target)
    degree = torch.tensor([1, 1, 1, 1, math.pi / 180], device=device, dtype=torch.float64)
    for sign, options in ((1, dict(degrees=True)), (-1, dict(degrees=True, clockwise=False))):
        unit = degree * torch.tensor([1, 1, 1, 1, sign], device=device)
        value, *grads = value_and_grads(fastiou.pixel_iou, pred / unit, target / unit, **options)
        assert_near([value, *(g / unit for g in grads)], expected, 1e-9, 1e-9)
    detectron = fastiou.convert_rotated(pred, "cxcywhr", "detectron2")
    assert_near([fastiou.pixel_iou(detectron, target, fmt=("detectron2", "cxcywhr"))], expected[:1], 1e-9, 0)


def test_scale(device):
    pred, target = on(device, pairs(20, 3, 30, seed=9))
    unit = torch.tensor([8, 8, 8, 8, 1], device=device)
    value, *grads = value_and_grads(fastiou.pixel_iou, pred * unit, target * unit, k=3.0)
    actual = value_and_grads(fastiou.pixel_iou, pred, target, k=3.0, scale=8.0)
    assert_near(actual, [value, *(g * unit for g in grads)], 1e-12, 1e-10)
    normalised = [x / torch.tensor([640, 640, 640, 640, 1], device=device) for x in (pred, target)]
    assert_near([fastiou.pixel_iou(*normalised, scale=640)], [fastiou.pixel_iou(pred, target)], 1e-9, 0)


def test_supersampling_comes_near_to_the_exact_area(device):
    pred, target = on(device, pairs(20, 2, 12, seed=10))
    exact = fastiou.rotated_box_iou(pred[:, None], target[:, None])[:, 0, 0]
    errors = [(fastiou.pixel_iou(pred, target, scale=s) - exact).abs().max() for s in (1, 4, 16)]
    assert errors[2] < 0.01 and errors[2] < errors[1] / 2 < errors[0] / 4


def test_soft_edges_are_counted_on_larger_pixels(device):
    """By powers of two that bring k to [1/16, 1/8); boxes of many such pixels do not notice."""
    pred, target = on(device, pairs(2, 2, 20, seed=11))
    half = torch.tensor([0.5, 0.5, 0.5, 0.5, 1], device=device)
    for k in (1 / 17, 1 / 32):
        expected = fastiou.pixel_iou(pred * half, target * half, k=2 * k)
        assert_near([fastiou.pixel_iou(pred, target, k=k)], [expected], 1e-12, 0)
    pred, target = pairs(1, 200, 300, seed=12)
    x, y = torch.meshgrid(*[torch.arange(-900, 900, dtype=torch.float64) + 0.5] * 2, indexing="xy")
    f1, f2 = (torch.stack([soft(b, x, y, 0.05) for b in boxes]) for boxes in (pred, target))
    expected = (f1 * f2).sum((1, 2)) / (f1 + f2 - f1 * f2).sum((1, 2))
    assert_near([fastiou.pixel_iou(*on(device, (pred, target)), k=0.05)], [expected], 1e-6, 0)


def test_symmetry_and_translation(device):
    pred, target = on(device, pairs(40, 1, 40, seed=13))
    value, by_pred, by_target = value_and_grads(fastiou.pixel_iou, pred, target)
    swapped = value_and_grads(fastiou.pixel_iou, target, pred)
    assert_near(swapped, [value, by_target, by_pred], 1e-12, 1e-10)
    shift = torch.tensor([-37, 4096, 0, 0, 0], device=device)
    moved = value_and_grads(fastiou.pixel_iou, pred + shift, target + shift)
    assert_near(moved, [value, by_pred, by_target], 1e-9, 1e-8)


@dtypes
@unions
def test_pairwise_is_aligned(device, dtype, union):
    """Values, and what comes back for each set, with batches of sets that broadcast."""
    first, second = on(device, pairs(24, 2, 30, seed=14), dtype)
    first, second = first.reshape(2, 3, 4, 5), second[:10].reshape(2, 1, 5, 5)
    first[..., :2] *= 0.2
    second[..., :2] *= 0.2
    weight = torch.rand(2, 3, 4, 5, device=device, dtype=dtype)

    def aligned(a, b):
        a, b = torch.broadcast_tensors(a.unsqueeze(-2), b.unsqueeze(-3))
        return fastiou.pixel_iou(a, b, union=union)

    results = []
    for function in (lambda a, b: fastiou.pixel_iou(a, b, union=union, pairwise=True), aligned):
        a, b = first.clone().requires_grad_(), second.clone().requires_grad_()
        scores = function(a, b)
        results.append((scores.detach(), *torch.autograd.grad((scores * weight).sum(), (a, b))))
    assert results[0][0].shape == (2, 3, 4, 5) and (results[0][0] > 0.05).double().mean() > 0.1
    assert_near(*results, *((1e-12, 1e-10) if dtype == torch.float64 else (1e-6, 1e-5)))


def test_pairwise_of_integers(device):
    boxes = torch.randint(0, 60, (2, 6, 4), generator=torch.Generator().manual_seed(0)).to(device)
    scores = fastiou.pixel_iou(*boxes, pairwise=True, fmt="xywh")
    assert scores.dtype == torch.float32
    assert_near([scores], [fastiou.pixel_iou(*boxes.double(), pairwise=True, fmt="xywh")], 1e-6, 0)
