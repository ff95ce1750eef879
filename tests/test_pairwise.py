"""Pairwise scores: against the float64 oracle, the aligned losses, the peers' answers, and everything torch expects."""

import json
from pathlib import Path

import pytest
import torch
import torch._dynamo.testing
from axes import DEVICES, EDGE_BOXES, TOLERANCE, assert_grad_close
from sets import scores_and_grads, sets

import fastiou
from fastiou import reference

DATA = json.loads((Path(__file__).parent / "data" / "pairwise_peers.json").read_text())
KINDS = fastiou.pairwise_kinds()
DTYPES = list(TOLERANCE)
#: Sizes that fill no lane, some, a tile and more; a set that is much smaller than the other; none at all.
SIZES = [(1, 1), (3, 5), (33, 100), (300, 3), (3, 300), (140, 261), (0, 4), (4, 0)]
pytestmark = pytest.mark.parametrize("device", DEVICES)
native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="the operators are not compiled")


def oracle(boxes1, boxes2, kind, eps=0.0, **kwargs):
    return scores_and_grads(reference.pairwise, boxes1.double(), boxes2.double(), kind, eps, **kwargs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_against_the_oracle(device, kind, dtype):
    value_tolerance, grad_tolerance = TOLERANCE[dtype]
    for n, m in SIZES:
        boxes1, boxes2 = sets(n, m, dtype=dtype, device=device)
        grad = torch.rand(n, m, dtype=torch.float64, device=device) * 2 - 1
        expected = oracle(boxes1, boxes2, kind, grad=grad)
        actual = scores_and_grads(fastiou.pairwise_iou, boxes1, boxes2, kind, grad=grad)
        assert actual[0].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
        assert actual[1].dtype == actual[2].dtype == dtype
        torch.testing.assert_close(actual[0].double(), expected[0], rtol=value_tolerance, atol=value_tolerance)
        # Many terms cancel in a sum, so it is as exact as the largest of them.
        for a, e, count in ((actual[1], expected[1], m), (actual[2], expected[2], n)):
            assert_grad_close(a, e, grad_tolerance * max(count, 1) ** 0.5)


@pytest.mark.parametrize("kind", fastiou.kinds())
def test_equals_the_aligned_loss(device, kind):
    """1 - score is the loss, with the same eps, wherever the loss is 1 - score."""
    boxes1, boxes2 = sets(50, 50, device=device)
    score = fastiou.pairwise_iou(boxes1, boxes2, kind, eps=1e-3).diagonal()
    loss = fastiou.iou_loss(boxes1, boxes2, kind, eps=1e-3)
    expected = reference.KINDS[kind].loss(score, reference.Eps(1e-3, 1e-3, 1e-3))
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)


FUNCTIONS = {
    "box_iou": fastiou.box_iou,
    "generalized_box_iou": fastiou.generalized_box_iou,
    "distance_box_iou": fastiou.distance_box_iou,
    "complete_box_iou": fastiou.complete_box_iou,
    "bbox_overlaps_iou": lambda a, b: fastiou.pairwise_iou(a, b),
    "bbox_overlaps_iof": lambda a, b: fastiou.pairwise_iou(a, b, "iof"),
    "bbox_overlaps_giou": lambda a, b: fastiou.pairwise_iou(a, b, "giou"),
}
#: Ultralytics has an eps of 1e-7 beside the union.
ULTRALYTICS = {"box_iou": lambda a, b: fastiou.pairwise_iou(a, b, eps=1e-7)}
#: Here all peers let an intersection of 0 pull at its edges (an inclusive clamp), or hold a denominator; we do neither.
OTHER_GRADIENT = ("touching_edge", "touching_corner", "zero_height_pred", "point_pred", "point_target", "inverted_pred")


