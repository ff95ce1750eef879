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
    """The backward pass while a graph of it is being recorded.

    ``link`` ties the result to what a second derivative would be taken of, so that taking it reaches this class.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(partials, grad, dtype, link):
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


def _backward(ctx, grad, partials, link):
    grads = [None] * 14
    for i in range(2):
        if ctx.needs_input_grad[i]:
            if link is None:
                grads[i] = _native.scale_rows(partials[i], grad, ctx.dtypes[i])
            else:
                grads[i] = _ScaleRows.apply(partials[i], grad, ctx.dtypes[i], link[i])
    return tuple(grads)


class _PairLoss(Function):
    """(pred, target, ...) of ``fastiou::pair_loss`` -> loss. The eager path: least overhead."""

    @staticmethod
    def forward(ctx, *args):
        loss, *partials = _native.pair_loss(*args)
        ctx.save_for_backward(*partials)
        ctx.dtypes = args[0].dtype, args[1].dtype
        return loss

    @staticmethod
    def backward(ctx, grad):
        recording = torch.is_grad_enabled() and not torch.compiler.is_compiling()
        # A leaf of its own keeps neither box alive.
        link = [torch.empty(0, requires_grad=True)] * 2 if recording else None
        return _backward(ctx, grad, ctx.saved_tensors, link)


class _TransformedPairLoss(Function):
    """The same for ``torch.func``, which wants the context apart from the computation."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*args):
        return _native.pair_loss(*args)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.mark_non_differentiable(*output[1:])
        ctx.save_for_backward(*inputs[:2], *output[1:])
        ctx.dtypes = inputs[0].dtype, inputs[1].dtype

    @staticmethod
    def backward(ctx, grad, *_):
        *boxes, partial1, partial2 = ctx.saved_tensors
        return _backward(ctx, grad, (partial1, partial2), boxes)


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
