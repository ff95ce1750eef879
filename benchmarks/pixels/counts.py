"""How many soft pixels the PIoU of two boxes takes, by formula. One is a pixel and a box whose F is evaluated there."""

from __future__ import annotations

import torch
from torch import Tensor

from .rasterised import EDGE, K, extents

MARGIN = 100  # columns that the authors' loop adds on both sides of the image
MOST = 1000  # pairs that are counted


def image_width(sides: str) -> int:
    """Of an image for boxes of these sides."""
    return 1024 if int(sides.split("-")[1]) < 1024 else 4000


def pixels_per_pair(pred: Tensor, target: Tensor, union: str, width: int) -> dict[str, float]:
    """Means over pairs ``(n, 5)`` in an image of some width, of at most the first thousand.

    official: both boxes in all columns of the image, and in the rows that one of them has: the authors' kernel.
    grid: both boxes in the upright rectangle around them.
    clipped: row by row, both boxes where they share pixels; for the exact union also either, by itself.
    edge: of the latter, those that are not so far inside that they count as 1: fastiou's kernels.
    """
    pred, target = (boxes[:MOST].detach().double().cpu() for boxes in (pred, target))
    low, high = extents(pred, target)
    corner, end = (low - EDGE / K).floor(), (high + EDGE / K).ceil()
    rows = corner[:, 1:] + 0.5 + torch.arange(int((end - corner)[:, 1].max()))
    summed = [(pred, target)] if union == "area" else [(pred, target), (pred,), (target,)]
    clipped, core = (sum(_pixels(rows, boxes, reach) for boxes in summed) for reach in (EDGE / K, -EDGE / K))
    counts = {
        "official": 2 * (width + 2 * MARGIN) * ((high[:, 1] + 5).floor() - (low[:, 1] - 5).floor() + 1),
        "grid": 2 * (end - corner).prod(-1),
        "clipped": clipped,
        "edge": clipped - core,
    }
    return {f"pixels_{name}": round(count.mean().item(), 1) for name, count in counts.items()}


def _pixels(rows: Tensor, boxes: tuple[Tensor, ...], reach: float) -> Tensor:
    """Soft pixels ``(n,)`` where all boxes are, grown by some reach; in rows ``(n, rows)`` at these heights."""
    spans = [_span(rows, own, reach) for own in boxes]
    left, right = torch.stack([x[0] for x in spans]).amax(0), torch.stack([x[1] for x in spans]).amin(0)
    return len(boxes) * ((right - 0.5).floor() - (left - 0.5).ceil() + 1).clamp(min=0).sum(-1)


def _span(rows: Tensor, boxes: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Where rows enter and leave grown boxes, between two pairs of parallel lines; the wrong way round if they miss."""
    x, y, w, h, angle = boxes[:, :, None].unbind(1)
    c, s, dy = angle.cos(), angle.sin(), rows - y
    bounds = []
    for slope, offset, side in ((c, dy * s, w), (-s, dy * c, h)):
        slope = torch.where(slope.abs() < 1e-12, 1e-12, slope)
        half = torch.stack([-side, side]) / 2 + torch.tensor([-reach, reach])[:, None, None]
        ends = (half - offset) / slope
        bounds.append(torch.where(slope > 0, ends, ends.flip(0)))
    left, right = (torch.stack(ends) for ends in zip(*bounds, strict=True))
    return x + left.amax(0), x + right.amin(0)
