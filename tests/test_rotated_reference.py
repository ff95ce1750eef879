"""The plain-PyTorch formulas of rotated boxes against values of others, and against what must hold."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from axes import DEVICES, loss_and_grads
from rotated_boxes import corners, edge_pairs, random_pairs

from fastiou import reference
from fastiou.reference import enclosing as reference_enclosing, kinds as reference_kinds, rotated as reference_rotated
from fastiou.reference.enclosing import ENCLOSINGS
from fastiou.reference.pose import pose
from fastiou.reference.rotated import KINDS, LOSSES, intersection, pairwise, row_loss

CASES = json.loads((Path(__file__).parent / "data" / "rotated_adversarial.json").read_text())["cases"]

#: Every loss: (kind, mode, enclosing).
SPECS = [("iou", mode, "hull") for mode in LOSSES] + [
    (kind, "linear", enclosing) for kind in ("giou", "diou", "ciou") for enclosing in ENCLOSINGS
]
each_spec = pytest.mark.parametrize("spec", SPECS, ids="-".join)
pytestmark = pytest.mark.parametrize("device", DEVICES)


def scores(boxes1, boxes2, kind="iou", **kwargs):
    """Of every row: the pairwise score of one box with one box."""
    return pairwise(boxes1.unsqueeze(-2), boxes2.unsqueeze(-2), kind, **kwargs)[..., 0, 0]


def shapely_polygons(boxes):
    shapely = pytest.importorskip("shapely", reason="shapely is not installed")
    return shapely, shapely.polygons(corners(boxes).cpu().numpy())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_golden(device, dtype):
    """Pairs that other implementations get wrong, to 25 digits."""
    compared = 0
    for case in CASES:
        if case["dtype"] == "float64" and dtype == torch.float32:
            continue
        boxes = (torch.tensor(case[side], dtype=dtype, device=device) for side in ("box1", "box2"))
        tolerance = case["tol_f32"] if dtype == torch.float32 else 1e-9 * case["tol_f32"] + 1e-12
        assert scores(*boxes).item() == pytest.approx(float(case["iou"]), abs=tolerance), case["name"]
        compared += 1
    assert compared >= 97


@pytest.mark.parametrize("degrees", [False, True])
@pytest.mark.parametrize("clockwise", [False, True])
def test_shapely(device, degrees, clockwise):
    """Areas of intersection, hull and least rectangle; in every way to write an angle."""
    pred, target = random_pairs(3000, seed=1, device=device)
    target[::3, :2] += 40
    shapely, first = shapely_polygons(pred)
    _, second = shapely_polygons(target)
    for boxes in (pred, target):
        boxes[:, 4] *= (1 if clockwise else -1) * (180 / math.pi if degrees else 1)
    seen = pose(pred, target, degrees, clockwise)
    overlap = shapely.area(shapely.intersection(first, second))
    union = shapely.union(first, second)
    assert 0.05 < (overlap == 0).mean() < 0.5
    rectangle = shapely.area(shapely.minimum_rotated_rectangle(union))
    aabb = shapely.bounds(union)
    for actual, expected in [
        (intersection(seen), overlap),
        (reference_enclosing.enclosing_area(seen, "hull"), shapely.area(shapely.convex_hull(union))),
        (reference_enclosing.enclosing_area(seen, "min"), rectangle),
        (reference_enclosing.enclosing_area(seen, "aabb"), np.prod(aabb[:, 2:] - aabb[:, :2], -1)),
        (reference_enclosing.enclosing_diagonal2(seen, "aabb"), ((aabb[:, 2:] - aabb[:, :2]) ** 2).sum(-1)),
    ]:
        np.testing.assert_allclose(actual.cpu(), expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scores(pred, target, degrees=degrees, clockwise=clockwise).cpu(),
                               overlap / shapely.area(union), rtol=1e-9, atol=1e-12)  # fmt: skip


def test_enclosing_by_brute_force(device):
    """The hull's area by scipy, its diameter over all pairs of corners, the rectangle along the target by turning."""
    spatial = pytest.importorskip("scipy.spatial", reason="scipy is not installed")
    pred, target = random_pairs(400, seed=2, device=device)
    seen = pose(pred, target)
    points = torch.cat([corners(pred), corners(target)], -2)
    hulls = [spatial.ConvexHull(p).volume for p in points.cpu().numpy()]
    np.testing.assert_allclose(reference_enclosing.enclosing_area(seen).cpu(), hulls, rtol=1e-12)
    diameter = (points.unsqueeze(-2) - points.unsqueeze(-3)).square().sum(-1).amax((-1, -2))
    torch.testing.assert_close(reference_enclosing.enclosing_diagonal2(seen), diameter, rtol=1e-12, atol=0)
    c, s = target[:, 4].cos(), target[:, 4].sin()
    turned = points @ torch.stack([torch.stack([c, s], -1), torch.stack([-s, c], -1)], -1)
    sides = turned.amax(-2) - turned.amin(-2)
    for actual, expected in [
        (reference_enclosing.enclosing_area(seen, "target"), sides.prod(-1)),
        (reference_enclosing.enclosing_diagonal2(seen, "target"), sides.square().sum(-1)),
    ]:
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=0)


