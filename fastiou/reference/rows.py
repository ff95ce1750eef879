"""What every reference formula goes through, so that answers are finite for finite boxes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .._dtypes import compute_dtype, largest_gradient

#: Two sets of boxes of the compute dtype and one shape ``(..., K)`` -> value ``(...)``.
Formula = Callable[[Tensor, Tensor], Tensor]


class _Settle(torch.autograd.Function):
    """Boxes of the compute dtype, unchanged, whose gradient the kernels' rule makes finite.

    A partial derivative that is undefined becomes 0, one that overflows becomes ``largest``. The second output, a zero
    to be added to the loss, is how the backward pass learns the incoming gradient of each row: what NaN or overflow
    that brings is kept. A row that is met by several pairs brings the sum of ``terms`` of them.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(boxes, largest, terms):
        return boxes.clone(), boxes.new_zeros(boxes.shape[:-1])

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.largest, ctx.terms = inputs

    @staticmethod
    def backward(ctx, grad, incoming):
        incoming = incoming.unsqueeze(-1)
        limit = ctx.largest * (incoming.abs() / ctx.terms).clamp(min=1)
        grad = torch.where(grad.isnan() & ~incoming.isnan(), 0.0, grad)
        return torch.minimum(torch.maximum(grad, -limit), limit), None, None


def power_of_two(extent: Tensor) -> Tensor:
    """What brings ``extent`` to [1/2, 1): squares of what is no larger neither overflow nor vanish, nothing rounds."""
    limit = 4 * torch.finfo(extent.dtype).tiny
    extent = extent.clamp(limit, 1 / limit)
    return torch.frexp(extent).mantissa / extent


def finite_rows(
    formula: Formula,
    boxes1: Tensor,
    boxes2: Tensor,
    weight: Tensor | None = None,
    points: Tensor | None = None,
    limits: tuple[float, float] | None = None,
) -> Tensor:
    """A formula for every pair, times its weight, in the compute dtype.

    Value and gradient are finite for finite boxes; NaN for a row that holds NaN or infinity, its weight and its anchor
    point included.
    """
    dtype = compute_dtype(boxes1, boxes2)
    largest = torch.finfo(dtype).max
    limits = limits or (largest_gradient(boxes1, dtype), largest_gradient(boxes2, dtype))
    (boxes1, zero1), (boxes2, zero2) = (
        _Settle.apply(boxes.to(dtype), limit, 1) for boxes, limit in zip((boxes1, boxes2), limits, strict=True)
    )
    value = formula(boxes1, boxes2)
    poison = (boxes1.detach() * 0 + boxes2.detach() * 0).sum(-1)
    if points is not None:
        poison = poison + (points.detach() * 0).sum(-1)
    if weight is not None:
        value, poison = value * weight, poison + (weight - weight).detach()
    return (value.nan_to_num(0.0, largest, -largest) + zero1 + zero2) * (1 + poison) + poison


def finite_pairs(
    formula: Formula,
    boxes1: Tensor,
    boxes2: Tensor,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
) -> Tensor:
    """A formula for every box of one set with every box of another: ``(..., N, K) x (..., M, K) -> (..., N, M)``.

    Masked boxes score 0 and get no gradient, whatever their numbers. In the compute dtype.
    """
    dtype = compute_dtype(boxes1, boxes2)
    limits = largest_gradient(boxes1, dtype), largest_gradient(boxes2, dtype)
    sets = []
    for boxes, other, mask, limit in zip((boxes1, boxes2), (boxes2, boxes1), (mask1, mask2), limits, strict=True):
        boxes = boxes if mask is None else boxes.where(mask[..., None], boxes.new_zeros(()))
        # What a box gets in all is settled here, what it gets from a pair below.
        sets.append(_Settle.apply(boxes.to(dtype), limit, max(other.shape[-2], 1)))
    first, second = sets[0][0].unsqueeze(-2), sets[1][0].unsqueeze(-3)
    shape = torch.broadcast_shapes(first.shape, second.shape)
    scores = finite_rows(formula, first.expand(shape), second.expand(shape), limits=limits)
    scores = scores + sets[0][1].unsqueeze(-1) + sets[1][1].unsqueeze(-2)
    if mask1 is not None:
        scores = scores.where(mask1[..., :, None], scores.new_zeros(()))
    if mask2 is not None:
        scores = scores.where(mask2[..., None, :], scores.new_zeros(()))
    return scores
