"""``torch.autograd.Function`` around the private operators.

The forward operator writes the loss and its partial derivatives in one pass; the backward one multiplies them by the
incoming gradient. Second derivatives are not in the kernels and are refused.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from . import _native


class _ScaleRows(Function):
    """The backward pass while a graph of it is being recorded.

    ``link`` is the box that a second derivative would be taken of: taking it reaches this class.
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


def _backward(ctx, grad, *_):
    pred, target, *partials = ctx.saved_tensors
    grads = [None] * 14
    for i, box in enumerate((pred, target)):
        if not ctx.needs_input_grad[i]:
            continue
        if torch.compiler.is_compiling():  # a compiled graph refuses by itself if it has saved the box
            grads[i] = _native.scale_rows(partials[i], grad, box.dtype, box)
        elif torch.is_grad_enabled():
            grads[i] = _ScaleRows.apply(partials[i], grad, box.dtype, box)
        else:
            grads[i] = _native.scale_rows(partials[i], grad, box.dtype)
    return tuple(grads)


class _PairLoss(Function):
    """(pred, target, ...) of ``fastiou::pair_loss`` -> loss. The eager path: least overhead."""

    @staticmethod
    def forward(ctx, pred, target, *rest):
        loss, *partials = _native.pair_loss(pred, target, *rest)
        ctx.save_for_backward(pred, target, *partials)
        return loss

    backward = staticmethod(_backward)


class _TransformedPairLoss(Function):
    """The same for ``torch.func``, which wants the context apart from the computation."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*args):
        return _native.pair_loss(*args)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, grad_pred, grad_target = output
        ctx.mark_non_differentiable(grad_pred, grad_target)
        ctx.save_for_backward(inputs[0], inputs[1], grad_pred, grad_target)

    backward = staticmethod(_backward)


def pair_loss(pred: Tensor, target: Tensor, *rest) -> Tensor:
    """Loss of ``fastiou::pair_loss``, differentiable with respect to pred and target.

    ``rest`` are the operator's arguments but for the last two, which say whose gradient is wanted.
    """
    if torch._C._are_functorch_transforms_active():
        # An outer transform may differentiate what looks like a constant here.
        return _TransformedPairLoss.apply(pred, target, *rest, True, True)[0]
    grad = torch.is_grad_enabled() and (pred.requires_grad or target.requires_grad)
    if grad or forward_ad._current_level >= 0:  # forward mode is not there, and _PairLoss says so
        return _PairLoss.apply(pred, target, *rest, pred.requires_grad, target.requires_grad)
    return _native.pair_loss(pred, target, *rest, False, False)[0]
