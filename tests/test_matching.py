"""Matching without the matrix: against the matrix, and against the matchers of torchvision and MMDetection."""

import json
from pathlib import Path

import pytest
import torch
from axes import DEVICES

import fastiou
from fastiou import reference

GOLDEN = json.loads((Path(__file__).parent / "data" / "matching.json").read_text())
PAIRWISE_KINDS = fastiou.pairwise_kinds()
pytestmark = pytest.mark.parametrize("device", DEVICES)


def boxes_of(*shape, seed=0, side=100.0, dtype=torch.float32, device="cpu"):
    """Random corners in multiples of 1/2, so that equal scores are common."""
    g = torch.Generator().manual_seed(seed)
    corner = (torch.rand(*shape, 2, generator=g) * side * 2).round() / 2
    size = (torch.rand(*shape, 2, generator=g) * side / 2).round() / 2 + 0.5
    return torch.cat([corner, corner + size], -1).to(device, dtype)


def by_the_matrix(boxes, gts, kind, boxes_mask=None, gts_mask=None, **kwargs):
    """max_iou() from the full matrix of fastiou's own scores: the same bits, ties to the lowest index."""
    scores = fastiou.pairwise_iou(boxes, gts, kind, **kwargs).double()
    there = boxes.isfinite().all(-1)[..., :, None] & gts.isfinite().all(-1)[..., None, :]
    if boxes_mask is not None:
        there = there & boxes_mask[..., :, None]
    if gts_mask is not None:
        there = there & gts_mask[..., None, :]
    scores = scores.where(there, -torch.inf)
    return *reference._best(scores, -1), *reference._best(scores, -2)


def assert_matches(actual, expected):
    for a, b in zip(actual, expected, strict=True):
        assert a.shape == b.shape
        assert torch.equal(a.double(), b.double())


@pytest.mark.parametrize("kind", PAIRWISE_KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int16], ids=str)
def test_equals_the_matrix(device, kind, dtype):
    """Bit for bit, for sizes that fill no tile, one tile and several chunks."""
    for n, m in ((1, 1), (300, 7), (5000, 30), (40, 300)):
        boxes, gts = boxes_of(n, device=device, dtype=dtype), boxes_of(m, seed=1, device=device, dtype=dtype)
        assert_matches(fastiou.max_iou(boxes, gts, kind), by_the_matrix(boxes, gts, kind))


@pytest.mark.parametrize("kind", PAIRWISE_KINDS)
def test_masks_batches_and_boxes_of_no_value(device, kind):
    boxes, gts = boxes_of(3, 1, 700, device=device), boxes_of(2, 40, seed=1, device=device)
    boxes[0, 0, 5, 1], boxes[1, 0, 7, 2], gts[1, 3, 0] = float("nan"), float("inf"), float("nan")
    boxes[2, 0, 9] = torch.tensor([9.0, 9.0, 3.0, 3.0])  # inverted
    gts[0, 4] = torch.tensor([-1e30, -1e30, 1e30, 1e30])
    boxes_mask = torch.rand(3, 1, 700, device=device) > 0.1
    gts_mask = torch.rand(2, 40, device=device) > 0.3
    gts_mask[1] &= torch.arange(40, device=device) < 3
    actual = fastiou.max_iou(boxes, gts, kind, boxes_mask=boxes_mask, gts_mask=gts_mask)
    assert_matches(actual, by_the_matrix(boxes, gts, kind, boxes_mask, gts_mask))
    assert actual.values.shape == (3, 2, 700) and actual.gt_indices.shape == (3, 2, 40)


@pytest.mark.parametrize("kind", PAIRWISE_KINDS)
def test_far_apart_boxes_match_the_first(device, kind):
    """Early rejection does not change the answer: scores of 0 are ties as well."""
    boxes = boxes_of(1000, device=device)
    gts = torch.cat([boxes_of(3, seed=1, device=device) + 1e4, boxes_of(3, seed=2, device=device)])
    assert_matches(fastiou.max_iou(boxes, gts, kind), by_the_matrix(boxes, gts, kind))


@pytest.mark.parametrize("fmt", ["xyxy", "cxcywh"])
def test_the_largest_boxes_match(device, fmt):
    """Finite boxes take part, even those whose coordinates have no finite sum."""
    for dtype, size in ((torch.float32, 3e38), (torch.float64, 1.5e308)):
        boxes = torch.tensor([[0, 0, size, size], [0, 0, 1, 1], [size, size, size / 3, size / 3]], dtype=dtype)
        best = fastiou.max_iou(boxes.to(device), boxes[[2, 0]].to(device), fmt=fmt)
        assert (best.indices >= 0).all() and (best.gt_indices >= 0).all()


