"""Checks of the arguments of the aligned losses of upright boxes."""

from __future__ import annotations

from torch import Tensor
from torch.autograd import forward_ad

from .._ops import kernels
from .options import check_eps, check_formats, one_of
from .rows import LossCall, are_common_rows, broadcast_rows, check_reduction
from .tensors import check_device, check_tensor, is_forward_mode

_FORMATS = {f: (f, f) for f in kernels.FORMATS}


def check_options(kind: str, reduction: str, eps: float, fmt: str | tuple[str, str]) -> tuple[str, str]:
    """Checks what does not depend on tensors; returns the formats of prediction and target."""
    if not isinstance(kind, str) or kind not in kernels.kinds:
        one_of("kind", kind, kernels.kinds)
    check_reduction(reduction)
    check_eps(eps)
    formats = _FORMATS.get(fmt) if isinstance(fmt, str) else None
    return formats or check_formats(fmt)


def check_loss_call(pred, target, kind, weight, reduction, avg_factor, eps, fmt, points) -> LossCall:
    """Checks the arguments of :func:`fastiou.iou_loss` before any kernel runs, and broadcasts them."""
    if not are_common_rows(pred, target, 4):
        check_tensor("pred", pred, 4, "boxes")
        check_tensor("target", target, 4, "boxes")
        check_device("target", target, pred)
    formats = check_options(kind, reduction, eps, fmt)
    call = broadcast_rows(pred, target, weight, reduction, avg_factor)
    call.formats = formats
    if points is not None or "ltrb" in formats:
        call.points = _check_points(points, formats, call.pred)
    return call


def _check_points(points, formats, pred: Tensor) -> Tensor | None:
    if "ltrb" not in formats:
        if points is not None:
            raise ValueError(f"points: expected None with fmt={formats[0]!r} (only 'ltrb' uses points), got a value")
        return None
    if points is None:
        raise ValueError("points: expected anchor points (..., 2) with fmt='ltrb', got None")
    check_tensor("points", points, 2, "anchor points")
    check_device("points", points, pred)
    if points.requires_grad or (is_forward_mode() and forward_ad.unpack_dual(points).tangent is not None):
        raise ValueError("points: expected constants, got a tensor that requires grad (detach it)")
    try:
        return points.expand(*pred.shape[:-1], 2)
    except RuntimeError:
        shape = (*pred.shape[:-1], 2)
        raise ValueError(f"points: expected a shape that broadcasts to {shape}, got {tuple(points.shape)}") from None