@pytest.mark.parametrize("case", DATA["pairwise"], ids=lambda c: f"{c['peer']}-{c['function']}-{c['group']}")
def test_peers(device, case):
    """Values and gradients of torchvision, MMDetection and Ultralytics to 1e-6, wherever those are finite."""
    boxes = DATA["inputs"][case["group"]]
    boxes1, boxes2 = (torch.tensor(boxes[k], dtype=torch.float64, device=device) for k in ("boxes1", "boxes2"))
    n, m = len(boxes1), len(boxes2)
    cotangent = torch.linspace(0.5, 1.5, n * m, dtype=torch.float64, device=device).reshape(n, m)
    functions = ULTRALYTICS if case["peer"] == "ultralytics" else FUNCTIONS
    actual = scores_and_grads(functions[case["function"]], boxes1, boxes2, grad=cotangent)
    for ours, key in zip(actual, ("value", "grad_boxes1", "grad_boxes2"), strict=True):
        theirs = torch.tensor([[float(x) for x in row] for row in case[key]], dtype=torch.float64, device=device)
        assert ours.isfinite().all()
        if key != "value" and case["group"] in OTHER_GRADIENT:
            continue
        finite = theirs.isfinite()
        torch.testing.assert_close(ours[finite], theirs[finite], rtol=1e-6, atol=1e-6)
        assert finite.any() or "point" in case["group"]


def edge_boxes(dtype=torch.float32, device="cpu"):
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64)
    return boxes[boxes.abs().amax(-1) <= torch.finfo(dtype).max].to(device, dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_degenerate_boxes_are_finite(device, kind, dtype):
    """Points, lines, inverted, huge and tiny boxes: finite; the oracle's values among their like."""
    boxes = edge_boxes(dtype, device)
    scores, *grads = scores_and_grads(fastiou.pairwise_iou, boxes, boxes, kind)
    assert scores.isfinite().all() and all(g.isfinite().all() for g in grads)
    side = (boxes[:, 2:] - boxes[:, :2]).double().abs().amax(-1)
    like = [(side > 1e-3) & (side < 1e5), (side > 1e29) & (boxes[:, 3] > 1), (side < 1e-29) & (side > 1e-31)]
    for these in like:  # a box that is 1e30 times as small as another one is a point beside it, in float32
        own = boxes[these]
        expected = reference.pairwise(own.double(), own.double(), kind)
        torch.testing.assert_close(scores[these][:, these].double(), expected, rtol=2e-5, atol=2e-5)
    by_row = fastiou.pairwise_iou(boxes[:, None], boxes[:, None].expand(-1, 2, 4), kind)[..., 0].squeeze(-1)
    torch.testing.assert_close(scores.diagonal(), by_row)  # a box's neighbours in its tile do not matter


@pytest.mark.parametrize("kind", KINDS)
def test_empty_areas_score_nothing_with_themselves(device, kind):
    points = torch.tensor([[4.0, 4, 4, 4], [0, 0, 0, 0], [1, 2, 5, 2]], device=device)
    scores, *grads = scores_and_grads(fastiou.pairwise_iou, points, points, kind)
    assert (scores.diagonal() == 0).all() and all(g.isfinite().all() for g in grads)


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_with_nan_or_infinity(device, kind):
    boxes1, boxes2 = sets(40, 30, device=device)
    boxes1[3, 2], boxes1[7, 0], boxes2[5, 3] = float("nan"), float("inf"), float("nan")
    scores = fastiou.pairwise_iou(boxes1, boxes2, kind)
    bad = torch.zeros(40, 30, dtype=torch.bool, device=device)
    bad[[3, 7]] = True
    bad[:, 5] = True
    assert torch.equal(scores.isnan(), bad)
    clean = fastiou.pairwise_iou(boxes1.nan_to_num(1.0, 1.0), boxes2.nan_to_num(1.0), kind)
    assert torch.equal(scores[~bad], clean[~bad])


@pytest.mark.parametrize("kind", KINDS)
def test_masks(device, kind):
    """Padding scores 0 and gets no gradient, even if it is NaN; nobody else notices it."""
    boxes1, boxes2 = sets(60, 40, 2, device=device)
    mask1, mask2 = torch.rand(2, 60, device=device) > 0.3, torch.rand(40, device=device) > 0.3
    clean1, clean2 = boxes1, boxes2
    boxes1 = boxes1.where(mask1[..., None], float("nan"))
    boxes2 = boxes2.where(mask2[..., None], float("inf"))
    grad = torch.rand(2, 60, 40, device=device)
    actual = scores_and_grads(fastiou.pairwise_iou, boxes1, boxes2, kind, grad=grad, mask1=mask1, mask2=mask2)
    both = mask1[..., None] & mask2
    expected = scores_and_grads(fastiou.pairwise_iou, clean1, clean2, kind, grad=grad * both)
    assert torch.equal(actual[0], expected[0].where(both, 0))
    for a, e, mask in zip(actual[1:], expected[1:], (mask1, mask2), strict=True):
        assert (a[~mask.expand(a.shape[:-1])] == 0).all()
        torch.testing.assert_close(a, e.where(mask[..., None], 0), rtol=1e-5, atol=1e-6)


def test_batches_broadcast(device):
    boxes1, boxes2 = sets(6, 9, 3, 1, device=device)
    boxes2 = boxes2[0].expand(2, 9, 4)
    grad = torch.rand(3, 2, 6, 9, device=device)
    actual = scores_and_grads(fastiou.pairwise_iou, boxes1, boxes2, "giou", grad=grad)
    assert actual[0].shape == (3, 2, 6, 9)
    expected = oracle(boxes1, boxes2, "giou", grad=grad.double())
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a.double(), e, rtol=1e-5, atol=1e-5)
    assert fastiou.box_iou(boxes1[:0], boxes2).shape == (0, 2, 6, 9)


