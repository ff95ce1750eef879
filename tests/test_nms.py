"""Non-maximum suppression: greedy, soft, matrix, cluster; against the reference, torchvision, and what defines them."""

import json
import math
from pathlib import Path

import pytest
import torch
from axes import DEVICES, encode
from sets import assert_indices, detections

import fastiou
from fastiou.reference import nms as reference_nms

TORCHVISION = json.loads((Path(__file__).parent / "data" / "torchvision_nms.json").read_text())
PAIRWISE_KINDS = fastiou.pairwise_kinds()
native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="the operators are not compiled")
on_devices = pytest.mark.parametrize("device", DEVICES)
#: None, one, few, and more than one tile of a CPU loop, one word of bits or one block of a GPU.
#: Without kernels it is the reference that is compared with the reference, and it takes one box after the other.
MANY = 300 if fastiou.backend() == "native" else 60
SIZES = [0, 1, 17, MANY]


# ------------------------------------------------------------------------------------------------------ against oracles
@on_devices
@pytest.mark.parametrize("case", TORCHVISION["cases"], ids=lambda c: c["name"])
def test_torchvision(device, case):
    boxes, scores = (torch.tensor(case[key], device=device) for key in ("boxes", "scores"))
    threshold = case["iou_threshold"]
    if case["idxs"] is None:
        kept = fastiou.nms(boxes, scores, threshold)
    else:
        kept = fastiou.batched_nms(boxes, scores, torch.tensor(case["idxs"], device=device), threshold)
    assert kept.tolist() == case["keep"]


@on_devices
@pytest.mark.parametrize("kind", PAIRWISE_KINDS)
@pytest.mark.parametrize("n", SIZES)
def test_greedy_against_the_reference(device, kind, n):
    """Oracle in float64; a pair whose score is a rounding error away from the threshold is not among these boxes."""
    boxes, scores, idxs = detections(n, device)
    for fmt in ("xyxy", "cxcywh"):
        given = encode(boxes, fmt)
        overlap = reference_nms.overlap_rule(kind, 1.0, fmt)
        for threshold in (0.2003, 0.6007):
            expected = reference_nms.nms(given.double(), scores, None, threshold, overlap)
            assert_indices(fastiou.nms(given, scores, threshold, kind=kind, fmt=fmt), expected)
            expected = reference_nms.nms(given.double(), scores, idxs, threshold, overlap)
            assert_indices(fastiou.batched_nms(given, scores, idxs, threshold, kind=kind, fmt=fmt), expected)
            mask = fastiou.nms_mask(given, scores, threshold, idxs=idxs, kind=kind, fmt=fmt)
            assert mask.dtype == torch.bool and mask.shape == (n,)
            assert mask.nonzero()[:, 0].tolist() == sorted(expected.tolist())


@on_devices
@pytest.mark.parametrize("kind, threshold", [("giou", -0.3003), ("diou", -0.1003), ("ciou", -0.1003)])
def test_negative_thresholds(device, kind, threshold):
    boxes, scores, _ = detections(200, device)
    overlap = reference_nms.overlap_rule(kind, 1.0, "xyxy")
    expected = reference_nms.nms(boxes.double(), scores, None, threshold, overlap)
    assert_indices(fastiou.nms(boxes, scores, threshold, kind=kind), expected)


@on_devices
@pytest.mark.parametrize("beta", [0.1, 0.6, 2.5])
def test_beta(device, beta):
    """IoU - (rho^2 / c^2)^beta, spelled from the pairwise scores in float64."""
    boxes, scores, _ = detections(300, device)
    double = boxes.double()
    iou, diou = (fastiou.pairwise_iou(double, double, kind) for kind in ("iou", "diou"))
    powered = iou - (iou - diou).clamp(min=0) ** beta
    rows = {tuple(box): i for i, box in enumerate(double.tolist())}

    def overlap(boxes1, boxes2):
        return powered[[[rows[tuple(b)]] for b in boxes1.tolist()], [rows[tuple(b)] for b in boxes2.tolist()]]

    expected = reference_nms.nms(double, scores, None, 0.2003, overlap)
    kept = fastiou.nms(boxes, scores, 0.2003, kind="diou", beta=beta)
    assert_indices(kept, expected)
    assert kept.tolist() != fastiou.nms(boxes, scores, 0.2003, kind="diou").tolist()


