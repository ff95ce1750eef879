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

import numpy as np

from ._arrays import as_sets, as_tensors, thread_count
from ._core_module import FORMATS, core
from ._options import check_eps, check_set_formats, one_of

__all__ = ["box_iou"]

_KINDS = {name: i for i, name in enumerate(core.pairwise_kinds())} if core else {}


def _kind_index(kind: str) -> int:
    if not isinstance(kind, str) or kind not in _KINDS:
        one_of("kind", kind, _KINDS)
    return _KINDS[kind]


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
    names = "boxes1", "boxes2"
    b1, b2, batch = as_sets(names, boxes1, boxes2)
    formats = check_set_formats(fmt, names)
    check_eps(eps)
    threads = thread_count(threads)
    if core is None:
        from .pairwise import pairwise_iou

        scores = pairwise_iou(*as_tensors(b1, b2), kind, fmt=formats, eps=eps).numpy()
    else:
        scores = core.pairwise(
            b1, b2, _kind_index(kind), FORMATS.index(formats[0]), FORMATS.index(formats[1]), eps, threads
        )
    return scores.reshape(*batch, b1.shape[1], b2.shape[1])