@pytest.mark.parametrize("fmt", ["xyxy", "xywh", "cxcywh", ("cxcywh", "xyxy"), ("xyxy", "xywh")], ids=str)
def test_formats(device, fmt):
    """The same boxes, however they are written; the gradient comes back in the same format."""
    formats = (fmt, fmt) if isinstance(fmt, str) else fmt

    def written(boxes, f):
        size = boxes[..., 2:] - boxes[..., :2]
        start = {"xyxy": boxes[..., :2], "xywh": boxes[..., :2], "cxcywh": boxes[..., :2] + size / 2}[f]
        return torch.cat([start, boxes[..., 2:] if f == "xyxy" else size], -1)

    boxes1, boxes2 = sets(30, 20, dtype=torch.float64, device=device)
    encoded = written(boxes1, formats[0]), written(boxes2, formats[1])
    actual = scores_and_grads(fastiou.pairwise_iou, *encoded, "ciou", fmt=fmt)
    expected = oracle(*encoded, "ciou", formats=formats)
    torch.testing.assert_close(actual[0], fastiou.pairwise_iou(boxes1, boxes2, "ciou"))
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-9, atol=1e-12)


INTEGERS = {torch.uint8: 255, torch.int8: 127, torch.int16: 32_000, torch.int32: 70_000, torch.int64: 70_000}


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_integer_boxes(device, dtype, kind):
    """No overflow of areas, whatever the side: 70,000 pixels squared do not fit 32 bits."""
    side = INTEGERS[dtype]
    g = torch.Generator().manual_seed(0)
    corners = torch.randint(0, side, (2, 50, 2, 2), generator=g).sort(-2).values.flatten(-2)
    corners[0, 0] = corners[1, 0] = torch.tensor([0, 0, side, side])
    boxes1, boxes2 = corners.to(device, dtype)
    scores = fastiou.pairwise_iou(boxes1, boxes2, kind)
    assert scores.dtype == torch.float32 and (scores[0, 0] == 1)
    torch.testing.assert_close(scores, reference.pairwise(boxes1.double(), boxes2.double(), kind).float())
    mixed = fastiou.pairwise_iou(boxes1, boxes2.float(), kind)
    torch.testing.assert_close(mixed, scores)


def test_wide_integers_keep_their_digits(device):
    """Beyond 2^24, where float32 has no odd numbers."""
    boxes = torch.tensor([[2**30, 2**30, 2**30 + 3, 2**30 + 3]], device=device)
    assert fastiou.box_iou(boxes, boxes + 1).item() == pytest.approx(4 / 14)