@on_devices
@pytest.mark.parametrize("method", ["gaussian", "linear"])
@pytest.mark.parametrize("kind", PAIRWISE_KINDS)
@pytest.mark.parametrize("n", SIZES)
def test_soft_against_the_reference(device, method, kind, n):
    boxes, scores, idxs = detections(n, device)
    scores = torch.linspace(0.2, 0.99, n, device=device)[torch.randperm(n)]  # no ties that rounding could turn
    overlap = reference_nms.overlap_rule(kind, 1.0, "xyxy")
    for classes in (None, idxs):
        options = (method == "gaussian", 0.5, 0.3003, 0.05)
        selected, decayed = fastiou.soft_nms(
            boxes, scores.double(), method=method, iou_threshold=0.3003, score_threshold=0.05, idxs=classes, kind=kind
        )
        expected, expected_scores = reference_nms.soft_nms(boxes.double(), scores.double(), classes, *options, overlap)
        assert_indices(selected, expected)
        torch.testing.assert_close(decayed, expected_scores, rtol=1e-12, atol=0)
        by_index = torch.zeros(2, n, device=device, dtype=torch.float64)
        single = fastiou.soft_nms(
            boxes, scores, method=method, iou_threshold=0.3003, score_threshold=0.05, idxs=classes, kind=kind
        )
        assert single[1].dtype == torch.float32
        by_index[0, expected], by_index[1, single[0]] = expected_scores, single[1].double()
        # In float32 a score may fall on the other side of the threshold.
        torch.testing.assert_close(by_index[1].clamp(min=0.0501), by_index[0].clamp(min=0.0501), rtol=1e-5, atol=0)


