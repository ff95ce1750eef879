"""Shapes around two rotated boxes: what C of GIoU is the area of, and c of DIoU and CIoU the diagonal.

``"hull"``: the convex hull, its diameter for a diagonal. ``"min"``: the rectangle of least area. ``"target"``: the
rectangle along the second box. ``"aabb"``: the axis-aligned rectangle, which is larger than the boxes even where they
are identical. Their area and diagonal do not change with how boxes are written.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .pose import Pose

ENCLOSINGS = ("hull", "min", "target", "aabb")

Point = tuple[Tensor, Tensor]


def _corners(centre: Point, along: Point, across: Point) -> list[Point]:
    """Corners counter-clockwise from the one between the normals across and -along, given half a side along each."""
    (x, y), (ax, ay), (bx, by) = centre, along, across
    (x0, y0), (x1, y1) = (ax - bx, ay - by), (ax + bx, ay + by)
    return [(x + x0, y + y0), (x + x1, y + y1), (x - x0, y - y0), (x - x1, y - y1)]


def _first_corners(pose: Pose) -> list[Point]:
    p, q, c, s = pose.w1 / 2, pose.h1 / 2, pose.phi.cos(), pose.phi.sin()
    return _corners((pose.px, pose.py), (p * c, p * s), (-q * s, q * c))


def _second_corners(pose: Pose) -> list[Point]:
    zero = torch.zeros_like(pose.px)
    return _corners((zero, zero), (pose.w2 / 2, zero), (zero, pose.h2 / 2))


def _farthest(corners: list[Point], first: int, parallel: Tensor) -> list[Point]:
    """The corner of a box that is the farthest in each of the eight sectors of :func:`_hull_area`.

    Sectors of even number are empty where the boxes are parallel. Which corner is the farthest there depends on how
    they cease to be; half-way, it is the middle of the edge.
    """
    points = []
    for k in range(8):
        x, y = corners[(k + first) // 2 % 4]
        if k % 2 == 0:
            (x0, y0), (x1, y1) = corners[k // 2], corners[(k // 2 + 1) % 4]
            x, y = torch.where(parallel, (x0 + x1) / 2, x), torch.where(parallel, (y0 + y1) / 2, y)
        points.append((x, y))
    return points


def _sum_by_halves(terms: list[Tensor]) -> Tensor:
    while len(terms) > 1:
        half = len(terms) // 2
        terms = [a + b for a, b in zip(terms[:half], terms[half:], strict=True)]
    return terms[0]


def _hull_area(pose: Pose) -> Tensor:
    """Area of the convex hull, without sorting.

    The eight normals of both boxes cut the circle of directions into sectors, in each of which one corner of either box
    is the farthest. The hull goes through the farther of the two at both ends of every sector; at a tie, through the
    point half-way. Deciding a near tie wrongly costs no more than the difference was.

    Sums are formed in pairs, of equal terms where boxes are identical: area and gradient are exact there.
    """
    p, q, a, b = pose.w1 / 2, pose.h1 / 2, pose.w2 / 2, pose.h2 / 2
    px, py, c, s = pose.px, pose.py, pose.phi.cos(), pose.phi.sin()
    # How far each box reaches along the normals (1, 0), (c, s), (0, 1), (-s, c) and their opposites.
    centre = (px, px * c + py * s, py, py * c - px * s)
    reach1 = (p * c + q * s, p, p * s + q * c, q)
    reach2 = (a, a * c + b * s, b, a * s + b * c)
    tie = torch.full_like(px, 0.5)
    shares = [  # of the first box
        torch.heaviside((sign * m + r1 - r2).detach(), tie)
        for sign in (1, -1)
        for m, r1, r2 in zip(centre, reach1, reach2, strict=True)
    ]
    parallel = s == 0
    first, second = _farthest(_first_corners(pose), 1, parallel), _farthest(_second_corners(pose), 2, parallel)
    path = []
    for k, ((x1, y1), (x2, y2)) in enumerate(zip(first, second, strict=True)):
        for share in (shares[k], shares[(k + 1) % 8]):
            path.append((share * x1 + (1 - share) * x2, share * y1 + (1 - share) * y2))
    x, y = zip(*path, strict=True)
    return _sum_by_halves([x[i] * (y[(i + 1) % 16] - y[i - 1]) for i in range(16)]) / 2


def _hull_diameter2(pose: Pose) -> Tensor:
    """The largest squared distance of two corners."""
    a, b = pose.w2 / 2, pose.h2 / 2
    across = [(x.abs() + a) ** 2 + (y.abs() + b) ** 2 for x, y in _first_corners(pose)]
    return torch.stack([*across, pose.w1**2 + pose.h1**2, pose.w2**2 + pose.h2**2], -1).amax(-1)


def _span(pose: Pose, x: Tensor, y: Tensor) -> Tensor:
    """Extent of both boxes along a direction, times its length."""
    p, q, a, b = pose.w1 / 2, pose.h1 / 2, pose.w2 / 2, pose.h2 / 2
    c, s = pose.phi.cos(), pose.phi.sin()
    centre = x * pose.px + y * pose.py
    reach1 = p * (x * c + y * s).abs() + q * (y * c - x * s).abs()
    reach2 = a * x.abs() + b * y.abs()
    return torch.maximum(centre + reach1, reach2) - torch.minimum(centre - reach1, -reach2)


def _rectangle(pose: Pose, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Sides of the enclosing rectangle along a direction, times its length, and the square of that."""
    return _span(pose, x, y), _span(pose, -y, x), x * x + y * y


