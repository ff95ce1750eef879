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

from ._arrays import check_sets
from ._core_module import core

__all__ = ["MaxIoU", "box_iou", "max_iou"]


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
        NaN. Boxes of area 0 score 0, also with themselves.

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
