"""The two limits: what an autograd node costs without arithmetic, and what moving the bytes costs without a node."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import Function

from ..steps import Steps
from .case import Case, Data


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
    # Random numbers, not zeros: some devices move those faster.
    forward_source, backward_source = (
        torch.rand(moved // 2 // 4, device=case.device) for moved in (case.forward_bytes, case.backward_bytes)
    )
    return Steps(forward_source.clone, lambda copied: backward_source.clone())
