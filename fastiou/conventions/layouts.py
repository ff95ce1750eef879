"""How the numbers of a rotated box stand for a rectangle: reading and writing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Rectangle(NamedTuple):
    """Centre, sides and angle, each ``(...)``. The angle is in the unit and the sense of the convention."""

    cx: Tensor
    cy: Tensor
    w: Tensor
    h: Tensor
    angle: Tensor


class Layout(NamedTuple):
    """``radian`` is what one unit of the angle is in radians clockwise, with its sign."""

    width: int
    read: Callable[[Tensor, float], Rectangle]
    write: Callable[[Rectangle, float], Tensor] | None  # None: has no angle, and so cannot hold every rectangle


def _sides(w: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
    return w.clamp(min=0), h.clamp(min=0)


def _half_diagonal(w: Tensor, h: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
    """From the corner where both axes begin to the centre."""
    return (w * cos - h * sin) / 2, (w * sin + h * cos) / 2


def _unit(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Length and direction of a vector; that of a zero vector is (1, 0), without gradient."""
    zero = (x == 0) & (y == 0)
    x = torch.where(zero, 1.0, x)
    length = torch.hypot(x, y)
    return torch.where(zero, 0.0, length), x / length, y / length


def _read_centre(x: Tensor, radian: float) -> Rectangle:
    cx, cy, w, h, angle = x.unbind(-1)
    return Rectangle(cx, cy, *_sides(w, h), angle)


def _write_centre(box: Rectangle, radian: float) -> Tensor:
    return torch.stack(box, -1)


def _read_corner(x: Tensor, radian: float) -> Rectangle:
    """The corner is the box's own top left, turned with it."""
    x1, y1, w, h, angle = x.unbind(-1)
    w, h = _sides(w, h)
    dx, dy = _half_diagonal(w, h, torch.cos(angle * radian), torch.sin(angle * radian))
    return Rectangle(x1 + dx, y1 + dy, w, h, angle)


def _write_corner(box: Rectangle, radian: float) -> Tensor:
    cx, cy, w, h, angle = box
    dx, dy = _half_diagonal(w, h, torch.cos(angle * radian), torch.sin(angle * radian))
    return torch.stack([cx - dx, cy - dy, w, h, angle], -1)


def _read_edges(x: Tensor, radian: float) -> Rectangle:
    """Corner 1, the edge from there to corner 2, and the length of the next edge; what else there is, is not read."""
    x1, y1, x2, y2, x3, y3, _, _ = x.unbind(-1)
    # y upwards, so that a half turn is +180 degrees counter-clockwise and not -180: torchvision's sign.
    w, cos, rise = _unit(x2 - x1, y1 - y2)
    h, down, right = _unit(y3 - y2, x3 - x2)
    flat = w == 0  # then the other edge alone knows the angle
    cos, rise = torch.where(flat, down, cos), torch.where(flat, right, rise)
    dx, dy = _half_diagonal(w, h, cos, -rise)
    return Rectangle(x1 + dx, y1 + dy, w, h, 0 - torch.atan2(rise, cos))


def _write_corners(box: Rectangle, radian: float) -> Tensor:
    cx, cy, w, h, angle = box
    cos, sin = torch.cos(angle * radian), torch.sin(angle * radian)
    dx, dy = _half_diagonal(w, h, cos, sin)
    ex, ey = _half_diagonal(w, -h, cos, sin)
    return torch.stack([cx - dx, cy - dy, cx + ex, cy + ey, cx + dx, cy + dy, cx - ex, cy - ey], -1)


def _read_polygon(x: Tensor, radian: float) -> Rectangle:
    """The rectangle of least area around four points.

    One of its sides lies along an edge of the convex hull (Freeman and Shapira, 1975), which is one of the six
    connections of the points: trying all six needs no hull, and any order of the points will do. Of its four equal
    spellings it is the one whose width axis is nearest to the edge from the first point to the second.
    """
    points = x.unflatten(-1, (4, 2))
    edges = torch.cat([points.roll(-1, -2) - points, points[..., 2:, :] - points[..., :2, :]], -2)
    px, py = (points - points[..., :1, :]).unsqueeze(-3).unbind(-1)  # (..., 1, 4)
    _, nx, ny = _unit(*edges.unsqueeze(-2).unbind(-1))  # (..., 6, 1)
    along, across = px * nx + py * ny, py * nx - px * ny
    u0, u1, v0, v1 = along.amin(-1), along.amax(-1), across.amin(-1), across.amax(-1)
    # Areas in units of the largest extent neither overflow nor vanish.
    scale = torch.maximum(u1 - u0, v1 - v0).amax(-1, keepdim=True)
    scale = torch.where(scale == 0, 1.0, scale)
    best = (((u1 - u0) / scale) * ((v1 - v0) / scale)).argmin(-1, keepdim=True)
    nx, ny, u0, u1, v0, v1 = (t.gather(-1, best).squeeze(-1) for t in (nx.squeeze(-1), ny.squeeze(-1), u0, u1, v0, v1))
    u, v = (u0 + u1) / 2, (v0 + v1) / 2
    cx, cy = points[..., 0, 0] + u * nx - v * ny, points[..., 0, 1] + u * ny + v * nx

    ex, ey = edges[..., 0, :].unbind(-1)
    forward, sideways = ex * nx + ey * ny, ey * nx - ex * ny
    swap = sideways.abs() > forward.abs()
    sign = torch.where(torch.where(swap, sideways, forward) < 0, -1.0, 1.0)
    nx, ny = sign * torch.where(swap, -ny, nx), sign * torch.where(swap, nx, ny)
    w, h = torch.where(swap, v1 - v0, u1 - u0), torch.where(swap, u1 - u0, v1 - v0)
    return Rectangle(cx, cy, w, h, torch.atan2(ny, nx))


def _upright(cx: Tensor, cy: Tensor, w: Tensor, h: Tensor) -> Rectangle:
    return Rectangle(cx, cy, *_sides(w, h), torch.zeros_like(w))


def _read_xyxy(x: Tensor, radian: float) -> Rectangle:
    x1, y1, x2, y2 = x.unbind(-1)
    return _upright((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)


def _read_xywh(x: Tensor, radian: float) -> Rectangle:
    x1, y1, w, h = x.unbind(-1)
    return _upright(x1 + w / 2, y1 + h / 2, w, h)


def _read_cxcywh(x: Tensor, radian: float) -> Rectangle:
    return _upright(*x.unbind(-1))


LAYOUTS = {
    "cx cy w h angle": Layout(5, _read_centre, _write_centre),
    "x1 y1 w h angle": Layout(5, _read_corner, _write_corner),
    "x1 y1 ... x4 y4": Layout(8, _read_edges, _write_corners),
    "any four corners": Layout(8, _read_polygon, _write_corners),
    "x1 y1 x2 y2": Layout(4, _read_xyxy, None),
    "x1 y1 w h": Layout(4, _read_xywh, None),
    "cx cy w h": Layout(4, _read_cxcywh, None),
}
