"""Boxes in any format of the operators as centre, sides and direction, and gradients back."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .._names import FORMATS
from .pose import cos_sin

# What four numbers are, as a matrix from them to centre and sides.
_CENTRED = {
    "xyxy": ((0.5, 0, 0.5, 0), (0, 0.5, 0, 0.5), (-1, 0, 1, 0), (0, -1, 0, 1)),
    "xywh": ((1, 0, 0.5, 0), (0, 1, 0, 0.5), (0, 0, 1, 0), (0, 0, 0, 1)),
    "cxcywh": ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)),
}


class BoxFormat:
    """How boxes are read, and gradients written: a code of the operators."""

    def __init__(self, code: int):
        flags = code - len(FORMATS)
        self.centred = _CENTRED[FORMATS[code]] if flags < 0 else None
        self.degrees, self.clockwise = flags & 1 == 1, flags & 2 == 0

    def read(self, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """``(N, 4)`` centre and sides, and ``(N, 2)`` the direction of the width axis."""
        if self.centred is not None:
            boxes = (boxes.unsqueeze(-2) * boxes.new_tensor(self.centred)).sum(-1)
            return boxes, boxes.new_tensor([1.0, 0.0]).expand(len(boxes), 2)
        angle = boxes[:, 4] if self.clockwise else -boxes[:, 4]
        return boxes[:, :4], torch.stack(cos_sin(angle, self.degrees), -1)

    def write(self, grad: Tensor) -> Tensor:
        """Gradient ``(N, 5)`` of centre, sides and angle -> that of the numbers read."""
        if self.centred is not None:
            return (grad[:, :4].unsqueeze(-1) * grad.new_tensor(self.centred)).sum(-2)
        radian = (math.pi / 180 if self.degrees else 1.0) * (1 if self.clockwise else -1)
        return grad * grad.new_tensor([1, 1, 1, 1, radian])
