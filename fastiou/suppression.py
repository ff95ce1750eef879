"""Non-maximum suppression: greedy, soft, matrix and cluster NMS, class by class, with any pairwise score."""

from __future__ import annotations

import torch
from torch import Tensor

from ._args.nms import NmsCall, check_detections
from ._args.options import check_number, check_threshold, is_gaussian
from ._args.rotated import check_flags, is_rotated
from ._ops import kernels
from ._ops.signatures import MatrixNmsOptions, NmsOptions, SoftNmsOptions
from .reference import nms as reference_nms

_nms = kernels.operator("nms")
_soft_nms = kernels.operator("soft_nms")
_matrix_nms = kernels.operator("matrix_nms")


def nms(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    *,
    kind: str = "iou",
    beta: float = 1.0,
    fmt: str = "xyxy",
) -> Tensor:
    """Greedy non-maximum suppression: torchvision's function, with any pairwise score.

    From the best box down, a box is kept unless a box kept before overlaps it by more than the threshold.

    Args:
        boxes: ``(N, 4)``, floating point or integer, any strides; ``(N, 5)`` if they are rotated.
        scores: ``(N,)``, floating point.
        iou_threshold: a number from 0 to 1; from -1 for kinds whose score can be negative.
        kind: the score by which boxes overlap, one of :func:`fastiou.pairwise_kinds`. ``"diou"`` is DIoU-NMS (Zheng et
            al., "Distance-IoU Loss", AAAI 2020); with ``"iof"`` the area is that of the box that is kept.
        beta: the power of DIoU's second term, IoU - (rho^2 / c^2)^beta, a number above 0 (Zheng et al., "Enhancing
            Geometric Factors", TCYB 2021, eq. 12). Other kinds have none.
        fmt: ``"xyxy"``, ``"xywh"`` or ``"cxcywh"``. Rotated boxes are ``"cxcywhr"``, or one of
            :func:`fastiou.rotated_conventions`; their kinds are those of :func:`fastiou.rotated_box_iou`.

    Returns:
        Indices ``(K,)`` of the kept boxes, int64, by decreasing score, equal scores in input order. K depends on the
        numbers, so that a GPU must be waited for here, once; :func:`nms_mask` does not.

    With ``kind="iou"`` the answer is torchvision's, index for index: the score of two boxes is the same number of the
    boxes' dtype, and is compared with the threshold in float64. Half precision is computed in float32, int32 and int64
    in float64. Boxes of area 0 and boxes that hold NaN or infinity overlap nothing. A box whose score is NaN is never
    returned and suppresses nothing. Not differentiable.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    return _kept(check_detections(boxes, scores, None, kind, beta, fmt), check_threshold(iou_threshold, kind))


def nms_rotated(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    *,
    kind: str = "iou",
    degrees: bool = False,
    clockwise: bool = True,
) -> Tensor:
    """:func:`nms` of rotated boxes ``(N, 5)``: centre, width, height and angle.

    Args:
        boxes, scores, iou_threshold, kind: as of :func:`nms`.
        degrees: whether angles are in degrees. Detectron2's ``nms_rotated`` is ``degrees=True, clockwise=False``.
        clockwise: whether they turn clockwise on the screen.
    """
    fmt = check_flags(degrees, clockwise)
    call = check_detections(boxes, scores, None, kind, 1.0, fmt)
    return _kept(call, check_threshold(iou_threshold, kind))


def batched_nms(
    boxes: Tensor,
    scores: Tensor,
    idxs: Tensor,
    iou_threshold: float,
    *,
    kind: str = "iou",
    beta: float = 1.0,
    fmt: str = "xyxy",
) -> Tensor:
    """:func:`nms` within each class: torchvision's function.

    Classes are compared as integers. No box is moved away from those of other classes, which costs others precision, so
    the answer for a class is exactly that of :func:`nms`.

    Args:
        boxes, scores, iou_threshold, kind, beta, fmt: as of :func:`nms`.
        idxs: the class of each box ``(N,)``, any integers.

    Returns:
        Indices ``(K,)`` of the kept boxes of all classes, int64, by decreasing score.
    """
    _check_idxs(idxs)
    return _kept(check_detections(boxes, scores, idxs, kind, beta, fmt), check_threshold(iou_threshold, kind))


def nms_mask(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    *,
    idxs: Tensor | None = None,
    kind: str = "iou",
    beta: float = 1.0,
    fmt: str = "xyxy",
) -> Tensor:
    """The boxes that :func:`nms`, or with ``idxs`` :func:`batched_nms`, keeps: bool ``(N,)``, in input order.

    Its shape does not depend on the numbers: nothing waits for the GPU, ``torch.compile`` needs no graph break, a CUDA
    graph can hold it.
    """
    call, threshold = check_detections(boxes, scores, idxs, kind, beta, fmt), check_threshold(iou_threshold, kind)
    if call.native:
        return _greedy(call, threshold)[0]
    kept = reference_nms.nms(*call.detections, threshold, call.overlap)
    return torch.zeros_like(scores, dtype=torch.bool).index_fill(0, kept, True)


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    method: str = "gaussian",
    sigma: float = 0.5,
    iou_threshold: float = 0.3,
    score_threshold: float = 1e-3,
    idxs: Tensor | None = None,
    kind: str = "iou",
    fmt: str = "xyxy",
) -> tuple[Tensor, Tensor]:
    """Soft-NMS: Bodla et al., ICCV 2017. Boxes lose score beside better ones instead of being removed.

    Again and again the best box left is selected, and the scores of the others of its class are multiplied by
    ``exp(-overlap^2 / sigma)``, or, with ``"linear"``, by ``1 - overlap`` from the threshold on.

    Args:
        boxes, scores, fmt: as of :func:`nms`.
        method: ``"gaussian"`` or ``"linear"``.
        sigma: of the Gaussian, above 0.
        iou_threshold: of ``"linear"``, a number from 0 to 1.
        score_threshold: a box whose score is or falls below it is dropped; a number from 0 on.
        idxs: the class of each box ``(N,)``, if boxes of different classes are to leave each other alone.
        kind: the score by which boxes overlap; a negative score counts as 0.

    Returns:
        Indices ``(K,)``, int64, in the order of selection, and the scores ``(K,)`` at which they were selected, which
        fall: float64 if ``scores`` are, else float32. Of equal scores the first in input order is selected. As of
        :func:`nms`, K must be waited for.

    What has no defined score or coordinates is treated as by :func:`nms`.
    """
    call = check_detections(boxes, scores, idxs, kind, 1.0, fmt)
    decay = dict(
        gaussian=is_gaussian(method),
        sigma=check_number("sigma", sigma, 0, above=True),
        threshold=check_number("iou_threshold", iou_threshold, 0, 1),
        score_threshold=check_number("score_threshold", score_threshold, 0),
    )
    if not call.native or boxes.shape[0] == 0:
        return reference_nms.soft_nms(*call.detections, **decay, overlap=call.overlap)
    selected, decayed, count = _soft_nms(*call.detections, *SoftNmsOptions(**decay, **call.rule))
    k = _read(count)
    return selected[:k], decayed[:k]


def matrix_nms(
    boxes: Tensor,
    scores: Tensor,
    *,
    idxs: Tensor | None = None,
    method: str = "gaussian",
    sigma: float = 2.0,
    kind: str = "iou",
    fmt: str = "xyxy",
) -> Tensor:
    """Matrix NMS: Wang et al., "SOLOv2", NeurIPS 2020, eqs. 4 and 5. All scores decay at once; no matrix is stored.

    The score of a box is multiplied by the least ``f(overlap) / f(compensation)`` over all better boxes of its class,
    or by 1 if that is less; the compensation of a box is its largest overlap with one better than itself. ``f(x)`` is
    ``exp(-sigma x^2)``, or ``1 - x`` with ``"linear"``.

    Args:
        boxes, scores, fmt: as of :func:`nms`.
        idxs: the class of each box ``(N,)``, if boxes of different classes are to leave each other alone.
        method: ``"gaussian"`` or ``"linear"``.
        sigma: of the Gaussian, above 0.
        kind: the score by which boxes overlap; a negative score counts as 0.

    Returns:
        Decayed scores ``(N,)`` in input order: float64 if ``scores`` are, else float32. 0 where a score is NaN. Nothing
        waits for the GPU.
    """
    call = check_detections(boxes, scores, idxs, kind, 1.0, fmt)
    decay = dict(gaussian=is_gaussian(method), sigma=check_number("sigma", sigma, 0, above=True))
    if not call.native:
        return reference_nms.matrix_nms(*call.detections, **decay, overlap=call.overlap)
    return _matrix_nms(*call.detections, *MatrixNmsOptions(**decay, **call.rule))


def cluster_nms(
    boxes: Tensor,
    scores: Tensor,
    iou_threshold: float,
    *,
    idxs: Tensor | None = None,
    kind: str = "iou",
    beta: float = 1.0,
    weighted: bool = True,
    fmt: str = "xyxy",
) -> tuple[Tensor, Tensor, Tensor]:
    """Cluster-NMS: Zheng et al., "Enhancing Geometric Factors", TCYB 2021. Suppressed boxes refine those that are kept.

    Cluster-NMS keeps the boxes that greedy NMS keeps (proposition 1 there), so the indices are those of :func:`nms`, or
    with ``idxs`` of :func:`batched_nms`. With ``weighted`` (Cluster-NMS-W) a kept box becomes the mean of itself and of
    all worse boxes of its class that it overlaps by more than the threshold, with weights ``score * overlap``; its own
    weight is its score. A suppressed box may count for several kept ones.

    Args:
        boxes, scores, iou_threshold, kind, beta, fmt: as of :func:`nms`. Scores below 0 have no weight.
        idxs: the class of each box ``(N,)``, if boxes of different classes are to leave each other alone.
        weighted: whether boxes are averaged, or returned as they are.

    Returns:
        Indices ``(K,)`` by decreasing score, int64; boxes ``(K, 4)`` in ``fmt`` and in their dtype if that is floating
        point, integers as float32 (int32 and int64 as float64); their scores ``(K,)``. As of :func:`nms`, K must be
        waited for. A box whose weights do not sum to a positive number stays as it is.
    """
    call, threshold = check_detections(boxes, scores, idxs, kind, beta, fmt), check_threshold(iou_threshold, kind)
    if weighted and is_rotated(fmt):
        raise ValueError("weighted: expected False with rotated boxes, whose angles have no mean")
    if call.native and boxes.shape[0] > 0:
        _, selected, count, merged = _greedy(call, threshold, merge=weighted)
        k = _read(count)
        selected, merged = selected[:k], merged[:k]
    else:
        selected = reference_nms.nms(*call.detections, threshold, call.overlap)
        merged = reference_nms.merge(*call.detections, selected, threshold, call.overlap) if weighted else None
    boxes, scores = boxes.detach(), scores.detach()
    dtype = boxes.dtype if boxes.is_floating_point() else reference_nms.compute_dtype(boxes)
    return selected, (merged if weighted else boxes[selected]).to(dtype), scores[selected]


def _check_idxs(idxs) -> None:
    if idxs is None:
        raise TypeError("idxs: expected a tensor of integers (N,), got None (nms() has no classes)")


def _greedy(call: NmsCall, threshold: float, merge: bool = False) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _nms(*call.detections, *NmsOptions(threshold=threshold, merge=merge, **call.rule))


def _kept(call: NmsCall, threshold: float) -> Tensor:
    if not call.native or call.boxes.shape[0] == 0:
        return reference_nms.nms(*call.detections, threshold, call.overlap)
    _, selected, count, _ = _greedy(call, threshold)
    return selected[: _read(count)]


def _read(count: Tensor) -> int:
    """How many boxes there are in the answer: the one number that a GPU is waited for."""
    return count.item()
