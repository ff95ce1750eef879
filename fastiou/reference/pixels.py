"""PIoU in plain PyTorch: sums over the pixels of boxes, and their derivatives in closed form.

Like the kernels, it looks at no pixel that does not matter: rows of the boxes, or of what two boxes share, are clipped
to where the product of all factors K is not 0 yet, and pixels where all of them are 1 already are only counted. Rows,
and then the pixels of rows, are laid end to end and taken in pieces of bounded size.

Everything is computed in float64 where the device has it. Boxes here are centre, sides and angle (clockwise, in
radians), in pixels of the raster.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from .formats import BoxFormat

#: Rows of boxes, and pixels, that are in memory at a time.
_ROWS, _PIXELS = 1 << 16, 1 << 17
#: Edges further away than this, over k, are no edges.
_FAR = {torch.float32: 16.0, torch.float64: 38.0}


def wide_dtype(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else torch.float64


class Limits(NamedTuple):
    """The longest side, and the softest edges, that are counted pixel by pixel, as powers of two."""

    longest: int
    softest: int


#: Where edges are softened until boxes meet, a direction is asked for, and no digits.
_EXACT, _COARSE = Limits(15, -4), Limits(10, -2)


@dataclass(frozen=True)
class Raster:
    """How pixels are counted."""

    area_union: bool
    hard: bool
    k: float
    scale: float
    far: float  # a value of _FAR
    halvings: int = 0  # of k, for softer edges

    @staticmethod
    def of(area_union: bool, hard: bool, k: float, scale: float, dtype: torch.dtype) -> Raster:
        """That of options of an operator, for results of a dtype."""
        return Raster(area_union, hard, k, scale, _FAR[dtype])

    @property
    def level(self) -> int:
        """Power of two that the raster is coarsened by because edges are so soft: they are 1 to 2 times ``softest``."""
        exponent = math.frexp(self.k)[1] - self.halvings
        return 0 if self.hard else max(0, self.limits.softest - exponent + 1)

    @property
    def steepness(self) -> float:
        """k per pixel of the coarsened raster."""
        return math.ldexp(self.k, self.level - self.halvings)

    @property
    def pixels_per_unit(self) -> float:
        """What coordinates are multiplied by."""
        return math.ldexp(self.scale, -self.level)

    @property
    def margin(self) -> float:
        """How far outside and inside of edges pixels are looked at one by one."""
        return 1.0 if self.hard else self.far / self.steepness

    @property
    def limits(self) -> Limits:
        return _COARSE if self.halvings else _EXACT

    def softer(self, halvings: int) -> Raster:
        """The exact union at softer edges."""
        return replace(self, area_union=False, halvings=halvings)


def pieces(counts: Tensor, most: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(owner, number among those of the owner) of all things that are counted, at most ``most`` at a time."""
    ends = counts.cumsum(0)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, most):
        stop = min(start + most, total)
        first, last = torch.searchsorted(ends, ends.new_tensor([start, stop - 1]), right=True).tolist()
        some = slice(first, last + 1)
        begins = ends[some] - counts[some]
        here = ends[some].clamp(max=stop) - begins.clamp(min=start)
        owner = torch.repeat_interleave(here, output_size=stop - start)
        yield owner + first, torch.arange(start, stop, device=counts.device) - begins.index_select(0, owner)


class Placed(NamedTuple):
    """Boxes on a raster, each ``(N,)``: centre, half sides and the direction of the width axis."""

    cx: Tensor
    cy: Tensor
    rw: Tensor
    rh: Tensor
    c: Tensor
    s: Tensor

    def take(self, index: Tensor) -> Placed:
        return Placed(*(x.index_select(0, index) for x in self))


def _rows(boxes: list[Placed], margin: float) -> tuple[Tensor, Tensor]:
    """First row, and number of rows, that all boxes, larger by a margin, have in common."""
    reach = [b.s.abs() * (b.rw + margin) + b.c.abs() * (b.rh + margin) for b in boxes]
    first = torch.stack([b.cy - r for b, r in zip(boxes, reach, strict=True)]).amax(0)
    last = torch.stack([b.cy + r for b, r in zip(boxes, reach, strict=True)]).amin(0)
    return _pixels_between(first, last)


