"""Sets of rotated boxes: pairwise scores and their gradients, matching, suppression, against plain loops over pairs."""

import pytest
import torch
from axes import DEVICES
from rotated_boxes import random_pairs

import fastiou
from fastiou.reference import gaussian as reference_gaussian, rotated as reference_rotated

pytestmark = pytest.mark.parametrize("device", DEVICES)
native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="the operators are not compiled")
KINDS = ("iou", "iof", "giou", "diou", "ciou", "kfiou", "probiou")
each_kind = pytest.mark.parametrize("kind", KINDS)


def sets(n, m, *batch, dtype=torch.float32, device="cpu", spread=1.0):
    """Two sets that overlap here and there; a few boxes are in both."""
    count = max(n, m)
    first, second = (x.reshape(*batch, count, 5) for x in random_pairs(torch.Size((*batch, count)).numel(), seed=n + m))
    second = second.clone()
    second[..., ::7, :] = first[..., ::7, :]
    scale = torch.tensor([spread, spread, 1, 1, 1], dtype=torch.float64)
    return tuple((x[..., :k, :] * scale).to(device, dtype) for x, k in ((first, n), (second, m)))


def scores_and_grads(function, boxes1, boxes2, grad=None, **options):
    boxes1, boxes2 = (x.detach().clone().requires_grad_() for x in (boxes1, boxes2))
    scores = function(boxes1, boxes2, **options)
    grad = torch.ones_like(scores) if grad is None else grad.to(scores.dtype)
    return scores.detach(), *torch.autograd.grad(scores, (boxes1, boxes2), grad)


def reference(boxes1, boxes2, kind, enclosing="hull", form=(False, True), mask1=None, mask2=None):
    return reference_rotated.scores(boxes1, boxes2, kind, enclosing, form, mask1, mask2)


# ----------------------------------------------------------------------------------------------------------- pairwise
@each_kind
@pytest.mark.parametrize("size", [(1, 1), (5, 300), (70, 3), (300, 2), (65, 257), (0, 4), (4, 0)], ids=str)
def test_pairwise(device, kind, size):
    boxes1, boxes2 = sets(*size, dtype=torch.float64, device=device)
    grad = torch.randn(*size, dtype=torch.float64, device=device)
    actual = scores_and_grads(fastiou.rotated_box_iou, boxes1, boxes2, grad, kind=kind)
    expected = scores_and_grads(reference, boxes1, boxes2, grad, kind=kind)
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("kind", ["giou", "diou", "ciou"])
@pytest.mark.parametrize("enclosing", ["min", "target", "aabb"])
def test_enclosing(device, kind, enclosing):
    boxes1, boxes2 = sets(20, 30, dtype=torch.float64, device=device)
    actual = scores_and_grads(fastiou.rotated_box_iou, boxes1, boxes2, kind=kind, enclosing=enclosing)
    expected = scores_and_grads(reference, boxes1, boxes2, kind=kind, enclosing=enclosing)
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-8, atol=1e-9)


@each_kind
@pytest.mark.parametrize("spread", [1.0, 30.0], ids=["dense", "sparse"])
def test_pairwise_is_aligned(device, kind, spread):
    """A pair has one number however it is asked for, to the last bit, also where boxes are out of reach."""
    boxes1, boxes2 = sets(150, 400, device=device, spread=spread)
    scores = fastiou.rotated_box_iou(boxes1, boxes2, kind)
    if kind in ("iou", "giou", "diou", "ciou"):
        aligned = fastiou.rotated_iou_loss(boxes1[:, None], boxes2, kind)
        assert torch.equal(1 - scores, aligned) if fastiou.backend(device) == "native" else True
    elif kind != "iof":
        aligned = fastiou.gaussian_loss(boxes1[:, None], boxes2, kind)
        torch.testing.assert_close(1 - scores, aligned)
    torch.testing.assert_close(scores, reference(boxes1, boxes2, kind), rtol=1e-4, atol=1e-5)
    assert kind != "iou" or (spread == 1) == (scores > 0).double().mean().gt(0.02)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int16, torch.int64], ids=str)
@pytest.mark.parametrize("degrees", [False, True])
def test_dtypes_batches_and_masks(device, dtype, degrees):
    boxes1, boxes2 = (x.round() if not dtype.is_floating_point else x for x in sets(9, 12, 2, 3, device=device))
    boxes1, boxes2 = boxes1.to(dtype), boxes2[:1].to(dtype)
    mask1, mask2 = torch.rand(2, 3, 9, device=device) > 0.3, torch.rand(12, device=device) > 0.3
    boxes2[..., ~mask2, 0] = 0 if not dtype.is_floating_point else float("nan")  # padding may be anything
    flags = dict(degrees=degrees, clockwise=not degrees)
    scores = fastiou.rotated_box_iou(boxes1, boxes2, "giou", mask1=mask1, mask2=mask2, **flags)
    expected = reference(
        boxes1.double(), boxes2.double(), "giou", form=(degrees, not degrees), mask1=mask1, mask2=mask2.expand(1, 3, 12)
    )
    assert scores.dtype == torch.float32 and scores.shape == (2, 3, 9, 12)
    torch.testing.assert_close(scores.double(), expected, rtol=1e-5, atol=1e-5)
    if dtype.is_floating_point:
        a = boxes1.clone().requires_grad_()
        fastiou.rotated_box_iou(a, boxes2, "giou", mask1=mask1, mask2=mask2, **flags).sum().backward()
        assert a.grad.dtype == dtype and a.grad.isfinite().all() and (a.grad[~mask1] == 0).all()