def test_odd_boxes_among_many(device):
    """Inverted, huge and absent boxes in every tile, on both sides: the same answer as the matrix."""
    boxes, gts = boxes_of(2000, device=device), boxes_of(60, seed=1, device=device)
    boxes[::50] = boxes[::50].flip(-1)
    boxes[7::300] *= 1e30
    boxes[9::200, 1] = float("nan")
    gts[::7] = gts[::7].flip(-1)
    gts[3] = torch.tensor([-1e30, -1e30, 1e30, 1e30])
    mask = torch.arange(2000, device=device) % 11 != 3
    for kind in PAIRWISE_KINDS:
        actual = fastiou.max_iou(boxes, gts, kind, boxes_mask=mask)
        assert_matches(actual, by_the_matrix(boxes, gts, kind, mask))


def test_nothing_to_match(device):
    for n, m in ((0, 0), (0, 4), (5, 0)):
        best = fastiou.max_iou(boxes_of(n, device=device), boxes_of(m, device=device))
        assert best.values.tolist() == [0] * n and best.indices.tolist() == [-1] * n
        assert best.gt_values.tolist() == [0] * m and best.gt_indices.tolist() == [-1] * m
    batch = fastiou.max_iou(boxes_of(0, 5, device=device), boxes_of(4, device=device))
    assert batch.values.shape == (0, 5) and batch.gt_values.shape == (0, 4)
    assert batch.indices.dtype == torch.int64


def test_formats_and_integers(device):
    boxes, gts = boxes_of(50, device=device), boxes_of(9, seed=1, device=device)
    expected = fastiou.max_iou(boxes, gts)
    xywh = torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], -1)
    assert_matches(fastiou.max_iou(xywh, gts, fmt=("xywh", "xyxy")), expected)
    wide = fastiou.max_iou((boxes * 2).int() + 2**25, (gts * 2).int() + 2**25)
    assert torch.equal(wide.indices, expected.indices) and wide.values.dtype == torch.float32


def test_is_constant_for_autograd(device):
    boxes = boxes_of(5, device=device).requires_grad_()
    assert not fastiou.max_iou(boxes, boxes).values.requires_grad


def test_vmap(device):
    boxes, gts = boxes_of(4, 30, device=device), boxes_of(4, 6, seed=1, device=device)
    mapped = torch.vmap(lambda b, g: tuple(fastiou.max_iou(b, g)))(boxes, gts)
    assert_matches(mapped, fastiou.max_iou(boxes, gts))
    shared = torch.vmap(lambda b: tuple(fastiou.max_iou(b, gts)))(boxes)
    assert_matches(shared, fastiou.max_iou(boxes[:, None], gts))


@pytest.mark.parametrize("low_quality", [False, True])
def test_compile(device, low_quality):
    torch._dynamo.reset()
    matcher = fastiou.Matcher(0.5, 0.3, low_quality)
    compiled = torch.compile(lambda b, g: matcher(b, g), fullgraph=True, dynamic=True)
    for n, m in ((30, 5), (60, 9)):
        boxes, gts = boxes_of(n, device=device), boxes_of(m, seed=1, device=device)
        assert torch.equal(compiled(boxes, gts), matcher(boxes, gts))


@pytest.mark.skipif(fastiou.backend() == "fallback", reason="the operators are not compiled")
@pytest.mark.parametrize("batch", [(), (2,)], ids=str)
def test_opcheck(device, batch):
    boxes, gts = boxes_of(*batch, 20, device=device), boxes_of(*batch, 6, seed=1, device=device)
    mask = torch.rand(*batch, 6, device=device) > 0.3
    options = (0, 0, 0, 0.0, 0.0, 0.0)
    torch.library.opcheck(torch.ops.fastiou.max_iou.default, (boxes, gts, None, mask, *options))
    best = torch.ops.fastiou.max_iou(boxes, gts, None, mask, *options)
    torch.library.opcheck(torch.ops.fastiou.tied_gts.default, (boxes, gts, None, mask, best[2], 0.1, *options))


# ---------------------------------------------------------------------------------------------- matchers and assigners
MATCHERS = {
    "retinanet_0_5_0_4_low_quality": fastiou.Matcher(0.5, 0.4, True),
    "rpn_0_7_0_3_low_quality": fastiou.Matcher(0.7, 0.3, True),
    "plain_0_5_0_4": fastiou.Matcher(0.5, 0.4),
    "ssd_0_5": fastiou.SSDMatcher(0.5),
}


@pytest.mark.parametrize("name", MATCHERS)
@pytest.mark.parametrize("case", GOLDEN["torchvision"], ids=lambda c: f"{len(c['gt_boxes'])}-gts")
def test_torchvision_matchers(device, name, case):
    anchors, gts = (torch.tensor(case[k], device=device) for k in ("anchors", "gt_boxes"))
    assert MATCHERS[name](anchors, gts).tolist() == case[name]


