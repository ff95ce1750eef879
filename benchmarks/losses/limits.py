"""The limits: the kernels without a function around them, a node without arithmetic, moving the bytes without both."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import Function

import fastiou

from ..steps import Steps
from .case import REDUCTIONS, Case, Data


def operator_steps(case: Case, data: Data) -> Steps:
    """The operators as the function calls them, and no graph."""
    pred, target, grad = data
    kind, reduction, eps = fastiou.kinds().index(case.kind), REDUCTIONS.index(case.reduction), 1e-7
    wanted, boxes = pred.requires_grad, pred.detach()
    loss, scale = torch.ops.fastiou.pair_loss.default, torch.ops.fastiou.scale_rows.default
    return Steps(
        lambda: loss(boxes, target, None, None, None, kind, 0, 0, reduction, None, eps, eps, wanted, False),
        lambda results: scale(results[1], grad, boxes.dtype),
    )


class _BareNode(Function):
    """Allocates what a loss allocates and computes nothing."""

    @staticmethod
    def forward(ctx, pred: Tensor, target: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        ctx.save_for_backward(pred)
        return pred.new_empty(shape, dtype=dtype)

    @staticmethod
    def backward(ctx, grad: Tensor):
        (pred,) = ctx.saved_tensors
        return torch.empty_like(pred), None, None, None


def bare_node_steps(case: Case, data: Data) -> Steps:
    """The bare cost of an autograd node."""
    pred, target, grad = data
    shape, dtype = grad.shape, grad.dtype
    return Steps(
        lambda: _BareNode.apply(pred, target, shape, dtype),
        lambda loss: torch.autograd.grad(loss, pred, grad),
    )


def copy_steps(case: Case, data: Data) -> Steps:
    """One copy per pass, each of half the bytes that the fused loss has to move: a copy reads and writes them."""
    forward_bytes = case.forward_bytes if data.pred.requires_grad else case.loss_bytes
    # Random numbers, not zeros: some devices move those faster.
    forward_source, backward_source = (
        torch.rand(moved // 2 // 4, device=case.device) for moved in (forward_bytes, case.backward_bytes)
    )
    return Steps(forward_source.clone, lambda copied: backward_source.clone())