def test_nan_rows_and_columns(device):
    boxes1, boxes2 = sets(10, 300, device=device, spread=20)
    boxes1[3, 4], boxes2[7, 0], boxes2[290, 2] = float("nan"), float("inf"), float("nan")
    scores = fastiou.rotated_box_iou(boxes1, boxes2)
    bad = torch.zeros_like(scores, dtype=torch.bool)
    bad[3], bad[:, 7], bad[:, 290] = True, True, True
    assert torch.equal(scores.isnan(), bad)


def test_boxes_of_any_size(device):
    from rotated_boxes import EDGE_BOXES

    boxes = torch.tensor(list(EDGE_BOXES.values()), device=device)
    for kind in KINDS:
        scores, *grads = scores_and_grads(fastiou.rotated_box_iou, boxes, boxes, kind=kind)
        assert scores.isfinite().all() and all(g.isfinite().all() for g in grads)
        assert kind != "iou" or ((scores >= 0) & (scores <= 1)).all()


@pytest.mark.parametrize("kind", fastiou.gaussian_kinds())
@pytest.mark.parametrize("options", [{}, {"sqrt": False, "normalize": False}, {"alpha": 2.0}], ids=str)
def test_gaussian_distance(device, kind, options):
    if "alpha" in options and kind in ("kfiou", "probiou"):
        options = {}
    boxes1, boxes2 = sets(40, 50, dtype=torch.float64, device=device)
    actual = scores_and_grads(fastiou.gaussian_distance, boxes1, boxes2, kind=kind, **options)
    expected = scores_and_grads(reference_gaussian.pairwise, boxes1, boxes2, kind=kind, **options)
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-8, atol=1e-9 * e.abs().max().item())


@native
@pytest.mark.parametrize("batch", [(), (3,)], ids=str)
def test_opcheck(device, batch):
    boxes1, boxes2 = sets(5, 6, *batch, device=device)
    mask = torch.rand(*batch, 6, device=device) > 0.3
    options = (8, 5, 5, 0.0, 0.0, 0.0)
    torch.library.opcheck(torch.ops.fastiou.pairwise.default, (boxes1, boxes2, None, mask, *options))
    grad = torch.rand(*batch, 5, 6, device=device)
    args = (grad, boxes1, boxes2, None, mask, *options, True, True)
    torch.library.opcheck(torch.ops.fastiou.pairwise_backward.default, args)


def test_compile_and_vmap(device):
    torch._dynamo.reset()
    boxes1, boxes2 = sets(8, 9, 4, device=device)

    def scores(a, b):
        return fastiou.rotated_box_iou(a * 1.0, b, "giou") + fastiou.gaussian_distance(a, b, "kld")

    expected = scores_and_grads(scores, boxes1, boxes2)
    for function in (torch.compile(scores, fullgraph=True, backend="aot_eager"), torch.vmap(scores)):
        for a, e in zip(scores_and_grads(function, boxes1, boxes2), expected, strict=True):
            torch.testing.assert_close(a, e, rtol=1e-5, atol=1e-6)


# ----------------------------------------------------------------------------------------------------------- matching
@each_kind
@pytest.mark.parametrize("spread", [1.0, 30.0], ids=["dense", "sparse"])
def test_max_iou(device, kind, spread):
    boxes, gts = sets(5000 if kind == "iou" else 600, 40, device=device, spread=spread)
    boxes[11, 0], gts[5, 1] = float("nan"), float("inf")
    mask = torch.rand(40, device=device) > 0.2
    found = fastiou.max_iou(boxes, gts, kind, fmt="cxcywhr", gts_mask=mask)
    scores = fastiou.rotated_box_iou(boxes, gts, kind)
    scores[:, ~mask | (torch.arange(40, device=device) == 5)] = -torch.inf
    scores[11] = -torch.inf
    for dim, values, indices in ((1, found.values, found.indices), (0, found.gt_values, found.gt_indices)):
        best = scores.amax(dim, keepdim=True)
        n = scores.shape[dim]
        index = torch.arange(n, device=device).view((1, -1) if dim == 1 else (-1, 1))
        first = index.where(scores == best, n).amin(dim)
        there = best.squeeze(dim) > -torch.inf
        assert torch.equal(indices, first.where(there, -1)) and torch.equal(values, best.squeeze(dim).where(there, 0.0))