ASSIGNERS = {
    "max_iou_0_5_0_4": fastiou.MaxIoUAssigner(0.5, 0.4),
    "max_iou_0_5_0_5_min_0_3": fastiou.MaxIoUAssigner(0.5, 0.5, min_pos_iou=0.3),
}


@pytest.mark.parametrize("name", ASSIGNERS)
@pytest.mark.parametrize("case", GOLDEN["mmdet"], ids=lambda c: f"{len(c['gt_boxes'])}-gts")
def test_mmdet_assigner(device, name, case):
    priors = torch.tensor(case["priors"], device=device)
    gts = torch.tensor(case["gt_boxes"], device=device).reshape(-1, 4)
    labels = torch.tensor(case["gt_labels"], dtype=torch.int64, device=device)
    assigned = ASSIGNERS[name](priors, gts, labels)
    assert assigned.gt_inds.tolist() == case[name]["gt_inds"]
    assert assigned.labels.tolist() == case[name]["labels"]
    torch.testing.assert_close(assigned.max_overlaps.cpu(), torch.tensor(case[name]["max_overlaps"]))


def matcher_by_the_matrix(quality, high, low, low_quality):
    """torchvision's matcher, written down from its description; quality (M, N)."""
    best, matches = quality.max(0)
    everything = matches.clone()
    matches[(best >= low) & (best < high)] = -2
    matches[best < low] = -1
    if low_quality:
        _, attained = torch.where(quality == quality.max(1).values[:, None])
        matches[attained] = everything[attained]
    return matches


@pytest.mark.parametrize("low_quality", [False, True])
def test_matcher_by_the_matrix(device, low_quality):
    """With gts that nothing overlaps, and exact ties."""
    boxes = boxes_of(500, device=device)
    gts = torch.cat([boxes[[3, 3, 40]], boxes_of(4, seed=7, device=device), boxes_of(1, seed=8, device=device) + 1e4])
    quality = fastiou.box_iou(gts, boxes)
    expected = matcher_by_the_matrix(quality, 0.5, 0.3, low_quality)
    assert torch.equal(fastiou.Matcher(0.5, 0.3, low_quality)(boxes, gts), expected)


def test_matchers_on_padded_batches(device):
    boxes, gts = boxes_of(3, 200, device=device), boxes_of(3, 8, seed=1, device=device)
    counts = torch.tensor([8, 3, 0], device=device)
    mask = torch.arange(8, device=device) < counts[:, None]
    for matcher in MATCHERS.values():
        padded = matcher(boxes, gts, gts_mask=mask)
        for i, n in enumerate(counts.tolist()):
            assert torch.equal(padded[i], matcher(boxes[i], gts[i, :n]))
    for assigner in ASSIGNERS.values():
        padded = assigner(boxes, gts, torch.arange(8, device=device), gts_mask=mask)
        for i, n in enumerate(counts.tolist()):
            single = assigner(boxes[i], gts[i, :n], torch.arange(n, device=device))
            assert all(torch.equal(a[i], b) for a, b in zip(padded, single, strict=True))


def assigner_by_the_matrix(overlaps, pos, neg, least, every, ignored):
    """MMDetection's assignment, written down from its description; overlaps (M, N)."""
    overlaps[:, ignored] = -1
    best, which = overlaps.max(0)
    gt_inds = torch.full_like(which, -1)
    gt_inds[(best >= neg[0]) & (best < neg[1])] = 0
    gt_inds[best >= pos] = which[best >= pos] + 1
    for i, (value, where) in enumerate(zip(*overlaps.max(1), strict=True)):
        if value >= least:
            gt_inds[overlaps[i] == value if every else where] = i + 1
    return gt_inds, best


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize("wrt_candidates", [True, False])
@pytest.mark.parametrize("neg", [0.4, (0.1, 0.4)], ids=str)
def test_assigner_with_ignore_regions(device, every, wrt_candidates, neg):
    boxes = boxes_of(500, device=device)
    gts, ignore = boxes_of(9, seed=1, device=device), boxes_of(3, seed=2, side=150, device=device)
    gts[5] = gts[4]
    if wrt_candidates:
        share = fastiou.pairwise_iou(boxes, ignore, "iof").amax(1)
    else:
        share = fastiou.pairwise_iou(ignore, boxes, "iof").amax(0)
    ignored = share > 0.3
    assert 0 < ignored.sum() < 500
    pair = neg if isinstance(neg, tuple) else (0.0, neg)
    expected = assigner_by_the_matrix(fastiou.box_iou(gts, boxes), 0.5, pair, 0.2, every, ignored)
    assigner = fastiou.MaxIoUAssigner(
        0.5, neg, 0.2, gt_max_assign_all=every, ignore_iof_thr=0.3, ignore_wrt_candidates=wrt_candidates
    )
    assigned = assigner(boxes, gts, ignore=ignore)
    assert torch.equal(assigned.gt_inds, expected[0]) and torch.equal(assigned.max_overlaps, expected[1])
    assert assigned.labels is None


