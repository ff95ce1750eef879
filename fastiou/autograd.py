"""``torch.autograd.Function`` around the private operators.

The aligned losses write their partial derivatives along with the loss, and the backward pass multiplies them by the
incoming gradient. Pairwise scores have too many of them: there the backward pass computes them again. Second
derivatives are not in the kernels and are refused.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from . import _native
from .reference import compute_dtype

_scale_rows = _native.operator("scale_rows")
_pixel_pairwise = _native.operator("pixel_pairwise")


class _Last(Function):
    """A backward operator while a graph of it is being recorded: taking its derivative is refused.

    The boxes are among its arguments, so a second derivative reaches this class however it is asked for.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(operator, *args):
        return operator(*args)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, *grads):
        raise NotImplementedError(
            "fastiou: the fused kernels have no second derivative. Set FASTIOU_NATIVE=0 before importing fastiou, or "
            "call fastiou.reference.row_loss or fastiou.reference.pairwise (for rotated boxes those of "
            "fastiou.reference_rotated or fastiou.reference_gaussian), to differentiate twice. PIoU has none at all."
        )


def _run_backward(operator, *args):
    if torch.is_grad_enabled() and not torch.compiler.is_compiling():  # a compiled graph refuses by itself
        return _Last.apply(operator, *args)
    return operator(*args)


def _pair_loss_backward(ctx, grad, *_):
    pred, target, *partials = ctx.saved_tensors
    grads = [None] * len(ctx.needs_input_grad)
    for i, box in enumerate((pred, target)):
        if ctx.needs_input_grad[i]:
            grads[i] = _run_backward(_scale_rows, partials[i], grad, box.dtype, box)
    return tuple(grads)


def _differentiable(operator):
    """An operator that returns (loss, partials of pred, partials of target) as a function that returns the loss.

    The operator's arguments begin with pred and target and end with two flags that say whose partials are wanted.
    """

    class Loss(Function):
        """The eager path: least overhead."""

        @staticmethod
        def forward(ctx, pred, target, *rest):
            loss, *partials = operator(pred, target, *rest)
            ctx.save_for_backward(pred, target, *partials)
            return loss

        backward = staticmethod(_pair_loss_backward)

    class TransformedLoss(Function):
        """The same for ``torch.func``, which wants the context apart from the computation."""

        generate_vmap_rule = True

        @staticmethod
        def forward(*args):
            return operator(*args)

        @staticmethod
        def setup_context(ctx, inputs, output):
            _, grad_pred, grad_target = output
            ctx.mark_non_differentiable(grad_pred, grad_target)
            ctx.save_for_backward(inputs[0], inputs[1], grad_pred, grad_target)

        backward = staticmethod(_pair_loss_backward)

    def loss(pred: Tensor, target: Tensor, *rest) -> Tensor:
        if torch._C._are_functorch_transforms_active():
            # An outer transform may differentiate what looks like a constant here.
            return TransformedLoss.apply(pred, target, *rest, True, True)[0]
        if _wants_gradient(pred, target):
            return Loss.apply(pred, target, *rest, pred.requires_grad, target.requires_grad)
        return operator(pred, target, *rest, False, False)[0]

    return loss


def _wants_gradient(*boxes: Tensor) -> bool:
    grad = torch.is_grad_enabled() and any(b.requires_grad for b in boxes)
    return grad or forward_ad._current_level >= 0  # forward mode is not there, and the Functions say so


#: Losses of ``fastiou::pair_loss``, ``rotated_loss`` and ``pixel_loss``, differentiable with respect to pred and
#: target. They take the operator's arguments but for the last two.
pair_loss = _differentiable(_native.operator("pair_loss"))
rotated_loss = _differentiable(_native.operator("rotated_loss"))
pixel_loss = _differentiable(_native.operator("pixel_loss"))


def _differentiable_sets(operator, backward_operator, tensors: int):
    """An operator that returns scores of two sets as a function that autograd knows.

    The first ``tensors`` arguments are tensors, or None, and the first two of them the sets. ``backward_operator``
    takes the incoming gradient, the same arguments, and two flags that say for which set a gradient is wanted.
    """

    class Scores(Function):
        """What comes in is all that is kept for the backward pass."""

        generate_vmap_rule = True

        @staticmethod
        def forward(*args):
            return operator(*args)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.options = inputs[tensors:]
            ctx.save_for_backward(*inputs[:tensors])

        @staticmethod
        def backward(ctx, grad):
            boxes1, boxes2 = ctx.saved_tensors[:2]
            wanted = ctx.needs_input_grad[:2]
            grad = grad.to(compute_dtype(boxes1, boxes2))  # scores with integers are narrower than what they come from
            grads = _run_backward(backward_operator, grad, *ctx.saved_tensors, *ctx.options, *wanted)
            pairs = zip(grads, (boxes1, boxes2), wanted, strict=True)
            return (*(g.to(b.dtype) if w else None for g, b, w in pairs), *[None] * (tensors - 2 + len(ctx.options)))

    def scores(boxes1: Tensor, boxes2: Tensor, *rest) -> Tensor:
        if torch._C._are_functorch_transforms_active() or _wants_gradient(boxes1, boxes2):
            return Scores.apply(boxes1, boxes2, *rest)
        return operator(boxes1, boxes2, *rest)

    return scores


def _soft_pixels(boxes1, boxes2, format1, format2, area_union, k, scale):
    return _pixel_pairwise(boxes1, boxes2, format1, format2, area_union, False, k, scale)


#: Scores of ``fastiou::pairwise``, and of ``fastiou::pixel_pairwise`` without ``hard``, differentiable with respect to
#: both sets.
pairwise = _differentiable_sets(_native.operator("pairwise"), _native.operator("pairwise_backward"), 4)
pixel_pairwise = _differentiable_sets(_soft_pixels, _native.operator("pixel_pairwise_backward"), 2)


def hard_pixels(boxes1: Tensor, boxes2: Tensor, *options) -> Tensor:
    """The loss of ``fastiou::pixel_loss`` for counts of whole pixels, which have no derivative."""
    return _native.operator("pixel_loss")(boxes1.detach(), boxes2.detach(), *options, False, False)[0]


def hard_pixels_pairwise(boxes1: Tensor, boxes2: Tensor, format1, format2, area_union, k, scale) -> Tensor:
    """The same for ``fastiou::pixel_pairwise``."""
    return _pixel_pairwise(boxes1.detach(), boxes2.detach(), format1, format2, area_union, True, k, scale)