def _pixels_between(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    first = (low - 0.5).ceil()
    return first, ((high - 0.5).floor() - first + 1).clamp(min=0).long()


def _columns(boxes: list[Placed], y: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """First pixel, and number of pixels, that all boxes, larger by a margin, have in common in a row."""
    lows, highs = [], []
    for b in boxes:
        dy = y - b.cy
        # |a dx + e| <= r: the strip between two opposite edges.
        for a, e, r in ((b.c, dy * b.s, b.rw + margin), (-b.s, dy * b.c, b.rh + margin)):
            a = torch.where(a.abs() < 1e-30, 1e-30, a)
            edges = (-r - e) / a, (r - e) / a
            lows.append(torch.where(r < 0, math.inf, b.cx + torch.minimum(*edges)))
            highs.append(torch.where(r < 0, -math.inf, b.cx + torch.maximum(*edges)))
    return _pixels_between(torch.stack(lows).amax(0), torch.stack(highs).amin(0))


def _at_pixels(boxes: list[Placed], x: Tensor, y: Tensor, raster: Raster) -> list[Tensor]:
    """The product of F of all boxes, and for each box its derivatives by centre, sides and angle."""
    k = raster.steepness
    value, edges = 1.0, []
    for b in boxes:
        dx, dy = x - b.cx, y - b.cy
        u, v = dx * b.c + dy * b.s, dy * b.c - dx * b.s
        if raster.hard:
            value = value * ((u.abs() <= b.rw) & (v.abs() <= b.rh))
            continue
        along, across = k * (u.abs() - b.rw), k * (v.abs() - b.rh)
        value = value * (torch.sigmoid(-along) * torch.sigmoid(-across))
        edges.append((b, u, v, along, across))
    columns = [value]
    for b, u, v, along, across in edges:
        by_w, by_h = (k * torch.sigmoid(z) * value for z in (along, across))
        by_u, by_v = -by_w * u.sign(), -by_h * v.sign()
        columns += [by_v * b.s - by_u * b.c, -by_u * b.s - by_v * b.c, by_w / 2, by_h / 2, by_u * v - by_v * u]
    return columns


def sums(boxes: list[Placed], raster: Raster) -> tuple[Tensor, ...]:
    """Sum over all pixels of the product of F of the boxes, ``(N,)``, and its derivatives for each box, ``(N, 5)``."""
    margin = raster.margin
    first_row, row_count = _rows(boxes, margin)
    totals = first_row.new_zeros(1 if raster.hard else 1 + 5 * len(boxes), len(first_row))
    for pair, number in pieces(row_count, _ROWS):
        y = first_row[pair] + number + 0.5
        here = [b.take(pair) for b in boxes]
        first, count = _columns(here, y, margin)
        first_inside, inner = _columns(here, y, -margin)
        totals[0].scatter_add_(0, pair, inner.to(y.dtype))
        start, stop = first + 0.5, torch.where(inner > 0, first_inside, math.inf)
        for row, position in pieces((count - inner).clamp(min=0), _PIXELS):
            x = start.index_select(0, row) + position
            x += torch.where(x < stop.index_select(0, row), 0, inner.index_select(0, row))
            columns = _at_pixels([b.take(row) for b in here], x, y.index_select(0, row), raster)
            owner = pair.index_select(0, row)
            for total, column in zip(totals, columns, strict=True):
                total.scatter_add_(0, owner, column.to(total.dtype))
    return totals[0], *(totals[i : i + 5].T for i in range(1, len(totals), 5))


def _power(level: Tensor) -> Tensor:
    return torch.exp2(level).unsqueeze(-1)


class Boxes(NamedTuple):
    """Boxes of one side, each ``(N, ...)``, in pixels of the raster."""

    box: Tensor  # centre and sides
    axis: Tensor
    level: Tensor  # power of two by which each is coarsened because it is so long
    area: Tensor | None = None  # of what counts as area in the union, in pixels of its own level
    by_box: Tensor | None = None  # derivatives of that

    @staticmethod
    def read(boxes: Tensor, form: BoxFormat, raster: Raster) -> Boxes:
        largest = torch.finfo(boxes.dtype).max / 16
        box, axis = form.read(boxes.nan_to_num(0.0, 0.0, 0.0).clamp(-largest, largest))
        box = (box * raster.pixels_per_unit).clamp(-largest, largest)
        # Without area it is a point, that makes no work.
        box = torch.cat([box[:, :2], box[:, 2:] * (box[:, 2:] > 0).all(-1, keepdim=True)], -1)
        longest = box[:, 2:].amax(-1)
        level = torch.where(
            longest > 2.0**raster.limits.longest, torch.frexp(longest).exponent - raster.limits.longest, 0
        )
        level = level.to(box.dtype)
        return Boxes(box, axis, level)

    def measured(self, raster: Raster) -> Boxes:
        """The same with areas."""
        if raster.area_union:
            w, h = (self.box[:, 2:] / _power(self.level)).unbind(-1)
            area, by_box = w * h, torch.stack([0 * w, 0 * w, h, w, 0 * w], -1)
        else:
            area, *by_box = sums([self.placed(self.level, self.origin(self.level))], raster)
            by_box = by_box[0] if by_box else area.new_zeros(len(area), 5)
        return self._replace(area=area, by_box=_to_pixels(by_box, self.level))

    def take(self, index: Tensor) -> Boxes:
        return Boxes(*(x if x is None else x[index] for x in self))

    @property
    def empty(self) -> Tensor:
        return (self.box[:, 2:] <= 0).any(-1)

    def origin(self, level: Tensor) -> Tensor:
        """The pixel that holds the centre: coordinates from there lose nothing."""
        return (self.box[:, :2] / _power(level)).floor()

    def placed(self, level: Tensor, origin: Tensor) -> Placed:
        centre, sides = (self.box / _power(level)).split(2, -1)
        return Placed(*(centre - origin).unbind(-1), *(sides / 2).unbind(-1), *self.axis.unbind(-1))


def _to_pixels(by_box: Tensor, level: Tensor) -> Tensor:
    """Derivatives by what is given in pixels of a level -> by pixels of the raster."""
    return torch.cat([by_box[:, :4] / _power(level), by_box[:, 4:]], -1)


def intersection(boxes1: Boxes, boxes2: Boxes, raster: Raster) -> tuple[Tensor, list[Tensor]]:
    """What boxes share, in pixels of the lower level, and its derivatives by both."""
    low = torch.minimum(boxes1.level, boxes2.level)
    second = (boxes2.level < boxes1.level).unsqueeze(-1)
    origin = torch.where(second, boxes2.origin(low), boxes1.origin(low))
    shared, *by_box = sums([b.placed(low, origin) for b in (boxes1, boxes2)], raster)
    return shared, [_to_pixels(x, low) for x in by_box] or [shared.new_zeros(len(shared), 5)] * 2


def piou(boxes1: Boxes, boxes2: Boxes, raster: Raster) -> tuple[Tensor, Tensor, Tensor]:
    """PIoU ``(N,)`` of measured boxes, and its derivatives by both ``(N, 5)``, in pixels of the raster."""
    low, high = torch.minimum(boxes1.level, boxes2.level), torch.maximum(boxes1.level, boxes2.level)
    shared, by_shared = intersection(boxes1, boxes2, raster)

    # Areas in pixels of the higher level: those of the lower one may vanish in it, but nothing overflows.
    unit = torch.exp2(2 * (low - high))
    shared, by_shared = shared * unit, [x * unit.unsqueeze(-1) for x in by_shared]
    units = [torch.exp2(2 * (b.level - high)) for b in (boxes1, boxes2)]
    union = boxes1.area * units[0] + boxes2.area * units[1] - shared
    contained = union < shared  # a union is no less than what is shared
    union = torch.where(contained, shared, union)
    none = boxes1.empty | boxes2.empty | (union <= 0)
    union = torch.where(none, 1.0, union)
    q = torch.where(none, 0.0, shared / union)
    grads = []
    for b, unit, by_i in zip((boxes1, boxes2), units, by_shared, strict=True):
        by_union = torch.where(contained.unsqueeze(-1), by_i, b.by_box * unit.unsqueeze(-1) - by_i)
        grad = (by_i - q.unsqueeze(-1) * by_union) / union.unsqueeze(-1)
        grads.append(torch.where(none.unsqueeze(-1), 0.0, grad))
    return q, *grads