def _flush_direction(pose: Pose) -> tuple[Tensor, Tensor]:
    """Direction of the enclosing rectangle of least area, which has an edge of the hull for a side.

    Such edges are sides of the boxes or join a corner of one with a corner of the other.
    """
    x, y = [torch.ones_like(pose.phi), pose.phi.cos()], [torch.zeros_like(pose.phi), pose.phi.sin()]
    for x1, y1 in _first_corners(pose):
        for x2, y2 in _second_corners(pose):
            x.append(x1 - x2)
            y.append(y1 - y2)
    x, y = torch.stack(x, -1), torch.stack(y, -1)
    with torch.no_grad():
        width, height, square = _rectangle(Pose(*(number.unsqueeze(-1) for number in pose)), x, y)
        eps = torch.finfo(x.dtype).eps
        tie = 8 * eps * (pose.w1 + pose.h1 + pose.w2 + pose.h2).unsqueeze(-1)
        # Corners that coincide but for rounding have no direction, and sides of the boxes go before what is no better.
        area = torch.where(square > tie * tie, width * height / square, torch.inf)
        area = torch.cat([area[..., :2], area[..., 2:] * (1 + 8 * eps)], -1)
        best = area.argmin(-1, keepdim=True)
    return x.gather(-1, best).squeeze(-1), y.gather(-1, best).squeeze(-1)


def _enclosing_rectangle(pose: Pose, enclosing: str) -> tuple[Tensor, Tensor, Tensor]:
    if enclosing == "target":
        return _rectangle(pose, torch.ones_like(pose.phi), torch.zeros_like(pose.phi))
    if enclosing == "aabb":
        return _rectangle(pose, pose.axis_x, pose.axis_y)
    return _rectangle(pose, *_flush_direction(pose))


def enclosing_area(pose: Pose, enclosing: str = "hull") -> Tensor:
    """Area ``(...)`` of the shape around both boxes."""
    if enclosing == "hull":
        return _hull_area(pose)
    width, height, square = _enclosing_rectangle(pose, enclosing)
    return width * height / square


def enclosing_diagonal2(pose: Pose, enclosing: str = "hull") -> Tensor:
    """Squared diagonal ``(...)`` of the shape around both boxes; of the hull, the squared diameter."""
    if enclosing == "hull":
        return _hull_diameter2(pose)
    width, height, square = _enclosing_rectangle(pose, enclosing)
    return (width**2 + height**2) / square