LAYOUTS = {
    "transposed": lambda b: b.transpose(-1, -2).contiguous().transpose(-1, -2),
    "sliced": lambda b: torch.nn.functional.pad(b, (2, 1))[..., 2:6],
    "every other": lambda b: b.repeat_interleave(2, -2)[..., ::2, :],
    "unaligned": lambda b: torch.cat([b.flatten().new_zeros(1), b.flatten()])[1:].view(b.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(device, layout):
    boxes1, boxes2 = sets(70, 50, 2, device=device)
    strange = LAYOUTS[layout](boxes1), LAYOUTS[layout](boxes2)
    for grad in (None, torch.rand(2, 50, 70, device=device).mT, torch.rand(2, 1, 1, device=device).expand(2, 70, 50)):
        actual = scores_and_grads(fastiou.pairwise_iou, *strange, "giou", grad=grad)
        expected = scores_and_grads(
            fastiou.pairwise_iou, boxes1, boxes2, "giou", grad=None if grad is None else grad.contiguous()
        )
        assert all(torch.equal(a, e) for a, e in zip(actual, expected, strict=True))


def test_gradient_of_floats_with_integers(device):
    """Scores are float32 then, but computed in float64."""
    boxes1, boxes2 = sets(5, 6, device=device)
    scores, grad = None, None
    for other in (boxes2.int(), boxes2.int().double()):
        own = boxes1.clone().requires_grad_()
        result = fastiou.box_iou(own, other)
        found = torch.autograd.grad(result.sum(), own)[0]
        if scores is not None:
            torch.testing.assert_close(result.float(), scores, rtol=1e-6, atol=1e-6)
            torch.testing.assert_close(found, grad, rtol=1e-5, atol=1e-6)
        scores, grad = result.detach(), found


@pytest.mark.parametrize("kind", KINDS)
def test_sums_of_gradients_saturate(device, kind):
    """What overflows in one pair or in the sum of many is finite and has its sign; opposite ones cancel."""
    tiny = 1e-39
    own = torch.tensor([[0.0, 0, tiny, tiny]], device=device)
    other = torch.tensor([[0.0, 0, 2 * tiny, 2 * tiny]], device=device).repeat(64, 1)
    signs = torch.ones(1, 64, device=device)
    signs[:, 32:] = -1
    _, *grads = scores_and_grads(fastiou.pairwise_iou, own, other, kind, grad=signs)
    assert all(g.isfinite().all() for g in grads) and (grads[0] == 0).all()
    ordinary = (
        torch.tensor([[0.0, 0, 1, 1]], device=device),
        torch.tensor([[0.0, 0, 2, 2]], device=device).repeat(64, 1),
    )
    _, grad, _ = scores_and_grads(fastiou.pairwise_iou, *ordinary, kind, grad=signs * 3e38)
    assert not grad.isnan().any()
    for fmt in ("xyxy", "xywh"):
        many = other[:1].repeat(5000, 1)
        _, grad, _ = scores_and_grads(fastiou.pairwise_iou, own, many, kind, fmt=fmt)
        assert grad.isfinite().all()


@pytest.mark.parametrize("count", [300, 1024, 2048, 4096])
def test_half_precision_gradients_up_to_the_largest(device, count):
    """Neither clipped before 65504 nor infinite beyond, in any number of slices."""
    own = torch.tensor([[0.5, 0.5, 0.51, 0.51]], dtype=torch.float16, device=device)
    other = torch.tensor([[0.5, 0.5, 0.515, 0.515]], dtype=torch.float16, device=device).repeat(count, 1)
    _, grad, _ = scores_and_grads(fastiou.pairwise_iou, own, other)
    _, expected, _ = scores_and_grads(fastiou.pairwise_iou, own.double(), other.double())
    torch.testing.assert_close(grad.double(), expected.clamp(-65504, 65504), rtol=2e-3, atol=1)


def test_grad_scaler_sees_overflow(device):
    own, other = sets(4, 5, dtype=torch.float16, device=device)
    _, grad, _ = scores_and_grads(fastiou.pairwise_iou, own, other, grad=torch.full((4, 5), 1e9, device=device))
    assert grad.isinf().any()


def test_no_gradient_is_computed_that_nobody_asked_for(device):
    boxes1, boxes2 = sets(5, 6, device=device)
    scores = fastiou.box_iou(boxes1.requires_grad_(), boxes2)
    scores.sum().backward()
    assert boxes1.grad is not None and boxes2.grad is None
    assert not fastiou.box_iou(boxes1.detach(), boxes2).requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_gradcheck(device, kind):
    """Boxes with distinct coordinates, away from the kinks; CIoU's alpha is a constant to the formula."""
    g = torch.Generator().manual_seed(3)
    corner = torch.rand(2, 4, 2, generator=g, dtype=torch.float64) * 3
    boxes = torch.cat([corner, corner + 1 + torch.rand(2, 4, 2, generator=g, dtype=torch.float64) * 3], -1).to(device)
    if kind == "ciou":
        pytest.skip("its gradient leaves out alpha on purpose; test_against_the_oracle covers it")
    sides = boxes[0].requires_grad_(), boxes[1].requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: fastiou.pairwise_iou(a, b, kind), sides)


def test_deterministic(device):
    """The same bits in every run, and with any number of threads."""
    boxes1, boxes2 = sets(3000, 40, device=device)
    grad = torch.rand(3000, 40, device=device)
    threads = torch.get_num_threads()
    runs = []
    for n in (threads, 1, threads):
        torch.set_num_threads(n)
        runs.append(scores_and_grads(fastiou.pairwise_iou, boxes1, boxes2, "ciou", grad=grad))
    torch.set_num_threads(threads)
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(run, runs[0], strict=True))