def test_matchers(device):
    boxes, gts = sets(700, 30, device=device)
    scores = fastiou.rotated_box_iou(boxes, gts).T
    best, index = scores.max(0)
    expected = index.where(best >= 0.5, -2).where(best >= 0.3, -1)
    assert torch.equal(fastiou.Matcher(0.5, 0.3, fmt="cxcywhr")(boxes, gts), expected)
    low_quality = fastiou.Matcher(0.5, 0.3, True, fmt="cxcywhr")(boxes, gts)
    takers = (scores == scores.amax(1, keepdim=True)).any(0)
    assert torch.equal(low_quality, index.where(takers, expected))
    assigned = fastiou.MaxIoUAssigner(0.5, 0.3, 0.3, fmt="cxcywhr")(boxes, gts)
    assert ((assigned.gt_inds > 0) >= (best >= 0.5)).all() and torch.equal(assigned.max_overlaps, best)
    detectron2 = fastiou.convert_rotated(boxes, "cxcywhr", "detectron2")
    other = fastiou.Matcher(0.5, 0.3, fmt=("detectron2", "cxcywhr"))(detectron2, gts)
    assert (other == expected).double().mean() > 0.99


# -------------------------------------------------------------------------------------------------------- suppression
def greedy(scores, overlaps, threshold):
    kept = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if not any(overlaps[k, i] > threshold for k in kept):
            kept.append(i)
    return kept


@pytest.mark.parametrize(("kind", "n"), [*((k, 60) for k in KINDS), ("iou", 0), ("iou", 1), ("iou", 700)])
def test_nms(device, kind, n):
    boxes, _ = sets(n, n, device=device, spread=2)
    scores = (torch.rand(n, device=device) * 50).round() / 50
    overlaps = fastiou.rotated_box_iou(boxes, boxes, kind).cpu()
    expected = greedy(scores.cpu(), overlaps, 0.25)
    assert fastiou.nms(boxes, scores, 0.25, kind=kind, fmt="cxcywhr").tolist() == expected
    mask = fastiou.nms_mask(boxes, scores, 0.25, kind=kind, fmt="cxcywhr")
    assert mask.nonzero().flatten().tolist() == sorted(expected)
    assert fastiou.nms_rotated(boxes, scores, 0.25, kind=kind).tolist() == expected
    degrees = torch.cat([boxes[:, :4], -boxes[:, 4:] * (180 / torch.pi)], -1).double()
    assert (
        abs(len(fastiou.nms_rotated(degrees, scores, 0.25, kind=kind, degrees=True, clockwise=False)) - len(expected))
        <= 1
    )


def test_classes_and_soft_nms(device):
    boxes, _ = sets(300, 300, device=device)
    scores, idxs = torch.rand(300, device=device), torch.randint(0, 3, (300,), device=device)
    kept = fastiou.batched_nms(boxes, scores, idxs, 0.3, fmt="cxcywhr")
    expected = [
        i
        for c in range(3)
        for i in (idxs == c).nonzero().flatten()[fastiou.nms_rotated(boxes[idxs == c], scores[idxs == c], 0.3)]
    ]
    assert sorted(kept.tolist()) == sorted(int(i) for i in expected)
    overlaps = fastiou.rotated_box_iou(boxes, boxes)
    left, decayed, order = scores.clone(), [], []
    while (left >= 1e-3).any():
        best = int(left.argmax())
        order.append(best)
        decayed.append(float(left[best]))
        left = left * torch.exp(-(overlaps[best] ** 2) / 0.5)
        left[best] = -1
        left[left < 1e-3] = -1
    indices, values = fastiou.soft_nms(boxes, scores, fmt="cxcywhr")
    assert indices.tolist() == order
    torch.testing.assert_close(values, torch.tensor(decayed, device=device), rtol=1e-4, atol=1e-6)
    matrix = fastiou.matrix_nms(boxes, scores, fmt="cxcywhr")
    assert matrix.shape == scores.shape and (matrix <= scores + 1e-6).all() and (matrix < scores).any()
    kept, same, _ = fastiou.cluster_nms(boxes, scores, 0.3, weighted=False, fmt="cxcywhr")
    assert torch.equal(same, boxes[kept])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_integers_in_conventions_that_are_converted(device, dtype):
    corners = torch.tensor([[10, 10, 30, 10, 30, 20, 10, 20], [12, 8, 32, 12, 30, 22, 10, 18]], device=device)
    scores = fastiou.rotated_box_iou(corners.to(dtype), corners.to(dtype), fmt="polygon")
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, fastiou.rotated_box_iou(corners.float(), corners.float(), fmt="polygon"))


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_distances_of_integers_are_float32(device, alpha):
    boxes = torch.tensor([[10, 10, 8, 4, 30], [12, 9, 6, 5, 45]], device=device)
    distances = fastiou.gaussian_distance(boxes, boxes, alpha=alpha, degrees=True)
    assert distances.dtype == torch.float32
    torch.testing.assert_close(
        distances, fastiou.gaussian_distance(boxes.float(), boxes.float(), alpha=alpha, degrees=True)
    )
