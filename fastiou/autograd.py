"""``torch.autograd.Function`` around the private operators.

The forward operator writes the loss and its partial derivatives in one pass; the backward one multiplies them by the
incoming gradient. Second derivatives are not in the kernels and are refused.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import Function

from . import _native


class _ScaleRows(Function):
    """The backward pass while a graph of it is being recorded."""

    generate_vmap_rule = True

    @staticmethod
    def forward(partials, grad, dtype):
        return _native.scale_rows(partials, grad, dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        raise NotImplementedError(
            "fastiou: the fused losses have no second derivative. Set FASTIOU_NATIVE=0 before importing fastiou, or "
            "call fastiou.reference.row_loss, to differentiate twice."
        )


class _PairLoss(Function):
    """(pred, target, ...) of ``fastiou::pair_loss`` -> loss. The eager path: least overhead."""

    @staticmethod
    def forward(ctx, *args):
        loss, *partials = _native.pair_loss(*args)
        ctx.save_for_backward(*partials)
        ctx.dtypes = args[0].dtype, args[1].dtype
        return loss

    @staticmethod
    def backward(ctx, grad, *_):
        scale = _ScaleRows.apply if torch.is_grad_enabled() else _native.scale_rows
        partials, dtypes, wanted = ctx.saved_tensors, ctx.dtypes, ctx.needs_input_grad
        return (
            scale(partials[0], grad, dtypes[0]) if wanted[0] else None,
            scale(partials[1], grad, dtypes[1]) if wanted[1] else None,
            *[None] * 11,
        )


class _TransformedPairLoss(Function):
    """The same for ``torch.func``, which wants the context apart from the computation."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*args):
        return _native.pair_loss(*args)

    @staticmethod
    def setup_context(ctx, inputs, output):
        partials = output[1:]
        ctx.mark_non_differentiable(*partials)
        ctx.save_for_backward(*partials)
        ctx.dtypes = inputs[0].dtype, inputs[1].dtype

    backward = _PairLoss.backward


def pair_loss(pred: Tensor, target: Tensor, *rest) -> Tensor:
    """Loss of ``fastiou::pair_loss``, differentiable with respect to pred and target.

    ``rest`` are the operator's arguments but for the last two, which say whose gradient is wanted.
    """
    if torch._C._are_functorch_transforms_active():
        # An outer transform may differentiate what looks like a constant here.
        return _TransformedPairLoss.apply(pred, target, *rest, True, True)[0]
    if torch.is_grad_enabled() and (pred.requires_grad or target.requires_grad):
        return _PairLoss.apply(pred, target, *rest, pred.requires_grad, target.requires_grad)
    return _native.pair_loss(pred, target, *rest, False, False)[0]