@native
@pytest.mark.large
def test_more_scores_than_32_bits_count(device):
    """Indices beyond 2^31, in a result of 8 GiB that is looked at from its end."""
    free = torch.cuda.mem_get_info()[0] if device == "cuda" else _free_memory()
    n, m = 46_342, 46_342  # n * m > 2^31
    if free < n * m * 4 * 1.3:
        pytest.skip(f"needs {n * m * 4 / 2**30:.0f} GiB of free memory")
    boxes1, boxes2 = sets(n, 1, device=device)[0], sets(1, m, device=device)[1]
    scores = fastiou.box_iou(boxes1, boxes2)
    torch.testing.assert_close(scores[-2:, -300:], fastiou.box_iou(boxes1[-2:], boxes2[-300:]))
    assert scores[-1].sum() > 0


def _free_memory() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return 0


# -------------------------------------------------------------------------------------------------------------- errors
def test_errors(device):
    boxes = torch.rand(3, 4, device=device)
    call = fastiou.pairwise_iou
    for arguments, kwargs, error, message in [
        ((boxes, None), {}, TypeError, r"boxes2: expected a torch.Tensor of boxes \(..., N, 4\), got NoneType"),
        ((boxes[0], boxes), {}, ValueError, r"boxes1: expected shape \(..., N, 4\), got \(4,\)"),
        ((boxes, boxes.bool()), {}, TypeError, r"boxes2: expected floating-point or integer boxes, got torch.bool"),
        ((boxes, boxes, "siou"), {}, ValueError, r"kind: expected one of 'iou', .*'iof', got 'siou'"),
        ((boxes, boxes), {"fmt": "ltrb"}, ValueError, r"fmt: expected one of 'xyxy', 'xywh', 'cxcywh', got 'ltrb'"),
        (
            (boxes, boxes),
            {"fmt": ("xyxy",)},
            TypeError,
            r"fmt: expected a format or a pair of formats \(boxes1, boxes2",
        ),
        ((boxes, boxes), {"eps": -1.0}, ValueError, r"eps: expected a finite number >= 0, got -1.0"),
        ((boxes, boxes), {"mask1": boxes}, TypeError, r"mask1: expected torch.bool, got torch.float32"),
        (
            (boxes, boxes),
            {"mask2": boxes[0] > 0},
            ValueError,
            r"mask2: expected shape \(..., 3\), one for every box",
        ),
        (
            (boxes[None].expand(2, 3, 4), boxes[None].expand(3, 3, 4)),
            {},
            ValueError,
            r"boxes1, boxes2: expected leading",
        ),
    ]:
        with pytest.raises(error, match=message):
            call(*arguments, **kwargs)
    with pytest.raises(ValueError, match=r"boxes2: expected the device of boxes1, "):
        call(boxes, boxes.to("meta"))
