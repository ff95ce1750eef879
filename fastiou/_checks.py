"""Argument checks: every message names the argument, what was expected and what arrived."""

from __future__ import annotations

import numbers
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

from . import _native
from ._options import check_eps, check_formats, one_of

FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
_FACTOR_DTYPES = {*FLOATS, torch.bool, torch.int64}  # masks and counts are read as they are
_FORMATS = {f: (f, f) for f in _native.FORMATS}


@dataclass(slots=True)
class LossCall:
    """Checked arguments of an aligned loss; all row operands have the same leading shape."""

    pred: Tensor
    target: Tensor
    points: Tensor | None
    weight: Tensor | None
    avg_factor: Tensor | None  # what the mean divides by, or
    divisor: float | None  # if it is a number
    formats: tuple[str, str]
    reduction: int
    native: bool

    @property
    def differentiates_weights(self) -> bool:
        """Whether a gradient is wanted for what the fused reduction takes as constants."""
        factors = [x for x in (self.weight, self.avg_factor) if x is not None and x.is_floating_point()]
        if not factors or is_forward_mode():
            return bool(factors)
        # Inside torch.func an outer transform may differentiate what looks like a constant here.
        transformed = torch._C._are_functorch_transforms_active()
        return torch.is_grad_enabled() and (transformed or any(x.requires_grad for x in factors))


def is_forward_mode() -> bool:
    """Whether torch carries tangents along."""
    return forward_ad._current_level >= 0


def are_common_rows(pred: Tensor, target: Tensor, width: int) -> bool:
    """Whether kernels take these boxes as they are: of one shape, on one device that has kernels.

    What is the matter with others is said, or mended, by the checks below. This is quick: it is asked in every call.
    """
    try:
        if pred.dtype not in FLOATS or target.dtype not in FLOATS:
            return False
        shape = pred.shape
        if shape != target.shape or len(shape) == 0 or shape[-1] != width:
            return False
        if pred.is_cpu:
            return target.is_cpu and "cpu" in _native.devices
        return pred.is_cuda and pred.device == target.device and "cuda" in _native.devices
    except AttributeError:  # no tensors
        return False


def check_tensor(name: str, x: Tensor, width: int, what: str) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a torch.Tensor of {what} (..., {width}), got {type(x).__name__}")
    if x.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float16, bfloat16, float32 or float64, got {x.dtype}")
    if x.dim() == 0 or x.shape[-1] != width:
        raise ValueError(f"{name}: expected shape (..., {width}), got {tuple(x.shape)}")


def _check_device(name: str, x: Tensor, pred: Tensor, pred_name: str = "pred") -> None:
    if x.device != pred.device:
        raise ValueError(f"{name}: expected the device of {pred_name}, {pred.device}, got {x.device}")


def _check_points(points, formats, pred: Tensor, leading) -> Tensor | None:
    if "ltrb" not in formats:
        if points is not None:
            raise ValueError(f"points: expected None with fmt={formats[0]!r} (only 'ltrb' uses points), got a value")
        return None
    if points is None:
        raise ValueError("points: expected anchor points (..., 2) with fmt='ltrb', got None")
    check_tensor("points", points, 2, "anchor points")
    _check_device("points", points, pred)
    if points.requires_grad or (is_forward_mode() and forward_ad.unpack_dual(points).tangent is not None):
        raise ValueError("points: expected constants, got a tensor that requires grad (detach it)")
    try:
        return points.expand(*leading, 2)
    except RuntimeError:
        shape = (*leading, 2)
        raise ValueError(f"points: expected a shape that broadcasts to {shape}, got {tuple(points.shape)}") from None


def _check_factor_dtype(name: str, x: Tensor) -> None:
    if x.dtype not in _FACTOR_DTYPES:
        raise TypeError(f"{name}: expected a floating-point, bool or int64 tensor, got {x.dtype}")


def _check_weight(weight, pred: Tensor, leading) -> Tensor:
    if not isinstance(weight, Tensor):
        raise TypeError(f"weight: expected a torch.Tensor, got {type(weight).__name__}")
    _check_device("weight", weight, pred)
    _check_factor_dtype("weight", weight)
    if weight.shape == leading:
        return weight
    try:
        return weight.expand(leading)
    except RuntimeError:
        got = tuple(weight.shape)
        raise ValueError(f"weight: expected a shape that broadcasts to {tuple(leading)}, got {got}") from None