@each_spec
def test_gradcheck(device, spec, monkeypatch):
    """First and second derivatives; alpha of CIoU, a constant, held in place for the finite differences."""
    boxes = [x.requires_grad_() for x in random_pairs(3, seed=3, device=device, aspect=4)]
    constants = []
    monkeypatch.setattr(reference_kinds, "stop_gradient", lambda x: constants.append(x.detach()) or constants[0])
    assert torch.autograd.gradcheck(lambda p, t: row_loss(p, t, *spec), boxes, eps=1e-7)
    assert torch.autograd.gradgradcheck(lambda p, t: row_loss(p, t, *spec), boxes, eps=1e-7, atol=1e-4)


def test_partials_of_intersection(device):
    """Finite differences of the area; scaling both boxes scales it (Euler), moving both does nothing."""
    boxes = random_pairs(500, seed=4, device=device)
    area, grad1, grad2 = loss_and_grads(lambda a, b: intersection(pose(a, b)), *boxes)
    torch.testing.assert_close(grad1[:, :2], -grad2[:, :2], rtol=1e-12, atol=1e-12)
    euler = ((boxes[0] - boxes[1])[:, :2] * grad1[:, :2]).sum(-1)
    euler = euler + sum((b[:, 2:4] * g[:, 2:4]).sum(-1) for b, g in zip(boxes, (grad1, grad2), strict=True))
    torch.testing.assert_close(euler, 2 * area, rtol=1e-12, atol=1e-9)
    for i, grad in enumerate((grad1, grad2)):
        for k in range(5):
            step = torch.zeros(5, dtype=torch.float64, device=device)
            step[k] = 1e-6
            ahead, behind = ([b + sign * step * (i == j) for j, b in enumerate(boxes)] for sign in (1, -1))
            slope = (intersection(pose(*ahead)) - intersection(pose(*behind))) / 2e-6
            assert ((slope - grad[:, k]).abs() <= 1e-4).float().mean() > 0.99, (i, k)


@each_spec
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_identical(device, spec, dtype):
    """Exactly 0, with a gradient of exactly 0, however small or large; with "aabb" C is not the box."""
    boxes, _ = random_pairs(500, seed=5, dtype=dtype, device=device, aspect=1000)
    for scale in (1.0, 2.0**-60, 2.0**60):
        boxes[:, :4] *= scale
        loss, *grads = loss_and_grads(row_loss, boxes, boxes.clone(), *spec)
        if spec[2] != "aabb" or spec[0] != "giou":
            assert (loss == 0).all() and all((grad == 0).all() for grad in grads)
        else:
            assert (loss >= 0).all() and loss.max() > 0.9
        boxes[:, :4] /= scale


@each_spec
def test_same_rectangle_written_otherwise(device, spec):
    """Half a turn, and a quarter turn with swapped sides, change neither loss nor gradient: exactly so in degrees."""
    pred, target = random_pairs(500, seed=6, device=device)
    pred[:, 4], target[:, 4] = pred[:, 4] * 45, (target[:, 4] * 45).round()
    expected, grad1, grad2 = loss_and_grads(row_loss, pred, target, *spec, degrees=True)
    for turns in (1, 2, 3, -1, 7):
        columns = [0, 1, 3, 2, 4] if turns % 2 else [0, 1, 2, 3, 4]
        turn = torch.tensor([0, 0, 0, 0, 90.0 * turns], dtype=torch.float64, device=device)
        for boxes in ((pred[:, columns] + turn, target), (pred, target[:, columns] + turn)):
            actual = loss_and_grads(row_loss, *boxes, *spec, degrees=True)
            torch.testing.assert_close(actual[0], expected, rtol=1e-10, atol=1e-10)
            first = grad1[:, columns] if boxes[1] is target else grad1
            second = grad2[:, columns] if boxes[0] is pred else grad2
            torch.testing.assert_close(actual[1:], (first, second), rtol=1e-8, atol=1e-8)


def test_degrees_turn_exactly(device):
    """Boxes that touch do not overlap, on their sides or not; a twin is the box itself."""
    box = torch.tensor([10.0, 20, 6, 4, 30], device=device)
    for r in range(-720, 721, 90):
        upright = torch.tensor([10.0, 20, 6, 4, r], device=device)
        step = 6 if r % 180 == 0 else 4
        for offset in ([step, 0], [0, 10 - step], [step, 10 - step]):
            other = upright + torch.tensor([*offset, 0, 0, 0], device=device)
            assert scores(upright, other, degrees=True) == 0
        turned = torch.stack([box[0], box[1], *(box[2:4] if r % 180 == 0 else box[[3, 2]]), box[4] + r])
        loss, *grads = loss_and_grads(row_loss, box, turned, "giou", degrees=True)
        assert loss == 0 and all((grad == 0).all() for grad in grads)