@on_devices
@pytest.mark.parametrize("method", ["gaussian", "linear"])
@pytest.mark.parametrize("kind", PAIRWISE_KINDS)
@pytest.mark.parametrize("n", SIZES)
def test_matrix_against_the_reference(device, method, kind, n):
    """The reference has the matrix, and the paper's quotient of f."""
    boxes, scores, idxs = detections(n, device)
    overlap = reference_nms.overlap_rule(kind, 1.0, "xyxy")
    for classes in (None, idxs):
        decayed = fastiou.matrix_nms(boxes, scores, idxs=classes, method=method, kind=kind)
        exact = fastiou.matrix_nms(boxes.double(), scores.double(), idxs=classes, method=method, kind=kind)
        expected = reference_nms.matrix_nms(
            boxes.double(), scores.double(), classes, method == "gaussian", 2.0, overlap
        )
        assert decayed.dtype == torch.float32 and exact.dtype == torch.float64
        torch.testing.assert_close(exact, expected, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(decayed, expected.float(), rtol=1e-4, atol=1e-6)


@on_devices
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("fmt", ["xyxy", "xywh", "cxcywh"])
def test_cluster_against_the_reference(device, n, fmt):
    boxes, scores, idxs = detections(n, device)
    boxes = encode(boxes, fmt)
    overlap = reference_nms.overlap_rule("iou", 1.0, fmt)
    for classes in (None, idxs):
        selected, merged, kept_scores = fastiou.cluster_nms(boxes, scores, 0.4003, idxs=classes, fmt=fmt)
        assert_indices(selected, reference_nms.nms(boxes.double(), scores, classes, 0.4003, overlap))
        expected = reference_nms.merge(boxes.double(), scores, classes, selected, 0.4003, overlap)
        torch.testing.assert_close(merged, expected.float(), rtol=1e-5, atol=1e-5)
        assert torch.equal(kept_scores, scores[selected])


@native
def test_exponential():
    """The kernels' exp, through a box that overlaps another completely: exp(-1 / sigma), to the last digits."""
    boxes = torch.tensor([[0.0, 0, 10, 10]] * 2)
    for dtype, least in ((torch.float32, 80), (torch.float64, 700)):
        for x in torch.linspace(1e-3, least, 400, dtype=torch.float64).tolist():
            _, (_, decayed) = fastiou.soft_nms(boxes, torch.ones(2, dtype=dtype), sigma=1 / x, score_threshold=0)
            exponent = float(torch.tensor(1 / (1 / x), dtype=dtype))  # as the kernel rounds it
            assert math.isclose(decayed.item(), math.exp(-exponent), rel_tol=4 * torch.finfo(dtype).eps)


# ------------------------------------------------------------------------------------------------------ what defines it
@on_devices
@pytest.mark.parametrize("kind", PAIRWISE_KINDS)
@pytest.mark.parametrize("n", [500, pytest.param(3000, marks=native)])
def test_properties_of_greedy(device, kind, n):
    """No two kept boxes of a class overlap; every other box is overlapped by a kept one that is better."""
    boxes, scores, idxs = detections(n, device)
    threshold = 0.35
    kept = fastiou.batched_nms(boxes, scores, idxs, threshold, kind=kind)
    overlaps = (fastiou.pairwise_iou(boxes, boxes, kind).double() > threshold) & (idxs[:, None] == idxs)
    rank = kept.new_empty(n)
    rank[scores.argsort(descending=True, stable=True)] = torch.arange(n, device=device)
    assert torch.equal(rank[kept], rank[kept].sort()[0])
    by_better = overlaps & (rank[:, None] < rank)
    assert not by_better[kept][:, kept].any()
    others = torch.ones(n, dtype=torch.bool, device=device)
    others[kept] = False
    assert others.any() and by_better[kept][:, others].any(0).all()


@on_devices
def test_classes_are_apart(device):
    """batched_nms is nms for every class, also where offsets would round coordinates away."""
    boxes, scores, idxs = detections(400, device)
    kept = fastiou.batched_nms(boxes, scores, idxs, 0.5)
    for c in idxs.unique():
        own = (idxs == c).nonzero()[:, 0]
        assert own[fastiou.nms(boxes[own], scores[own], 0.5)].tolist() == [i for i in kept.tolist() if idxs[i] == c]
    one = torch.zeros_like(idxs)
    assert_indices(fastiou.batched_nms(boxes, scores, one, 0.5), fastiou.nms(boxes, scores, 0.5))
    each = torch.arange(400, device=device, dtype=torch.int16)
    assert_indices(fastiou.batched_nms(boxes, scores, each, 0.0), scores.argsort(descending=True, stable=True))


@on_devices
@pytest.mark.parametrize("method", ["gaussian", "linear"])
def test_soft_scores_fall(device, method):
    boxes, scores, _ = detections(300, device)
    selected, decayed = fastiou.soft_nms(boxes, scores, method=method, score_threshold=0.1)
    assert (decayed <= scores[selected]).all() and (decayed >= 0.1).all() and (decayed.diff() <= 0).all()
    assert len(set(selected.tolist())) == len(selected) < 300
    matrix = fastiou.matrix_nms(boxes, scores, method=method)
    assert (matrix <= scores).all() and (matrix >= 0).all() and matrix.max() == scores.max()


@on_devices
def test_extreme_sigma(device):
    """The sharpest Gaussian leaves boxes alone that do not overlap, the flattest all."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]], device=device)
    scores = torch.tensor([0.9, 0.8, 0.7], device=device)
    assert fastiou.soft_nms(boxes, scores, sigma=1e-300)[0].tolist() == [0, 2]
    assert fastiou.soft_nms(boxes, scores, sigma=1e300)[0].tolist() == [0, 1, 2]
    assert torch.equal(fastiou.matrix_nms(boxes, scores, sigma=1e300), scores * scores.new_tensor([1, 0, 1]))
    assert torch.equal(fastiou.matrix_nms(boxes, scores, sigma=1e-300), scores)


@on_devices
def test_linear_from_the_threshold_on(device):
    """A score equal to the threshold decays, as in mmcv: 1/2 here."""
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 5], [0, 0, 10, 4]], device=device)
    scores = torch.tensor([0.9, 0.8, 0.5], device=device)
    selected, decayed = fastiou.soft_nms(boxes, scores, method="linear", iou_threshold=0.5)
    assert selected.tolist() == [0, 2, 1]  # 0.8 * 1/2, and then 0.5 * (1 - 4/5) beside the one better than both
    torch.testing.assert_close(decayed.cpu(), torch.tensor([0.9, 0.5, 0.8 * 0.5 * 0.2]))


@on_devices
@pytest.mark.parametrize("kind", ["iou", "giou"])
def test_cluster_survivors(device, kind):
    """Indices as of nms; without weights the very boxes; a box that suppresses none stays as it is."""
    boxes, scores, idxs = detections(300, device)
    plain = fastiou.cluster_nms(boxes, scores, 0.5, idxs=idxs, kind=kind, weighted=False)
    selected, merged, _ = fastiou.cluster_nms(boxes, scores, 0.5, idxs=idxs, kind=kind)
    assert_indices(selected, fastiou.batched_nms(boxes, scores, idxs, 0.5, kind=kind))
    assert_indices(plain[0], selected)
    assert torch.equal(plain[1], boxes[selected]) and not torch.equal(merged, boxes[selected])
    alone = fastiou.cluster_nms(boxes[:1], scores[:1] + 0.1, 0.5)
    assert torch.equal(alone[1], boxes[:1])


@on_devices
def test_deterministic(device):
    boxes, scores, idxs = detections(700, device)
    first, second = (fastiou.cluster_nms(boxes, scores, 0.5, idxs=idxs) for _ in range(2))
    assert all(map(torch.equal, first, second))


# ---------------------------------------------------------------------------------------------------- all that comes in
@on_devices
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.int16, torch.int64])
def test_dtypes(device, dtype):
    """Of boxes: the same answer as for the same numbers in float64. Half precision is computed in float32."""
    boxes, scores, _ = detections(200, device)
    boxes = boxes.to(dtype)
    expected = fastiou.nms(boxes.double(), scores, 0.4003)
    assert_indices(fastiou.nms(boxes, scores, 0.4003), expected)
    for score_dtype in (torch.float16, torch.bfloat16, torch.float64):
        rounded = scores.to(score_dtype)
        assert_indices(fastiou.nms(boxes, rounded, 0.4003), fastiou.nms(boxes.double(), rounded.double(), 0.4003))
    merged = fastiou.cluster_nms(boxes, scores, 0.4003)[1]
    floating = {torch.uint8: torch.float32, torch.int16: torch.float32, torch.int64: torch.float64}
    assert merged.dtype == floating.get(dtype, dtype)
    assert fastiou.cluster_nms(boxes, scores, 0.4003, weighted=False)[1].dtype == merged.dtype


@on_devices
def test_strides_and_gradients(device):
    boxes, scores, idxs = detections(200, device)
    expected = fastiou.batched_nms(boxes, scores, idxs, 0.4)
    wide = torch.full((200, 9), float("nan"), device=device)
    wide[:, 1::2] = boxes
    rows = torch.stack([scores, idxs.float()], 1).requires_grad_()  # columns of one tensor
    for given in (wide[:, 1::2], boxes.T.contiguous().T, boxes.flip(0).flip(0)):
        given = given.detach().requires_grad_()
        assert_indices(fastiou.batched_nms(given, rows[:, 0], idxs[:, None].expand(-1, 2)[:, 1], 0.4), expected)
    assert not fastiou.cluster_nms(given, rows[:, 0], 0.4)[1].requires_grad


@on_devices
def test_nothing(device):
    for dtype in (torch.float32, torch.float16, torch.int32):
        boxes = torch.empty(0, 4, device=device, dtype=dtype)
        scores = torch.empty(0, device=device)
        idxs = torch.empty(0, device=device, dtype=torch.int64)
        for kept in (fastiou.nms(boxes, scores, 0.5), fastiou.batched_nms(boxes, scores, idxs, 0.5)):
            assert kept.shape == (0,) and kept.dtype == torch.int64
        assert fastiou.nms_mask(boxes, scores, 0.5).shape == (0,)
        assert [x.shape for x in fastiou.soft_nms(boxes, scores)] == [(0,), (0,)]
        assert fastiou.matrix_nms(boxes, scores).shape == (0,)
        assert [x.shape for x in fastiou.cluster_nms(boxes, scores, 0.5)] == [(0,), (0, 4), (0,)]


@on_devices
def test_scores_without_order(device):
    """NaN is no score, both infinities are, both zeros are one."""
    boxes = torch.tensor([[0.0, 0, 10, 10]] * 6, device=device)
    scores = torch.tensor([math.nan, -math.inf, 0.5, math.nan, -math.inf, 0.4], device=device)
    assert fastiou.nms(boxes, scores, 0.5).tolist() == [2]
    assert fastiou.nms_mask(boxes, scores, 0.5).tolist() == [False, False, True, False, False, False]
    assert fastiou.nms(boxes, scores, 1.0).tolist() == [2, 5, 1, 4]
    assert fastiou.nms(boxes, torch.full_like(scores, math.nan), 0.5).tolist() == []
    assert fastiou.nms(boxes, scores.new_tensor([-0.0, 0, -0.0, 0, math.inf, -0.0]), 1.0).tolist() == [4, 0, 1, 2, 3, 5]
    selected, decayed = fastiou.soft_nms(boxes, scores)
    assert selected.tolist() == [2, 5]
    torch.testing.assert_close(decayed.cpu(), torch.tensor([0.5, 0.4 * math.exp(-2)]))
    assert fastiou.matrix_nms(boxes, scores, method="linear").tolist() == [0, 0, 0.5, 0, 0, 0]
    assert not fastiou.matrix_nms(boxes, scores).isnan().any()
    merged = fastiou.cluster_nms(boxes, scores, 0.5)[1]
    assert merged.tolist() == [[0, 0, 10, 10]]


@on_devices
@pytest.mark.parametrize("kind", ["iou", "iof", "diou"])
def test_boxes_that_overlap_nothing(device, kind):
    """NaN, infinity, no area: kept, whatever is beside them; also in a tile of ordinary boxes."""
    odd = torch.tensor(
        [[math.nan, 0, 10, 10], [0, 0, math.inf, 10], [-math.inf, 0, 10, math.inf], [5, 5, 5, 5], [5, 5, 5, 9]],
        device=device,
    ).repeat(2, 1)
    boxes, scores, _ = detections(300, device)
    boxes, scores = torch.cat([boxes, odd]), torch.cat([scores, torch.linspace(-1, 2, 10, device=device)])
    kept = fastiou.nms(boxes, scores, 0.5, kind=kind)
    ours = fastiou.nms(boxes[:300], scores[:300], 0.5, kind=kind)
    assert [i for i in kept.tolist() if i < 300] == ours.tolist()
    assert set(range(300, 310)) - {308} <= set(kept.tolist()) | {303, 308}
    if kind == "iou":
        assert set(range(300, 310)) <= set(kept.tolist())
        decayed = fastiou.matrix_nms(boxes, scores.clamp(min=0.1))
        assert torch.equal(decayed[300:], scores[300:].clamp(min=0.1))
    _, merged, _ = fastiou.cluster_nms(boxes, scores, 0.5, kind=kind)
    same = (kept >= 300) & (kept < 303)
    torch.testing.assert_close(merged[same], boxes[kept[same]], equal_nan=True, rtol=0, atol=0)


@on_devices
def test_huge_and_tiny_boxes(device):
    """Scores do not depend on the scale, not even where areas overflow or vanish."""
    boxes, scores, _ = detections(100, device, torch.float64)
    expected = fastiou.nms(boxes, scores, 0.4003)
    for scale in (2.0**-100, 2.0**100):
        scaled = (boxes * scale).float()
        assert_indices(fastiou.nms(scaled, scores, 0.4003), expected)
        mixed = torch.cat([boxes.float(), scaled])
        kept = fastiou.nms(mixed, torch.cat([scores + 1, scores]), 0.4003).tolist()
        assert kept == expected.tolist() + [100 + i for i in expected.tolist()]


@on_devices
def test_all_identical(device):
    boxes = torch.tensor([[1.0, 2, 30, 40]], device=device).repeat(700, 1)
    scores = torch.full((700,), 0.5, device=device)
    assert fastiou.nms(boxes, scores, 0.5).tolist() == [0]
    assert fastiou.nms(boxes, scores, 1.0).tolist() == list(range(700))
    assert fastiou.soft_nms(boxes, scores, method="linear")[0].tolist() == [0]
    assert fastiou.matrix_nms(boxes, scores, method="linear").tolist() == [0.5] + [0.0] * 699
    _, merged, _ = fastiou.cluster_nms(boxes, scores, 0.5)
    torch.testing.assert_close(merged, boxes[:1])