def _near(avg_factor: Tensor, pred: Tensor) -> float | Tensor:
    """What the mean is divided by, where kernels can read it.

    A number of the host goes to another device with the call: nothing is copied, nothing waits. It stays a tensor if it
    is more than a number: to a compiler, to torch.func, or because it wants a gradient.
    """
    is_number = (
        avg_factor.device != pred.device
        and type(avg_factor) is Tensor
        and not torch.compiler.is_compiling()
        and not torch._C._are_functorch_transforms_active()
        and not (avg_factor.requires_grad and torch.is_grad_enabled())
    )
    return float(avg_factor) if is_number else avg_factor.reshape(()).to(pred.device, non_blocking=True)


def _check_avg_factor(avg_factor, reduction: str, pred: Tensor) -> float | Tensor:
    if reduction == "sum":
        raise ValueError("avg_factor: expected None with reduction='sum', got a value")
    if isinstance(avg_factor, Tensor):
        if avg_factor.numel() != 1:
            raise ValueError(f"avg_factor: expected one element, got shape {tuple(avg_factor.shape)}")
        if avg_factor.device.type != "cpu":
            _check_device("avg_factor", avg_factor, pred)
        _check_factor_dtype("avg_factor", avg_factor)
        avg_factor = _near(avg_factor, pred)
    elif isinstance(avg_factor, (torch.SymInt, torch.SymFloat)):
        avg_factor = torch.sym_float(avg_factor)
    elif isinstance(avg_factor, (int, float, numbers.Real)):
        avg_factor = float(avg_factor)
    else:
        raise TypeError(f"avg_factor: expected a number or a tensor, got {type(avg_factor).__name__}")
    return avg_factor


def check_reduction(reduction: str) -> None:
    if not isinstance(reduction, str) or reduction not in _native.REDUCTIONS:
        one_of("reduction", reduction, _native.REDUCTIONS)


def check_options(kind: str, reduction: str, eps: float, fmt: str | tuple[str, str]) -> tuple[str, str]:
    """Checks what does not depend on tensors; returns the formats of prediction and target."""
    if not isinstance(kind, str) or kind not in _native.kinds:
        one_of("kind", kind, _native.kinds)
    check_reduction(reduction)
    check_eps(eps)
    formats = _FORMATS.get(fmt) if isinstance(fmt, str) else None
    return formats or check_formats(fmt)


def check_loss_call(pred, target, kind, weight, reduction, avg_factor, eps, fmt, points) -> LossCall:
    """Checks the arguments of :func:`fastiou.iou_loss` before any kernel runs, and broadcasts them."""
    if not are_common_rows(pred, target, 4):
        check_tensor("pred", pred, 4, "boxes")
        check_tensor("target", target, 4, "boxes")
        _check_device("target", target, pred)
    formats = check_options(kind, reduction, eps, fmt)
    return _broadcast_rows(pred, target, weight, reduction, avg_factor, formats, points)


def check_row_boxes(name: str, boxes, width: int) -> None:
    check_tensor(name, boxes, width, "boxes")


def check_row_call(pred, target, weight, reduction, avg_factor, names=("pred", "target")) -> LossCall:
    """The same for boxes that are checked already; the other options are checked elsewhere."""
    _check_device(names[1], target, pred, names[0])
    check_reduction(reduction)
    return _broadcast_rows(pred, target, weight, reduction, avg_factor, (), None, names)


def _broadcast_rows(pred, target, weight, reduction, avg_factor, formats, points, names=("pred", "target")) -> LossCall:
    if pred.shape != target.shape:
        try:
            shape = torch.broadcast_shapes(pred.shape, target.shape)
        except RuntimeError:
            got = f"{tuple(pred.shape)} and {tuple(target.shape)}"
            raise ValueError(f"{names[0]}, {names[1]}: expected leading shapes that broadcast, got {got}") from None
        pred, target = pred.expand(shape), target.expand(shape)
    leading = pred.shape[:-1]
    if points is not None or "ltrb" in formats:
        points = _check_points(points, formats, pred, leading)
    if weight is not None:
        weight = _check_weight(weight, pred, leading)
    divisor = None
    if avg_factor is not None:
        avg_factor = _check_avg_factor(avg_factor, reduction, pred)
        if reduction != "mean":
            avg_factor = None
        elif not isinstance(avg_factor, Tensor):
            avg_factor, divisor = None, avg_factor

    native = pred.device.type in _native.devices
    if not native and not torch.compiler.is_compiling():
        _native.warn_fallback(pred.device.type)
    how = _native.REDUCTIONS[reduction]
    return LossCall(pred, target, points, weight, avg_factor, divisor, formats, how, native)