def test_disjoint(device):
    """Exactly 0 without gradient, as is a box without area; GIoU and DIoU still pull."""
    pred, target = random_pairs(300, seed=7, device=device)
    target[:100, 0] += 300
    target[100:200, 2] = 0
    target[200:, 3] = -1
    for kind in ("iou", "iof"):
        score, *grads = loss_and_grads(scores, pred, target, kind)
        assert (score == 0).all() and all((grad == 0).all() for grad in grads)
    for kind in ("giou", "diou"):
        _, grad, _ = loss_and_grads(row_loss, pred[:100], target[:100], kind)
        assert (grad[:, 0] < 0).all()


@pytest.mark.parametrize("kind", ["iou", "giou", "diou", "ciou"])
def test_upright_boxes_are_boxes(device, kind):
    """Without angles, scores and gradients are those of axis-aligned boxes."""
    pred, target = random_pairs(500, seed=8, device=device)
    pred[:, 4] = target[:, 4] = 0
    expected = loss_and_grads(reference.row_loss, pred[:, :4], target[:, :4], kind, 0.0, formats=("cxcywh", "cxcywh"))
    for enclosing in ("aabb", "target"):
        loss, *grads = loss_and_grads(row_loss, pred, target, kind, enclosing=enclosing)
        torch.testing.assert_close(loss, expected[0], rtol=1e-12, atol=1e-12)
        for actual, upright in zip(grads, expected[1:], strict=True):
            torch.testing.assert_close(actual[:, :4], upright, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec[1] != "log"], ids="-".join)
def test_float32(device, spec):
    """As accurate as the numbers: errors grow with the aspect ratio and with coordinates no more than they must."""
    for seed, aspect in enumerate((4.0, 100.0)):
        pred, target = random_pairs(3000, seed=seed, dtype=torch.float32, device=device, aspect=aspect)
        for x in (pred, target):
            x[:, :2] += 1e4
        expected = row_loss(pred.double(), target.double(), *spec)
        assert (row_loss(pred, target, *spec).double() - expected).abs().max() <= 1e-6 + 1.2e-7 * aspect


@each_spec
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_finite(device, spec, dtype):
    """Whatever the finite numbers, so are loss and gradient; with large weights too."""
    pred, target = edge_pairs(dtype, device)
    for weight in (None, torch.tensor(1e30, device=device)):
        for tensor in loss_and_grads(row_loss, pred, target, *spec, weight=weight):
            assert tensor.isfinite().all(), torch.cat([pred, target], -1)[
                ~tensor.isfinite().view(len(pred), -1).all(-1)
            ]


@each_spec
def test_nan_stays_in_its_row(device, spec):
    pred, target = random_pairs(11, seed=9, device=device)
    expected = loss_and_grads(row_loss, pred, target, *spec)
    for side in range(2):
        for column in range(5):
            for value in (math.nan, math.inf, -math.inf):
                boxes = [pred.clone(), target.clone()]
                boxes[side][7, column] = value
                for actual, clean in zip(loss_and_grads(row_loss, *boxes, *spec), expected, strict=True):
                    assert actual[7].isnan().all(), (side, column, value)
                    assert torch.equal(actual[:7], clean[:7]) and torch.equal(actual[8:], clean[8:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("enclosing", ENCLOSINGS)
def test_pairwise(device, kind, enclosing):
    """Sets, of batches that broadcast; masked boxes score 0 and get no gradient, whatever they hold."""
    boxes1, boxes2 = random_pairs(24, seed=10, device=device)
    boxes1, boxes2 = boxes1.view(3, 8, 5), boxes2[:7]
    options = {"enclosing": enclosing}
    expected = loss_and_grads(lambda a, b: scores(a.unsqueeze(-2), b, kind, **options), boxes1, boxes2)
    actual = loss_and_grads(pairwise, boxes1, boxes2, kind, **options)
    assert actual[0].shape == (3, 8, 7)
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    mask = torch.rand(3, 8, generator=torch.Generator().manual_seed(0)).to(device) < 0.5
    hidden = boxes1.masked_fill(~mask[..., None], math.nan)
    score, grad1, grad2 = loss_and_grads(pairwise, hidden, boxes2, kind, **options, mask1=mask)
    assert torch.equal(score, actual[0] * mask[..., None]) and torch.equal(grad1, actual[1] * mask[..., None])
    assert grad2.isfinite().all() and not torch.equal(grad2, actual[2])


def test_transforms(device):
    """torch.func and torch.compile go through it in one graph."""
    pred, target = random_pairs(16, seed=11, device=device)
    for spec in (("iou", "log", "hull"), ("giou", "linear", "min"), ("ciou", "linear", "hull")):
        loss, grad, _ = loss_and_grads(row_loss, pred, target, *spec)

        def one(p, t, spec=spec):
            return row_loss(p, t, *spec)

        torch.testing.assert_close(torch.func.vmap(one)(pred, target), loss, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(torch.func.vmap(torch.func.grad(one))(pred, target), grad, rtol=1e-12, atol=1e-12)
    compiled = torch.compile(one, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(loss_and_grads(compiled, pred, target)[:2], (loss, grad), rtol=1e-12, atol=1e-12)
    assert reference_rotated.row_loss(pred.float(), target.half()).dtype == torch.float32
