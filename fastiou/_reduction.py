"""Weights and reduction of a checked loss: in the kernels, or around the rows of the reference."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ._args.rows import LossCall
from ._dtypes import score_dtype
from ._ops.rows import AVG_FACTOR_EPS, REDUCTIONS
from ._ops.signatures import LossOptions

_NONE = REDUCTIONS["none"]


def weighted_loss(
    call: LossCall,
    loss: Callable[[Tensor, Tensor, LossOptions], Tensor],
    options: LossOptions,
    rows: Callable[[Tensor | None], Tensor] | None = None,
) -> Tensor:
    """The loss of a call.

    Args:
        call: the checked arguments.
        loss: the loss by the kernels, of pred, target and options.
        options: what it takes, made of the same call.
        rows: the loss of every row by the reference, times a factor; None if the operator needs no kernels.
    """
    if rows is not None and not call.native:
        losses = rows(_factor(call))
    elif call.differentiates_weights:
        factor = _factor(call)
        by_row = options._replace(weight=None, avg_factor=None, reduction=_NONE, divisor=None)
        losses = loss(call.pred, call.target, by_row) * factor + (factor - factor).detach()
        losses = losses.clamp(-torch.finfo(losses.dtype).max, torch.finfo(losses.dtype).max)
    else:
        return loss(call.pred, call.target, options)
    if call.reduction == _NONE:
        return losses
    return losses.sum().clamp(-torch.finfo(losses.dtype).max, torch.finfo(losses.dtype).max)


def _factor(call: LossCall) -> Tensor | None:
    """What every row is multiplied by: weight and divisor of the reduction, as the kernels fold them."""
    dtype = score_dtype(call.pred, call.target)
    factor = call.pred.new_ones((), dtype=dtype) if call.weight is None else call.weight.to(dtype)
    if call.divisor is not None:
        return factor / (call.divisor + AVG_FACTOR_EPS)
    if call.avg_factor is not None:
        return factor / (call.avg_factor.to(dtype) + AVG_FACTOR_EPS)
    return factor / max(call.pred[..., 0].numel(), 1) if call.reduction == REDUCTIONS["mean"] else factor
