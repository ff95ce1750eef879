"""``torch.autograd.Function`` around the private operators.

The forward operator writes the loss and its partial derivatives in one pass; the backward one multiplies them by the
incoming gradient. Second derivatives are not in the kernels and are refused.
"""

from __future__ import annotations

import torch
from torch.autograd import Function
from torch.autograd.function import _SingleLevelFunction

from . import _native


class _ScaleRows(Function):
    """The backward pass while a graph of it is being recorded."""

    generate_vmap_rule = True

    @staticmethod
    def forward(partials, grad, dtype):
        return torch.ops.fastiou.scale_rows(partials, grad, dtype)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, grad):
        raise NotImplementedError(
            "fastiou: the fused losses have no second derivative. Set FASTIOU_NATIVE=0 before importing fastiou, or "
            "call fastiou.reference.row_loss, to differentiate twice."
        )


class PairLoss(Function):
    """(pred, target, ...) of ``fastiou::pair_loss`` -> loss and the two partial derivatives."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*args):
        return torch.ops.fastiou.pair_loss(*args)

    @staticmethod
    def setup_context(ctx, inputs, output):
        partials = output[1:]
        ctx.mark_non_differentiable(*partials)
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*partials)
        ctx.dtypes = inputs[0].dtype, inputs[1].dtype

    @staticmethod
    def backward(ctx, grad, *_):
        grads = [None] * 13
        if grad is not None:
            scale = _ScaleRows.apply if torch.is_grad_enabled() else torch.ops.fastiou.scale_rows
            for i, partials in enumerate(ctx.saved_tensors):
                if ctx.needs_input_grad[i]:
                    grads[i] = scale(partials, grad.expand(partials.shape[:-1]), ctx.dtypes[i])
        return tuple(grads)


def pair_loss(*args) -> torch.Tensor:
    """Loss of ``fastiou::pair_loss``, differentiable with respect to pred and target."""
    return PairLoss.apply(*args)[0]
