"""Checks that all aligned losses share: boxes row by row, weights, reduction."""

from __future__ import annotations

import numbers
from dataclasses import dataclass

import torch
from torch import Tensor

from .._ops import kernels
from .options import one_of
from .tensors import FLOATS, check_device, check_tensor, is_forward_mode

_FACTOR_DTYPES = {*FLOATS, torch.bool, torch.int64}  # masks and counts are read as they are


@dataclass(slots=True)
class LossCall:
    """Checked arguments of an aligned loss; all row operands have the same leading shape."""

    pred: Tensor
    target: Tensor
    weight: Tensor | None
    avg_factor: Tensor | None  # what the mean divides by, or
    divisor: float | None  # if it is a number
    reduction: int
    native: bool
    formats: tuple[str, str] = ()  # of the losses that have them
    points: Tensor | None = None

    @property
    def differentiates_weights(self) -> bool:
        """Whether a gradient is wanted for what the fused reduction takes as constants."""
        factors = [x for x in (self.weight, self.avg_factor) if x is not None and x.is_floating_point()]
        if not factors or is_forward_mode():
            return bool(factors)
        # Inside torch.func an outer transform may differentiate what looks like a constant here.
        transformed = torch._C._are_functorch_transforms_active()
        return torch.is_grad_enabled() and (transformed or any(x.requires_grad for x in factors))


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
            return target.is_cpu and "cpu" in kernels.devices
        return pred.is_cuda and pred.device == target.device and "cuda" in kernels.devices
    except AttributeError:  # no tensors
        return False


def _check_factor_dtype(name: str, x: Tensor) -> None:
    if x.dtype not in _FACTOR_DTYPES:
        raise TypeError(f"{name}: expected a floating-point, bool or int64 tensor, got {x.dtype}")


def _check_weight(weight, pred: Tensor, leading) -> Tensor:
    if not isinstance(weight, Tensor):
        raise TypeError(f"weight: expected a torch.Tensor, got {type(weight).__name__}")
    check_device("weight", weight, pred)
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
            check_device("avg_factor", avg_factor, pred)
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
    if not isinstance(reduction, str) or reduction not in kernels.REDUCTIONS:
        one_of("reduction", reduction, kernels.REDUCTIONS)


def check_row_boxes(name: str, boxes, width: int) -> None:
    check_tensor(name, boxes, width, "boxes")


def check_row_call(pred, target, weight, reduction, avg_factor, names=("pred", "target")) -> LossCall:
    """Checks what stands beside boxes that are checked already; the other options are checked elsewhere."""
    check_device(names[1], target, pred, names[0])
    check_reduction(reduction)
    return broadcast_rows(pred, target, weight, reduction, avg_factor, names)


def broadcast_rows(pred, target, weight, reduction, avg_factor, names=("pred", "target")) -> LossCall:
    """Checks what stands beside boxes that are checked already, and gives all of it one leading shape."""
    if pred.shape != target.shape:
        try:
            shape = torch.broadcast_shapes(pred.shape, target.shape)
        except RuntimeError:
            got = f"{tuple(pred.shape)} and {tuple(target.shape)}"
            raise ValueError(f"{names[0]}, {names[1]}: expected leading shapes that broadcast, got {got}") from None
        pred, target = pred.expand(shape), target.expand(shape)
    leading = pred.shape[:-1]
    if weight is not None:
        weight = _check_weight(weight, pred, leading)
    divisor = None
    if avg_factor is not None:
        avg_factor = _check_avg_factor(avg_factor, reduction, pred)
        if reduction != "mean":
            avg_factor = None
        elif not isinstance(avg_factor, Tensor):
            avg_factor, divisor = None, avg_factor

    native = pred.device.type in kernels.devices
    if not native and not torch.compiler.is_compiling():
        kernels.warn_fallback(pred.device.type)
    how = kernels.REDUCTIONS[reduction]
    return LossCall(pred, target, weight, avg_factor, divisor, how, native)
