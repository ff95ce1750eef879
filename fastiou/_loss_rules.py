"""What torch has to know about the operators of the aligned losses: fake kernels and batching rules."""

from __future__ import annotations

import torch
from torch import Tensor

REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}
#: MMDetection divides by avg_factor + this, whatever the dtype.
AVG_FACTOR_EPS = torch.finfo(torch.float32).eps


def dense_like(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The memory order of empty_dense_like() in csrc/ops/operands.h."""
    dense = torch.empty_like(x, dtype=dtype)
    return dense if dense.stride() == x.stride() else torch.empty(x.shape, dtype=dtype, device=x.device)


def _fake_pair_loss(pred, target, points, weight, avg_factor, kind, pred_format, target_format, reduction, divisor,
                    eps_area, eps_ratio, grad_pred, grad_target):  # fmt: skip
    return fake_loss(pred, target, reduction, grad_pred, grad_target)


def fake_loss(pred, target, reduction, grad_pred, grad_target):
    dtype = torch.float64 if torch.float64 in (pred.dtype, target.dtype) else torch.float32
    none = pred.new_empty(0, dtype=dtype)
    return (
        pred.new_empty(pred.shape[:-1] if reduction == 0 else (), dtype=dtype),
        dense_like(pred, dtype) if grad_pred else none,
        dense_like(target, dtype) if grad_target else none.clone(),
    )


def _fake_rotated_loss(pred, target, weight, avg_factor, kind, format, link, alpha, tau, eps, reduction, divisor,
                       grad_pred, grad_target):  # fmt: skip
    return fake_loss(pred, target, reduction, grad_pred, grad_target)


def _fake_scale_rows(partials, grad, dtype, link=None):
    return dense_like(partials, dtype)


def batch_first(info, dims, tensors):
    """Batch dimension to the front of every tensor, expanded where a tensor has none."""
    return [
        x if x is None else (x.expand(info.batch_size, *x.shape) if d is None else x.movedim(d, 0))
        for x, d in zip(tensors, dims, strict=True)
    ]


def _vmap_pair_loss(info, in_dims, pred, target, points, weight, avg_factor, kind, pred_format, target_format,
                    reduction, divisor, eps_area, eps_ratio, grad_pred, grad_target):  # fmt: skip
    rows = batch_first(info, in_dims[:4], (pred, target, points, weight))
    none = REDUCTIONS["none"]
    results = torch.ops.fastiou.pair_loss(
        *rows, None, kind, pred_format, target_format, none, None, eps_area, eps_ratio, grad_pred, grad_target
    )
    return reduced(info, in_dims[4], avg_factor, reduction, divisor, results, (grad_pred, grad_target))


def _vmap_rotated_loss(info, in_dims, pred, target, weight, avg_factor, kind, format, link, alpha, tau, eps, reduction,
                       divisor, grad_pred, grad_target):  # fmt: skip
    rows = batch_first(info, in_dims[:3], (pred, target, weight))
    none = REDUCTIONS["none"]
    results = torch.ops.fastiou.rotated_loss(
        *rows, None, kind, format, link, alpha, tau, eps, none, None, grad_pred, grad_target
    )
    return reduced(info, in_dims[3], avg_factor, reduction, divisor, results, (grad_pred, grad_target))


def reduced(info, factor_dim, avg_factor, reduction, divisor, results, wanted):
    """Losses of rows, and their partials, reduced for each sample."""
    loss, *partials = results
    if reduction != REDUCTIONS["none"]:
        count = max(loss.shape[1:].numel(), 1) if reduction == REDUCTIONS["mean"] else 1
        loss = loss.flatten(1).sum(1) if loss.dim() > 1 else loss
        if divisor is not None:
            count = divisor + AVG_FACTOR_EPS
        elif avg_factor is not None:
            (count,) = batch_first(info, (factor_dim,), (avg_factor,))
            count = count.to(loss.dtype) + AVG_FACTOR_EPS
        loss = loss / count
        by_sample = count if isinstance(count, Tensor) else loss.new_full((), count)
        partials = [
            p / by_sample.reshape(-1, *[1] * (p.dim() - 1)) if w else p for p, w in zip(partials, wanted, strict=True)
        ]
    return (loss, *partials), (0, *[0 if w else None for w in wanted])


def _vmap_scale_rows(info, in_dims, partials, grad, dtype, link=None):
    partials, grad = batch_first(info, in_dims[:2], (partials, grad))
    grad = grad.reshape(*grad.shape, *[1] * (partials.dim() - 1 - grad.dim()))  # one number per sample
    return torch.ops.fastiou.scale_rows(partials, grad.expand(partials.shape[:-1]), dtype), 0


#: Fake kernel and batching rule by operator.
RULES = {
    "pair_loss": (_fake_pair_loss, _vmap_pair_loss),
    "rotated_loss": (_fake_rotated_loss, _vmap_rotated_loss),
    "scale_rows": (_fake_scale_rows, _vmap_scale_rows),
}
