"""Which grid location has to find which digit."""

from dataclasses import dataclass

import torch
from model import STRIDE, grid_points
from torch import Tensor

CENTRE_RADIUS = 1.5 * STRIDE


@dataclass(frozen=True)
class Targets:
    """What the head has to predict for a batch of B canvases."""

    points: Tensor  # (H, W, 2) x, y of the locations in pixels
    positive: Tensor  # (B, H, W) bool
    labels: Tensor  # (B, H, W) int64, -1 where not positive
    boxes: Tensor  # (B, H, W, 4) left, top, right, bottom in pixels, or as the head has them; 0 where not positive
    count: Tensor  # () float32, number of positives, at least 1


def assign(boxes: Tensor, labels: Tensor, height: int, width: int) -> Targets:
    """Give each location near the centre of a digit that digit, the smallest one if there are several.

    boxes (B, M, 4) are x1, y1, x2, y2 in pixels; labels (B, M) are -1 in unused slots.
    """
    points = grid_points(height, width)
    spot = points[None, :, :, None]
    low, high = boxes[:, None, None, :, :2], boxes[:, None, None, :, 2:]
    sides = torch.cat([spot - low, high - spot], dim=-1)
    near = ((low + high) / 2 - spot).abs().amax(dim=-1) <= CENTRE_RADIUS
    area = (high - low).prod(dim=-1)
    return choose(points, near & (sides.amin(dim=-1) > 0), area, sides, labels)


def choose(points: Tensor, candidate: Tensor, area: Tensor, boxes: Tensor, labels: Tensor) -> Targets:
    """Give each location the smallest digit of its candidates (B, H, W, M).

    area broadcasts to the candidates; boxes (B, H, W, M, K) are what the head has to predict of them.
    """
    usable = candidate & (labels >= 0)[:, None, None]
    smallest, slot = torch.where(usable, area, torch.inf).min(dim=-1)
    positive = smallest.isfinite()
    label = labels[:, None, None].expand(usable.shape).gather(-1, slot[..., None])[..., 0]
    box = boxes.gather(-2, slot[..., None, None].expand(*slot.shape, 1, boxes.shape[-1]))[..., 0, :]
    return Targets(
        points=points,
        positive=positive,
        labels=torch.where(positive, label, -1),
        boxes=torch.where(positive[..., None], box, 0.0),
        count=positive.sum().clamp(min=1).float(),
    )
