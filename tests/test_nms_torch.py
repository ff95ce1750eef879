"""Non-maximum suppression: errors, and as a part of torch."""

import math

import pytest
import torch
from axes import DEVICES
from sets import assert_indices, detections

import fastiou

native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="the operators are not compiled")
on_devices = pytest.mark.parametrize("device", DEVICES)


# --------------------------------------------------------------------------------------------------------------- errors
BOXES, SCORES = torch.rand(5, 4), torch.rand(5)
ERRORS = {
    "boxes is a list": (dict(boxes=[[0, 0, 1, 1]]), TypeError, "boxes: expected a torch.Tensor.*got list"),
    "bool boxes": (dict(boxes=BOXES > 0), TypeError, "boxes: expected floating-point or integer.*torch.bool"),
    "batched boxes": (dict(boxes=BOXES[None]), ValueError, r"boxes: expected shape \(N, 4\), got \(1, 5, 4\)"),
    "width": (dict(boxes=torch.rand(5, 5)), ValueError, r"boxes: expected shape .*4\), got \(5, 5\)"),
    "scores is None": (dict(scores=None), TypeError, r"scores: expected a tensor of floating-point.*got NoneType"),
    "integer scores": (dict(scores=torch.zeros(5).long()), TypeError, "scores: expected floating-point.*torch.int64"),
    "scores of other length": (dict(scores=SCORES[:4]), ValueError, r"scores: expected shape \(5,\), one.*got \(4,\)"),
    "scores with classes": (dict(scores=torch.rand(5, 3)), ValueError, r"scores: expected shape \(5,\).*got \(5, 3\)"),
    "device": (dict(scores=SCORES.to("meta")), ValueError, "scores: expected the device of boxes, cpu, got meta"),
    "float idxs": (dict(idxs=SCORES), TypeError, "idxs: expected integers, got torch.float32"),
    "idxs of other length": (dict(idxs=torch.zeros(4).long()), ValueError, r"idxs: expected shape \(5,\).*got \(4,\)"),
    "threshold": (dict(iou_threshold=1.5), ValueError, "iou_threshold: expected a number from 0 to 1, got 1.5"),
    "negative IoU": (dict(iou_threshold=-0.1), ValueError, "iou_threshold: expected a number from 0 to 1, got -0.1"),
    "NaN": (
        dict(iou_threshold=math.nan, kind="giou"),
        ValueError,
        "iou_threshold: expected a number from -1 to 1.*nan",
    ),
    "text": (dict(iou_threshold="0.5"), ValueError, "iou_threshold: expected a number from 0 to 1, got '0.5'"),
    "kind": (dict(kind="xiou"), ValueError, "kind: expected one of 'iou'.*'iof', got 'xiou'"),
    "beta": (dict(beta=0.5), ValueError, "beta: expected 1 with kind='iou' .*got 0.5"),
    "beta 0": (dict(kind="diou", beta=0), ValueError, "beta: expected a finite number > 0, got 0"),
    "format": (dict(fmt="ltrb"), ValueError, "fmt: expected one of 'xyxy', 'xywh', 'cxcywh', got 'ltrb'"),
    "format pair": (dict(fmt=("xyxy", "xywh")), TypeError, "fmt: expected a format, got"),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("function", ["nms_mask", "cluster_nms"])
def test_errors(function, name):
    change, error, message = ERRORS[name]
    with pytest.raises(error, match=message):
        getattr(fastiou, function)(**{**dict(boxes=BOXES, scores=SCORES, iou_threshold=0.5), **change})


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(method="hard"), "method: expected one of 'gaussian', 'linear', got 'hard'"),
        (dict(sigma=0), "sigma: expected a finite number > 0, got 0"),
        (dict(iou_threshold=2), "iou_threshold: expected a number from 0 to 1, got 2"),
        (dict(score_threshold=-1), "score_threshold: expected a finite number >= 0, got -1"),
        (dict(score_threshold=math.inf), "score_threshold: expected a finite number >= 0, got inf"),
    ],
)
def test_errors_of_soft_and_matrix(change, message):
    with pytest.raises(ValueError, match=message):
        fastiou.soft_nms(BOXES, SCORES, **change)
    if set(change) <= {"method", "sigma"}:
        with pytest.raises(ValueError, match=message):
            fastiou.matrix_nms(BOXES, SCORES, **change)


def test_batched_needs_classes():
    with pytest.raises(TypeError, match="idxs: expected a tensor of integers"):
        fastiou.batched_nms(BOXES, SCORES, None, 0.5)


# ------------------------------------------------------------------------------------------------------ a part of torch
@native
@on_devices
def test_opcheck(device):
    boxes, scores, idxs = detections(20, device)
    scores[3] = math.nan
    for dtype, score_dtype, classes in ((torch.float16, torch.float32, None), (torch.int64, torch.float64, idxs)):
        given = boxes.to(dtype), scores.to(score_dtype), classes
        for merge in (False, True):
            torch.library.opcheck(torch.ops.fastiou.nms.default, (*given, 0.5, 0, 1.0, 0, merge))
        torch.library.opcheck(torch.ops.fastiou.soft_nms.default, (*given, True, 0.5, 0.3, 0.01, 0, 1.0, 0))
        torch.library.opcheck(torch.ops.fastiou.matrix_nms.default, (*given, True, 2.0, 4, 0.5, 1))


@native
@on_devices
def test_compile(device):
    """One graph for any number of boxes where the shape of the answer is known; indices with one break for K."""
    torch._dynamo.reset()

    def masks(boxes, scores, idxs):
        keep = fastiou.nms_mask(boxes, scores, 0.4, idxs=idxs)
        return keep, fastiou.matrix_nms(boxes, scores, idxs=idxs) * keep

    compiled = torch.compile(masks, backend="aot_eager", fullgraph=True, dynamic=True)
    indices = torch.compile(fastiou.batched_nms, backend="aot_eager")
    for n in (20, 300):
        args = detections(n, device)
        for a, b in zip(compiled(*args), masks(*args), strict=True):
            assert torch.equal(a, b)
        assert_indices(indices(*args, 0.4), fastiou.batched_nms(*args, 0.4))


@native
@on_devices
def test_vmap(device):
    batch = [detections(60, device, seed=seed) for seed in range(3)]
    boxes, scores, _ = map(torch.stack, zip(*batch, strict=True))
    masks = torch.vmap(lambda b, s: fastiou.nms_mask(b, s, 0.4))(boxes, scores)
    decayed = torch.vmap(lambda b, s: fastiou.matrix_nms(b, s), in_dims=(0, None))(boxes, scores[0])
    for i in range(3):
        assert torch.equal(masks[i], fastiou.nms_mask(boxes[i], scores[i], 0.4))
        assert torch.equal(decayed[i], fastiou.matrix_nms(boxes[i], scores[0]))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_the_gpu_does_not_wait():
    boxes, scores, idxs = detections(3000, "cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        mask = fastiou.nms_mask(boxes, scores, 0.4, idxs=idxs)
        decayed = fastiou.matrix_nms(boxes, scores, idxs=idxs)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(mask.cpu(), fastiou.nms_mask(boxes.cpu(), scores.cpu(), 0.4, idxs=idxs.cpu()))
    torch.testing.assert_close(decayed.cpu(), fastiou.matrix_nms(boxes.cpu(), scores.cpu(), idxs=idxs.cpu()))
