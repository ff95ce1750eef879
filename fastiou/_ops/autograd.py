"""``torch.autograd.Function`` around the private operators.

The aligned losses write their partial derivatives along with the loss, and the backward pass multiplies them by the
incoming gradient. Pairwise scores have too many of them: there the backward pass computes them again. Second
derivatives are not in the kernels and are refused.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.autograd import Function, forward_ad

from .._dtypes import compute_dtype
from . import kernels
from .signatures import LossOptions, PixelOptions, SoftPixelOptions

_are_transforms_active = torch._C._are_functorch_transforms_active
_scale_rows = kernels.operator("scale_rows")
_pixel_pairwise = kernels.operator("pixel_pairwise")


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
            "fastiou.reference.rotated or fastiou.reference.gaussian), to differentiate twice. PIoU has none at all."
        )


def _recorded(operator):
    """A backward operator of which a graph is being recorded. (A compiled graph refuses by itself.)"""
    return operator if torch.compiler.is_compiling() else functools.partial(_Last.apply, operator)


def _loss_backward(ctx, grad, *_):
    scale_rows = _recorded(_scale_rows) if torch.is_grad_enabled() else _scale_rows
    wants_pred, wants_target, _ = ctx.needs_input_grad
    pred, by_pred, *others = ctx.saved_tensors
    grad_pred = scale_rows(by_pred, grad, pred.dtype, pred) if wants_pred else None
    if not wants_target:
        return grad_pred, None, None
    target, by_target = others
    return grad_pred, scale_rows(by_target, grad, target.dtype, target), None


def _differentiable(operator):
    """An operator that returns (loss, partials of pred, partials of target) as a function that returns the loss.

    Its arguments are pred, target, one of the ``LossOptions``, and two flags that say whose partials are wanted.
    """

    class Loss(Function):
        """The eager path: least overhead."""

        @staticmethod
        def forward(ctx, pred, target, rest):
            loss, by_pred, by_target = operator(pred, target, *rest)
            if by_target is None:
                ctx.save_for_backward(pred, by_pred)
            else:
                ctx.save_for_backward(pred, by_pred, target, by_target)
            return loss

        backward = staticmethod(_loss_backward)

    class TransformedLoss(Function):
        """The same for ``torch.func``, which wants the context apart from the computation."""

        generate_vmap_rule = True

        @staticmethod
        def forward(pred, target, rest):
            return operator(pred, target, *rest)

        @staticmethod
        def setup_context(ctx, inputs, output):
            (pred, target, _), (_, by_pred, by_target) = inputs, output
            ctx.mark_non_differentiable(by_pred, by_target)
            ctx.save_for_backward(pred, by_pred, target, by_target)

        backward = staticmethod(_loss_backward)

    def loss(pred: Tensor, target: Tensor, options: LossOptions) -> Tensor:
        if _are_transforms_active():
            # An outer transform may differentiate what looks like a constant here.
            return TransformedLoss.apply(pred, target, (*options, True, True))[0]
        grad_pred, grad_target = pred.requires_grad, target.requires_grad
        # Forward mode is not there, and the Function says so.
        if ((grad_pred or grad_target) and torch.is_grad_enabled()) or forward_ad._current_level >= 0:
            return Loss.apply(pred, target, (*options, grad_pred, grad_target))
        return operator(pred, target, *options, False, False)[0]

    return loss


#: Losses of ``fastiou::pair_loss``, ``rotated_loss`` and ``pixel_loss``, differentiable with respect to pred and
#: target: functions of both and the options of the operator.
pair_loss = _differentiable(kernels.operator("pair_loss"))
rotated_loss = _differentiable(kernels.operator("rotated_loss"))
pixel_loss = _differentiable(kernels.operator("pixel_loss"))


def _differentiable_sets(operator, backward_operator, masks: int):
    """An operator that returns scores of two sets as a function that autograd knows.

    Its arguments are the sets and a tuple of options, the first ``masks`` of which are tensors, or None.
    ``backward_operator`` takes the incoming gradient, the same arguments, and two flags that say for which set a
    gradient is wanted.
    """

    class Scores(Function):
        """What comes in is all that is kept for the backward pass."""

        @staticmethod
        def forward(ctx, boxes1, boxes2, options):
            Scores.keep(ctx, boxes1, boxes2, options)
            return operator(boxes1, boxes2, *options)

        @staticmethod
        def keep(ctx, boxes1, boxes2, options):
            ctx.options = options[masks:]
            ctx.save_for_backward(boxes1, boxes2, *options[:masks])

        @staticmethod
        def backward(ctx, grad):
            boxes1, boxes2 = ctx.saved_tensors[:2]
            wanted = ctx.needs_input_grad[:2]
            grad = grad.to(compute_dtype(boxes1, boxes2))  # scores with integers are narrower than what they come from
            operator = _recorded(backward_operator) if torch.is_grad_enabled() else backward_operator
            grads = operator(grad, *ctx.saved_tensors, *ctx.options, *wanted)
            pairs = zip(grads, (boxes1, boxes2), wanted, strict=True)
            return (*(g.to(b.dtype) if w else None for g, b, w in pairs), None)

    class TransformedScores(Scores):
        """The same for ``torch.func``."""

        generate_vmap_rule = True

        @staticmethod
        def forward(boxes1, boxes2, options):
            return operator(boxes1, boxes2, *options)

        @staticmethod
        def setup_context(ctx, inputs, output):
            Scores.keep(ctx, *inputs)

    def scores(boxes1: Tensor, boxes2: Tensor, options: tuple) -> Tensor:
        if _are_transforms_active():
            return TransformedScores.apply(boxes1, boxes2, options)
        wanted = (boxes1.requires_grad or boxes2.requires_grad) and torch.is_grad_enabled()
        if wanted or forward_ad._current_level >= 0:
            return Scores.apply(boxes1, boxes2, options)
        return operator(boxes1, boxes2, *options)

    return scores


def _soft_pixels(boxes1, boxes2, *options):
    return _pixel_pairwise(boxes1, boxes2, *SoftPixelOptions(*options).forward(hard=False))


#: Scores of ``fastiou::pairwise``, and of ``fastiou::pixel_pairwise`` without ``hard``, differentiable with respect to
#: both sets: functions of both and ``PairwiseOptions`` or ``SoftPixelOptions``.
pairwise = _differentiable_sets(kernels.operator("pairwise"), kernels.operator("pairwise_backward"), 2)
pixel_pairwise = _differentiable_sets(_soft_pixels, kernels.operator("pixel_pairwise_backward"), 0)


def hard_pixels(boxes1: Tensor, boxes2: Tensor, options: PixelOptions) -> Tensor:
    """The loss of ``fastiou::pixel_loss`` for counts of whole pixels, which have no derivative."""
    return kernels.operator("pixel_loss")(boxes1.detach(), boxes2.detach(), *options, False, False)[0]


def hard_pixels_pairwise(boxes1: Tensor, boxes2: Tensor, options: SoftPixelOptions) -> Tensor:
    """The same for ``fastiou::pixel_pairwise``."""
    return _pixel_pairwise(boxes1.detach(), boxes2.detach(), *options.forward(hard=True))
