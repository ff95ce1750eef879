"""Scores, matching and NMS for NumPy arrays, without torch.

The loops are those of the torch functions of the same names, so the numbers are the same bit for bit. Importing this
does not import torch. Without compiled parts the torch functions themselves do the work, and torch is imported by the
first call.

Boxes are float16, float32, float64 or any integers, of any strides and byte order, or whatever :func:`numpy.asarray`
makes such arrays of: lists, torch tensors on the CPU. Results are float32 where NumPy promotes the boxes and float32 to
float32, else float64; indices are int64.

``threads`` is the largest number of threads to use, by default one for every core that the process may use. Small work
stays on the thread that asks for it. The GIL is released meanwhile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ._args.arrays import check_detections, check_sets, kind_index
from ._args.options import check_beta, check_number, check_threshold, is_gaussian
from ._core_module import core
from ._names import FORMATS

__all__ = ["MaxIoU", "batched_nms", "box_iou", "max_iou", "nms", "soft_nms"]


class MaxIoU(NamedTuple):
    """What :func:`max_iou` returns; a box or gt without any counterpart has value 0 and index -1.

    Attributes:
        values: best score of every box ``(..., N)``.
        indices: the gt that it has it with ``(..., N)``, int64.
        gt_values: best score of every gt ``(..., M)``.
        gt_indices: the box that it has it with ``(..., M)``, int64.
    """

    values: np.ndarray
    indices: np.ndarray
    gt_values: np.ndarray
    gt_indices: np.ndarray


def box_iou(
    boxes1,
    boxes2,
    kind: str = "iou",
    *,
    fmt: str | tuple[str, str] = "xyxy",
    eps: float = 0.0,
    threads: int | None = None,
) -> np.ndarray:
    """Score of every box of one set with every box of another, as :func:`fastiou.pairwise_iou`.

    Args:
        boxes1: boxes ``(..., N, 4)``.
        boxes2: boxes ``(..., M, 4)``; batch dimensions broadcast against ``boxes1``.
        kind: one of :func:`fastiou.pairwise_kinds`: ``"iou"``, ``"giou"``, ``"diou"``, ``"ciou"``, ``"iof"``, ...
        fmt: ``"xyxy"``, ``"xywh"`` or ``"cxcywh"``; a pair of formats if the sets differ.
        eps: added to every denominator. None is needed: 0 / 0 is 0.
        threads: see above.

    Returns:
        Scores ``(..., N, M)``, finite for all finite boxes; rows and columns of boxes that hold NaN or infinity are
        NaN. The IoU of a box of area 0 is 0, also with itself.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    call = check_sets(("boxes1", "boxes2"), boxes1, boxes2, kind, fmt, eps, threads)
    if core is None:
        from .pairwise import pairwise_iou

        return call.unflatten(call.fallback(pairwise_iou).numpy())
    return call.unflatten(core.pairwise(call.boxes1, call.boxes2, *call.options))


def max_iou(
    boxes,
    gts,
    kind: str = "iou",
    *,
    fmt: str | tuple[str, str] = "xyxy",
    eps: float = 0.0,
    threads: int | None = None,
) -> MaxIoU:
    """For every box the best gt, and for every gt the best box, without the matrix, as :func:`fastiou.max_iou`.

    Args:
        boxes: boxes ``(..., N, 4)``: anchors, proposals, predictions.
        gts: ground truth ``(..., M, 4)``; batch dimensions broadcast.
        kind: one of :func:`fastiou.pairwise_kinds`; ``"iof"`` divides by the area of ``boxes``.
        fmt: ``"xyxy"``, ``"xywh"`` or ``"cxcywh"``; a pair of formats if the sets differ.
        eps: added to every denominator. None is needed.
        threads: see above.

    Returns:
        :class:`MaxIoU`. Ties go to the lowest index. Boxes that hold NaN or infinity match nothing.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    call = check_sets(("boxes", "gts"), boxes, gts, kind, fmt, eps, threads)
    if core is None:
        from . import matching

        return MaxIoU(*(call.unflatten(x.numpy()) for x in call.fallback(matching.max_iou)))
    return MaxIoU(*map(call.unflatten, core.max_iou(call.boxes1, call.boxes2, *call.options)))


def nms(
    boxes,
    scores,
    iou_threshold: float,
    *,
    kind: str = "iou",
    beta: float = 1.0,
    fmt: str = "xyxy",
) -> np.ndarray:
    """Greedy non-maximum suppression, as :func:`fastiou.nms`.

    From the best box down, a box is kept unless a box kept before overlaps it by more than the threshold.

    Args:
        boxes: ``(N, 4)``.
        scores: ``(N,)``, float16, float32 or float64.
        iou_threshold: a number from 0 to 1; from -1 for kinds whose score can be negative.
        kind: the score by which boxes overlap, one of :func:`fastiou.pairwise_kinds`.
        beta: the power of DIoU's second term, a number above 0. Other kinds have none.
        fmt: ``"xyxy"``, ``"xywh"`` or ``"cxcywh"``.

    Returns:
        Indices ``(K,)`` of the kept boxes by decreasing score, equal scores in input order. Boxes of area 0 and boxes
        that hold NaN or infinity overlap nothing. A box whose score is NaN is never returned and suppresses nothing.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    return _nms(boxes, scores, None, iou_threshold, kind, beta, fmt)


