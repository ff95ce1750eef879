"""Rotated boxes ``(cx, cy, w, h, r)``, seen from one another.

r turns the width axis: clockwise on the screen, where y points down, from (1, 0) to (cos r, sin r).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .rows import power_of_two


class Pose(NamedTuple):
    """The first box in the frame of the second: centre at the origin, sides along the axes.

    The frame is mirrored, and a quarter turn of the first box written as swapped sides, so that ``phi``, the angle of
    the first box, is in [0, pi/4]. ``(axis_x, axis_y)`` is the world's x axis in this frame. Tensors ``(...)``.
    """

    px: Tensor
    py: Tensor
    w1: Tensor
    h1: Tensor
    w2: Tensor
    h2: Tensor
    phi: Tensor
    axis_x: Tensor
    axis_y: Tensor


#: pi/2 as a sum (Cody and Waite): few enough digits in the first terms that their products with integers are exact.
_QUARTER_TURN = {
    torch.float32: (1.5703125, 4.837512969970703125e-4, 7.54978995489188216e-8),
    torch.float64: (1.57079632673412561417, 6.07710050630396597660e-11, 2.02226624879595063154e-21),
}


def _reduced(angle: Tensor, degrees: bool) -> tuple[Tensor, Tensor]:
    """Quarter turns, an integer, and what is left of an angle, in radians: within pi/4 of 0."""
    parts = (90.0,) if degrees else _QUARTER_TURN[angle.dtype]
    turns = (angle.detach() / (90.0 if degrees else math.pi / 2)).round()
    for part in parts:
        angle = angle - turns * part
    # Angles so large that their digits do not say where they point get some angle.
    return turns, (angle * (math.pi / 180) if degrees else angle).clamp(-1, 1)


def cos_sin(angle: Tensor, degrees: bool) -> tuple[Tensor, Tensor]:
    """Cosine and sine, of whole quarter turns in degrees exactly."""
    if not degrees:
        return angle.cos(), angle.sin()
    turns, angle = _reduced(angle, degrees)
    c, s = angle.cos(), angle.sin()
    turns = turns.remainder(4)
    swap = (turns == 1) | (turns == 3)
    cos, sin = torch.where(swap, s, c), torch.where(swap, c, s)
    return torch.where((turns == 1) | (turns == 2), -cos, cos), torch.where(turns >= 2, -sin, sin)


def pose(boxes1: Tensor, boxes2: Tensor, degrees: bool = False, clockwise: bool = True) -> Pose:
    """Pose of the first boxes ``(..., 5)`` with respect to the second, which broadcast; float32 or float64.

    Negative sizes count as 0. Differentiable; which quarter turn and which mirror image is taken is constant.
    """
    boxes1, boxes2 = torch.broadcast_tensors(boxes1, boxes2)
    dx, dy = (boxes1[..., :2] - boxes2[..., :2]).unbind(-1)
    (w1, h1), (w2, h2) = (boxes[..., 2:4].clamp(min=0).unbind(-1) for boxes in (boxes1, boxes2))
    r1, r2 = (boxes[..., 4] if clockwise else -boxes[..., 4] for boxes in (boxes1, boxes2))
    largest = torch.finfo(r1.dtype).max
    turns, rho = _reduced((r1 - r2).clamp(-largest, largest), degrees)
    odd = turns.remainder(2) == 1
    mirror = torch.where(rho < 0, -1.0, 1.0).to(rho.dtype)
    c, s = cos_sin(r2, degrees)
    return Pose(
        px=dx * c + dy * s,
        py=(dy * c - dx * s) * mirror,
        w1=torch.where(odd, h1, w1),
        h1=torch.where(odd, w1, h1),
        w2=w2,
        h2=h2,
        phi=rho * mirror,
        axis_x=c,
        axis_y=-s * mirror,
    )


def centred(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The same boxes with the second centre at the origin, times a power of two, and that: no number is above 2.

    Centres are subtracted first, so that boxes far from the origin lose nothing.
    """
    boxes1, boxes2 = torch.broadcast_tensors(boxes1, boxes2)
    centre1, centre2 = boxes1[..., :2], boxes2[..., :2]
    with torch.no_grad():
        sizes = torch.maximum(boxes1[..., 2:4], boxes2[..., 2:4])
        extent = torch.maximum((centre1 / 2 - centre2 / 2).abs(), sizes / 2).amax(-1, keepdim=True)
        scale = power_of_two(extent)
        down, up = scale.clamp(max=1), scale.clamp(min=1)  # before the difference, which might overflow, and after
    offset = (centre1 * down - centre2 * down) * up
    first = torch.cat([offset, boxes1[..., 2:4] * scale, boxes1[..., 4:]], -1)
    second = torch.cat([torch.zeros_like(offset), boxes2[..., 2:4] * scale, boxes2[..., 4:]], -1)
    return first, second, scale.squeeze(-1)
