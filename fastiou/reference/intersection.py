"""The area that two rotated boxes share: no list of vertices, no sorting, no tolerance.

Green's theorem makes it a line integral along the first box's boundary, that of x clamped to the second box with
respect to y clamped to it. The integrand is continuous and neighbouring edges share their ends, so there is no case
to be decided wrongly. What changes when an edge moves is the length of it inside the other box (Hadamard), which gives
the partial derivatives in closed form.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .pose import Pose


def _clip(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    return torch.minimum(torch.maximum(x, low), high)


def _half_sides(w1: Tensor, h1: Tensor, w2: Tensor, h2: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return w1 / 2, h1 / 2, w2 / 2, h2 / 2


def _overlap(px, py, w1, h1, w2, h2, phi) -> Tensor:
    """False if one of the four edge directions separates the boxes: touching boxes do not overlap."""
    p, q, a, b = _half_sides(w1, h1, w2, h2)
    c, s = phi.cos(), phi.sin()
    along_second = (px.abs() < a + (p * c + q * s)) & (py.abs() < b + (p * s + q * c))
    along_first = ((px * c + py * s).abs() < p + (a * c + b * s)) & ((py * c - px * s).abs() < q + (a * s + b * c))
    return along_second & along_first & (p > 0) & (q > 0) & (a > 0) & (b > 0)


def _mean_clipped(start: Tensor, end: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Mean of clip(x, low, high) for x uniform between start and end."""
    left, right = torch.minimum(start, end), torch.maximum(start, end)
    inner_left, inner_right = _clip(left, low, high), _clip(right, low, high)
    below = (torch.minimum(right, low) - left).relu()
    above = (right - torch.maximum(left, high)).relu()
    total = low * below + high * above + (inner_right - inner_left) * (inner_right + inner_left) / 2
    length = right - left
    return torch.where(length > 0, total / torch.where(length > 0, length, 1.0), inner_left)


def _area(px, py, w1, h1, w2, h2, phi) -> Tensor:
    """The line integral, in coordinates around the first centre."""
    p, q, a, b = _half_sides(w1, h1, w2, h2)
    c, s = phi.cos(), phi.sin()
    left, right, bottom, top = -a - px, a - px, -b - py, b - py  # sides of the second box
    # x is counted from the point of the second box nearest to the first centre: the integrand stays small.
    anchor = _clip(torch.zeros_like(px), left, right)
    low = torch.where(anchor == right, -w2, torch.where(anchor == left, 0.0, left - anchor))
    high = torch.where(anchor == left, w2, torch.where(anchor == right, 0.0, right - anchor))

    x0, y0, x1, y1 = q * s - p * c, -(p * s + q * c), q * s + p * c, p * s - q * c
    corners = [(x - anchor, y, _clip(y, bottom, top)) for x, y in ((x0, y0), (x1, y1), (-x0, -y0), (-x1, -y1))]
    steep = s > 1e-30  # below it nothing is left of the height of the edges that s makes
    slope1 = torch.where(steep, c / torch.where(steep, s, 1.0), 0.0)  # dx/dy of the width axis, and of the other
    slope2 = -s / c

    def edge(corner1, corner2, slope):
        """Mean x times change of y."""
        (x1, y1, clipped1), (x2, y2, clipped2) = corner1, corner2
        left, right = torch.minimum(x1, x2), torch.maximum(x1, x2)
        start = _clip(x1 + (clipped1 - y1) * slope, left, right)
        end = _clip(x2 + (clipped2 - y2) * slope, left, right)
        return _mean_clipped(start, end, low, high) * (clipped2 - clipped1)

    v0, v1, v2, v3 = corners
    area = (edge(v0, v1, slope1) + edge(v1, v2, slope2)) - (edge(v0, v3, slope2) + edge(v3, v2, slope1))
    area = _clip(area, torch.zeros_like(area), torch.minimum(w1 * h1, w2 * h2))
    return torch.where(_overlap(px, py, w1, h1, w2, h2, phi), area, 0.0)


def _partials(px, py, w1, h1, w2, h2, phi) -> tuple[Tensor, ...]:
    """Of the area, with respect to each argument. Edges that coincide count half."""
    p, q, a, b = _half_sides(w1, h1, w2, h2)
    c, s = phi.cos(), phi.sin()
    left, right, bottom, top = -a - px, a - px, -b - py, b - py
    eps = torch.finfo(px.dtype).eps
    tie = 8 * eps * (p + q + a + b)

    def within(margin: Tensor) -> Tensor:
        return ((margin > tie).to(tie.dtype) + (margin >= -tie).to(tie.dtype)) / 2

    def slab(low, high, rate):
        """Where low <= t rate <= high: from, to, and a weight where that does not depend on t."""
        parallel = rate <= 4 * eps
        rate = torch.where(parallel, 1.0, rate)
        weight = torch.where(parallel, within(-low) * within(high), 1.0)
        start, end = torch.where(parallel, -torch.inf, low / rate), torch.where(parallel, torch.inf, high / rate)
        return start, end, weight

    def chord(low, high, slab1, slab2):
        """Length and middle of what two slabs leave of the edge low <= t <= high."""
        start = torch.maximum(low, torch.maximum(slab1[0], slab2[0]))
        end = torch.minimum(high, torch.minimum(slab1[1], slab2[1]))
        return (end - start).relu() * slab1[2] * slab2[2], (start + end) / 2

    def first_along(offset):  # edges of the first box inside the second, along its width, at this height
        x, y = offset * s, -offset * c
        return chord(-p, p, slab(left + x, right + x, c), slab(bottom + y, top + y, s))

    def first_across(offset):  # along its height, at this width
        x, y = offset * c, offset * s
        return chord(-q, q, slab(x - right, x - left, s), slab(bottom - y, top - y, c))

    def second_across(x):  # edges of the second box inside the first
        return chord(bottom, top, slab(-p - x * c, p - x * c, s), slab(x * s - q, x * s + q, c))[0]

    def second_along(y):
        return chord(left, right, slab(-p - y * s, p - y * s, c), slab(y * c - q, y * c + q, s))[0]

    (bottom1, at_bottom), (top1, at_top) = first_along(-q), first_along(q)
    (left1, at_left), (right1, at_right) = first_across(-p), first_across(p)
    x, y = right1 - left1, top1 - bottom1
    overlap = _overlap(px, py, w1, h1, w2, h2, phi)
    partials = (
        c * x - s * y,
        s * x + c * y,
        (right1 + left1) / 2,
        (top1 + bottom1) / 2,
        (second_across(right) + second_across(left)) / 2,
        (second_along(top) + second_along(bottom)) / 2,
        (top1 * at_top - bottom1 * at_bottom) - (right1 * at_right - left1 * at_left),
    )
    return tuple(torch.where(overlap, partial, 0.0) for partial in partials)


class _Intersection(torch.autograd.Function):
    """The line integral, whose derivatives are not those of its operations but their closed form."""

    generate_vmap_rule = True

    @staticmethod
    def forward(px, py, w1, h1, w2, h2, phi):
        return _area(px, py, w1, h1, w2, h2, phi)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        return tuple(grad * partial for partial in _partials(*ctx.saved_tensors))


def intersection(pose: Pose) -> Tensor:
    """Area of the intersection ``(...)``; exactly 0 without gradient where the boxes do not overlap."""
    return _Intersection.apply(*pose[:7])
