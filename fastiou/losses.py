"""The functions: arguments are checked here, then handed to the kernels or to the reference."""

from __future__ import annotations

import torch
from torch import Tensor

from . import reference
from ._args.losses import check_loss_call
from ._args.options import check_eps
from ._args.rows import LossCall, are_common_rows
from ._ops import autograd, kernels
from ._ops.signatures import PairOptions
from ._reduction import weighted_loss
from .reference import Eps

_EPS = 1e-7
#: Options without tensors by kind, reduction and format: what most calls ask for. (Distances need points.)
_COMMON = {
    kind: {
        reduction: {
            fmt: PairOptions(None, None, None, code, form, form, how, None, _EPS, _EPS)
            for fmt, form in kernels.FORMATS.items()
            if fmt != "ltrb"
        }
        for reduction, how in kernels.REDUCTIONS.items()
    }
    for kind, code in kernels.kinds.items()
}


def kinds() -> tuple[str, ...]:
    """The loss kinds, in the order of the C++ registry."""
    return tuple(kernels.kinds)


def formats() -> tuple[str, ...]:
    """How boxes can be written: the values of ``fmt``."""
    return tuple(kernels.FORMATS)


def backend(device: str | torch.device = "cpu") -> str:
    """``"native"`` if boxes on ``device`` are computed by compiled kernels, else ``"fallback"``."""
    return "native" if torch.device(device).type in kernels.devices else "fallback"


def iou_loss(
    pred: Tensor,
    target: Tensor,
    kind: str = "ciou",
    *,
    weight: Tensor | None = None,
    reduction: str = "none",
    avg_factor: float | Tensor | None = None,
    eps: float = _EPS,
    fmt: str | tuple[str, str] = "xyxy",
    points: Tensor | None = None,
) -> Tensor:
    """Aligned IoU loss: the i-th predicted box against the i-th target box.

    Args:
        pred: predicted boxes ``(..., 4)``, float16, bfloat16, float32 or float64, any strides. A permuted head
            ``head.permute(0, 2, 3, 1)`` is read in place.
        target: target boxes ``(..., 4)``; leading dimensions and dtypes broadcast against ``pred``.
        kind: one of :func:`kinds`.
        weight: factor per pair, broadcast to the leading shape.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``. The mean of nothing is 0.
        avg_factor: with ``"mean"``, divide the sum by ``avg_factor + 1.19e-7`` in place of the number of pairs
            (MMDetection's meaning; ignored by ``"none"``). A number, or a tensor of one element, which is read where it
            is: nothing is copied, nothing waits.
        eps: added to every denominator; an area in squared units of the boxes.
        fmt: how the four numbers spell a box: ``"xyxy"`` corners, ``"xywh"`` corner and size, ``"cxcywh"`` centre and
            size, ``"ltrb"`` distances from ``points`` to the left, top, right and bottom edge (FCOS and YOLO heads).
            A pair of formats if prediction and target differ. Gradients come back in the same format.
        points: anchor points ``(..., 2)`` of ``"ltrb"`` boxes, broadcast to the leading shape. Constants.

    Returns:
        The loss ``(...)``, or a scalar if reduced: float64 if a box is float64, else float32. Differentiable once with
        respect to ``pred`` and ``target`` (and ``weight`` and ``avg_factor``); gradients have their input's dtype.

    Loss and gradient are finite for all finite boxes, however large, small, empty or inverted; a row that holds NaN or
    infinity is NaN. Zero-area boxes have IoU 0, also with themselves. Inverted boxes (``x2 < x1``) are not errors:
    their intersection is empty and their area keeps its sign, as in torchvision.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    if weight is None and avg_factor is None and points is None:
        try:
            options = _COMMON[kind][reduction][fmt]
        except (KeyError, TypeError):  # unusual, or wrong
            options = None
        if options is not None and are_common_rows(pred, target, 4):
            return autograd.pair_loss(pred, target, options if eps == _EPS else _with_eps(options, eps))
    call = check_loss_call(pred, target, kind, weight, reduction, avg_factor, eps, fmt, points)
    return _dispatch(call, kind, Eps(eps, eps, eps))


def _with_eps(options: PairOptions, eps: float) -> PairOptions:
    check_eps(eps)
    return options._replace(eps_area=eps, eps_ratio=eps)


def _dispatch(call: LossCall, kind: str, eps: Eps) -> Tensor:
    """A checked call, by the kernels or by the reference."""

    def rows(factor) -> Tensor:
        return reference.row_loss(call.pred, call.target, kind, eps, call.formats, call.points, factor)

    codes = kernels.kinds[kind], *(kernels.FORMATS[f] for f in call.formats)
    tensors = call.points, call.weight, call.avg_factor
    options = PairOptions(*tensors, *codes, call.reduction, call.divisor, eps.area, eps.ratio)
    return weighted_loss(call, autograd.pair_loss, options, rows)


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = _EPS) -> Tensor:
    """GIoU loss with torchvision's signature: corners ``(..., 4)``, see :func:`iou_loss`."""
    return iou_loss(boxes1, boxes2, "giou", reduction=reduction, eps=eps)


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = _EPS) -> Tensor:
    """DIoU loss with torchvision's signature: corners ``(..., 4)``, see :func:`iou_loss`."""
    return iou_loss(boxes1, boxes2, "diou", reduction=reduction, eps=eps)


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = _EPS) -> Tensor:
    """CIoU loss with torchvision's signature: corners ``(..., 4)``, see :func:`iou_loss`.

    As in torchvision, ``eps`` is that of the weight alpha alone: the IoU and the distance have 1e-7 whatever it is.
    """
    if eps == _EPS:
        return iou_loss(boxes1, boxes2, reduction=reduction)
    call = check_loss_call(boxes1, boxes2, "ciou", None, reduction, None, eps, "xyxy", None)
    return _dispatch(call, "ciou", Eps(1e-7, 1e-7, eps))