def test_no_gts_is_background(device):
    """Whatever the thresholds, and for a padded sample as for an empty set; nothing is ignored then."""
    boxes = boxes_of(20, device=device)
    assigner = fastiou.MaxIoUAssigner(0.5, [0.1, 0.4], ignore_iof_thr=0.3)
    none = torch.zeros(0, 4, device=device)
    assert (assigner(boxes, none, ignore=boxes).gt_inds == 0).all()
    padded = assigner(boxes[None], boxes[None, :3], gts_mask=torch.zeros(1, 3, dtype=torch.bool, device=device))
    assert (padded.gt_inds == 0).all()


def test_labels_are_int64(device):
    boxes = boxes_of(20, device=device)
    labels = torch.tensor([7], dtype=torch.uint8, device=device)
    assigned = fastiou.MaxIoUAssigner(0.5, 0.4)(boxes, boxes[:1], labels)
    assert assigned.labels.dtype == torch.int64 and set(assigned.labels.tolist()) == {7, -1}


def test_shapes_of_several_batch_dimensions(device):
    """Also where the flattened batch looks like the batch."""
    for batch, n in (((6, 1), 1), ((1, 1), 1), ((0, 3), 3), ((2, 3), 2)):
        boxes, gts = torch.rand(*batch, n, 4, device=device), torch.rand(*batch, 5, 4, device=device)
        assert fastiou.pairwise_iou(boxes, gts).shape == (*batch, n, 5)
        best = fastiou.max_iou(boxes, gts)
        assert best.values.shape == (*batch, n) and best.gt_indices.shape == (*batch, 5)
        assert fastiou.Matcher(0.5, 0.4, True)(boxes, gts).shape == (*batch, n)


def test_errors(device):
    boxes = boxes_of(3, device=device)
    assigner = fastiou.MaxIoUAssigner(0.5, 0.4, ignore_iof_thr=0.5)
    with pytest.raises(ValueError, match=r"gts: expected shape \(..., N, 4\), got \(3, 5\)"):
        fastiou.max_iou(boxes, torch.zeros(3, 5, device=device))
    with pytest.raises(ValueError, match=r"kind: expected one of .iou., .*, got .siou."):
        fastiou.max_iou(boxes, boxes, "siou")
    with pytest.raises(TypeError, match=r"gts_mask: expected torch\.bool, got torch\.float32"):
        fastiou.max_iou(boxes, boxes, gts_mask=torch.ones(3, device=device))
    with pytest.raises(ValueError, match=r"boxes_mask: expected shape \(..., 3\), one for every box, got \(2,\)"):
        fastiou.max_iou(boxes, boxes, boxes_mask=torch.ones(2, dtype=torch.bool, device=device))
    with pytest.raises(ValueError, match=r"low_threshold: expected at most high_threshold 0\.3, got 0\.5"):
        fastiou.Matcher(0.3, 0.5)
    for call, message in (
        (lambda: fastiou.MaxIoUAssigner(0.5, 0.4, kind="siou"), "kind: expected one of"),
        (lambda: fastiou.MaxIoUAssigner("x", 0.4), "pos_iou_thr: expected a finite number, got 'x'"),
        (lambda: fastiou.MaxIoUAssigner(0.5, (0.1, 0.2, 0.3)), r"neg_iou_thr: expected a number or a pair"),
        (lambda: fastiou.Matcher(float("nan"), 0.4), "high_threshold: expected a finite number, got nan"),
        (lambda: fastiou.Matcher(0.5, 0.4, fmt="ltrb"), r"fmt: expected one of 'xyxy', 'xywh', 'cxcywh', got 'ltrb'"),
        (lambda: fastiou.SSDMatcher(None), "threshold: expected a finite number, got None"),
        (
            lambda: assigner(boxes, boxes, boxes[0, :2].long()),
            r"gt_labels: expected shape \(..., 3\), one for every gt",
        ),
        (lambda: assigner(boxes, boxes, ignore=boxes[0]), r"ignore: expected shape \(..., N, 4\), got \(4,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match=r"gt_labels: expected a tensor of integers \(..., M\), got list"):
        assigner(boxes, boxes, [1, 2, 3])
