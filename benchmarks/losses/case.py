"""What is measured: a case and its data."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..steps import DTYPES, MODES as STEP_MODES

REDUCTIONS = ("none", "mean")
NO_GRAD = "no-grad"  # a forward pass of which no gradient will be asked
MODES = (*STEP_MODES, NO_GRAD)


class Case(NamedTuple):
    """Everything but the provider and the mode."""

    device: str
    boxes: str
    kind: str
    reduction: str
    dtype: str
    n: int

    @property
    def input_bytes(self) -> int:
        """Bytes of one input number."""
        return DTYPES[self.dtype].itemsize

    @property
    def compute_bytes(self) -> int:
        """Bytes of one number of the loss: half precision is computed in float32."""
        return max(self.input_bytes, 4)

    @property
    def loss_bytes(self) -> int:
        """What a loss without gradient has to move: two boxes in and, unless reduced, the loss out."""
        loss = 1 if self.reduction == "none" else 0
        return self.n * (8 * self.input_bytes + loss * self.compute_bytes)

    @property
    def forward_bytes(self) -> int:
        """What a fused forward pass has to move: the same, and four derivatives out."""
        return self.loss_bytes + self.n * 4 * self.compute_bytes

    @property
    def backward_bytes(self) -> int:
        """What a fused backward pass has to move: derivatives and, unless reduced, a gradient in; a gradient out."""
        loss = 1 if self.reduction == "none" else 0
        return self.n * ((4 + loss) * self.compute_bytes + 4 * self.input_bytes)

    def bytes_of(self, mode: str) -> int:
        """Bytes that the fused loss has to move in a mode."""
        return {
            "forward": self.forward_bytes,
            "backward": self.backward_bytes,
            "full": self.forward_bytes + self.backward_bytes,
            NO_GRAD: self.loss_bytes,
        }[mode]


class Data(NamedTuple):
    """The tensors of a case."""

    pred: Tensor  # requires grad
    target: Tensor
    grad: Tensor  # incoming gradient of the loss

    def without_grad(self) -> Data:
        """The same for a loss of which no gradient will be asked."""
        return self._replace(pred=self.pred.detach())


def make_data(case: Case, pred: Tensor, target: Tensor) -> Data:
    """The pairs on the device and in the dtype of a case, and a gradient for its loss."""
    dtype = DTYPES[case.dtype]
    shape = (case.n,) if case.reduction == "none" else ()
    loss_dtype = torch.float64 if dtype == torch.float64 else torch.float32
    return Data(
        pred.to(case.device, dtype, copy=True).requires_grad_(),
        target.to(case.device, dtype, copy=True),
        torch.ones(shape, device=case.device, dtype=loss_dtype),
    )
