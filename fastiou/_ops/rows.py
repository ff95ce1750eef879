"""What the operators of aligned losses share: the fake kernel and the batching rule, reductions."""

from __future__ import annotations

import torch
from torch import Tensor

from .._dtypes import score_dtype
from .batching import batch_first
from .signatures import LossOptions

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}
#: MMDetection divides by avg_factor + this, whatever the dtype.
AVG_FACTOR_EPS = torch.finfo(torch.float32).eps


def dense_like(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The memory order of empty_dense_like() in csrc/ops/operands.h."""
    dense = torch.empty_like(x, dtype=dtype)
    return dense if dense.stride() == x.stride() else torch.empty(x.shape, dtype=dtype, device=x.device)


def _fake_loss(options_type: type[LossOptions]):
    """The fake kernel of an operator of losses."""

    def fake(pred, target, *rest):
        *options, grad_pred, grad_target = rest
        dtype = score_dtype(pred, target)
        reduced = options_type(*options).reduction != REDUCTIONS["none"]
        return (
            pred.new_empty(() if reduced else pred.shape[:-1], dtype=dtype),
            dense_like(pred, dtype) if grad_pred else None,
            dense_like(target, dtype) if grad_target else None,
        )

    return fake


def _vmap_loss(name: str, options_type: type[LossOptions]):
    """The batching rule of an operator of losses: it is called for the rows of all samples, which are reduced here."""

    def rule(info, in_dims, pred, target, *rest):
        *options, grad_pred, grad_target = rest
        options, dims = options_type(*options), options_type(*in_dims[2:-2])
        pred, target = batch_first(info, in_dims[:2], (pred, target))
        rows = {
            field: batch_first(info, (getattr(dims, field),), (getattr(options, field),))[0]
            for field in ("points", "weight")
            if field in options_type._fields
        }
        by_row = options._replace(**rows, avg_factor=None, divisor=None, reduction=REDUCTIONS["none"])
        results = getattr(torch.ops.fastiou, name)(pred, target, *by_row, grad_pred, grad_target)
        return _reduced(info, options, dims, results)

    return rule


def _reduced(info, options: LossOptions, dims: LossOptions, results):
    """Losses of rows, and their partials, reduced for each sample."""
    loss, *partials = results
    if options.reduction != REDUCTIONS["none"]:
        count = max(loss.shape[1:].numel(), 1) if options.reduction == REDUCTIONS["mean"] else 1
        loss = loss.flatten(1).sum(1) if loss.dim() > 1 else loss
        if options.divisor is not None:
            count = options.divisor + AVG_FACTOR_EPS
        elif options.avg_factor is not None:
            (count,) = batch_first(info, (dims.avg_factor,), (options.avg_factor,))
            count = count.to(loss.dtype) + AVG_FACTOR_EPS
        loss = loss / count
        by_sample = count if isinstance(count, Tensor) else loss.new_full((), count)
        partials = [p if p is None else p / by_sample.reshape(-1, *[1] * (p.dim() - 1)) for p in partials]
    return (loss, *partials), (0, *(p if p is None else 0 for p in partials))


def rules_of_loss(name: str, options_type: type[LossOptions]):
    """Fake kernel and batching rule of an operator that returns a loss and its partials."""
    return _fake_loss(options_type), _vmap_loss(name, options_type)