def batched_nms(
    boxes,
    scores,
    idxs,
    iou_threshold: float,
    *,
    kind: str = "iou",
    beta: float = 1.0,
    fmt: str = "xyxy",
) -> np.ndarray:
    """:func:`nms` within each class, as :func:`fastiou.batched_nms`.

    Args:
        boxes, scores, iou_threshold, kind, beta, fmt: as of :func:`nms`.
        idxs: the class of each box ``(N,)``, any integers.

    Returns:
        Indices ``(K,)`` of the kept boxes of all classes by decreasing score.
    """
    if idxs is None:
        raise TypeError("idxs: expected an array of integers (N,), got None (nms() has no classes)")
    return _nms(boxes, scores, idxs, iou_threshold, kind, beta, fmt)


def _nms(boxes, scores, idxs, iou_threshold: float, kind: str, beta: float, fmt: str) -> np.ndarray:
    call = check_detections(boxes, scores, idxs, kind, fmt)
    threshold, beta = check_threshold(iou_threshold, kind), check_beta(beta, kind)
    if core is not None:
        return core.nms(*call.detections, threshold, kind_index(kind), beta, FORMATS.index(fmt))
    from .suppression import batched_nms, nms

    boxes, scores, idxs = call.tensors()
    if idxs is None:
        return nms(boxes, scores, threshold, kind=kind, beta=beta, fmt=fmt).numpy()
    return batched_nms(boxes, scores, idxs, threshold, kind=kind, beta=beta, fmt=fmt).numpy()


def soft_nms(
    boxes,
    scores,
    *,
    method: str = "gaussian",
    sigma: float = 0.5,
    iou_threshold: float = 0.3,
    score_threshold: float = 1e-3,
    idxs=None,
    kind: str = "iou",
    fmt: str = "xyxy",
) -> tuple[np.ndarray, np.ndarray]:
    """Soft-NMS: boxes lose score beside better ones instead of being removed, as :func:`fastiou.soft_nms`.

    Args:
        boxes, scores, fmt: as of :func:`nms`.
        method: ``"gaussian"``, a factor ``exp(-overlap^2 / sigma)``, or ``"linear"``, ``1 - overlap`` from the
            threshold on.
        sigma: of the Gaussian, above 0.
        iou_threshold: of ``"linear"``, a number from 0 to 1.
        score_threshold: a box whose score is or falls below it is dropped; a number from 0 on.
        idxs: the class of each box ``(N,)``, if boxes of different classes are to leave each other alone.
        kind: the score by which boxes overlap; a negative score counts as 0.

    Returns:
        Indices ``(K,)`` in the order of selection, and the scores ``(K,)`` at which they were selected: float64 if
        ``scores`` are, else float32.
    """
    call = check_detections(boxes, scores, idxs, kind, fmt)
    gaussian = is_gaussian(method)
    sigma = check_number("sigma", sigma, 0, above=True)
    iou_threshold = check_number("iou_threshold", iou_threshold, 0, 1)
    score_threshold = check_number("score_threshold", score_threshold, 0)
    if core is not None:
        options = gaussian, sigma, iou_threshold, score_threshold, kind_index(kind), FORMATS.index(fmt)
        return core.soft_nms(*call.detections, *options)
    from .suppression import soft_nms

    boxes, scores, idxs = call.tensors()
    options = {"method": method, "sigma": sigma, "iou_threshold": iou_threshold, "score_threshold": score_threshold}
    selected, decayed = soft_nms(boxes, scores, **options, idxs=idxs, kind=kind, fmt=fmt)
    return selected.numpy(), decayed.numpy()
