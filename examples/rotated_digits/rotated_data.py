"""How rotated digits lie on a canvas: boxes cx, cy, w, h in pixels and r, the clockwise tilt in radians."""

import math

import torch
import torch.nn.functional as F
from data import CANVAS, Box, Layout, Region
from torch import Tensor

import fastiou

MIN_HEIGHT, MAX_HEIGHT = 24.0, 48.0  # pixels
# A rectangle that is nearly square has nearly two directions. These have one.
MIN_ASPECT, MAX_ASPECT = 1.4, 2.0


def _place(ink: Tensor, rng: torch.Generator) -> Box:
    """A random tall box inside of the canvas, tilted by less than a quarter turn to either side.

    So every direction of a rectangle occurs, and no 6 becomes a 9.
    """
    height, aspect, tilt, x, y = torch.rand(5, generator=rng).tolist()
    height = MIN_HEIGHT + (MAX_HEIGHT - MIN_HEIGHT) * height
    width = height / (MIN_ASPECT + (MAX_ASPECT - MIN_ASPECT) * aspect)
    r = math.pi * (tilt - 0.5)
    across, down = _reach(width, height, r)
    return across + (CANVAS - 2 * across) * x, down + (CANVAS - 2 * down) * y, width, height, r


def _draw(ink: Tensor, box: Box) -> tuple[Region, Tensor]:
    """A digit stretched to `box` and turned with it."""
    cx, cy, width, height, r = box
    across, down = _reach(width, height, r)
    left, top = int(cx - across), int(cy - down)
    right, bottom = math.ceil(cx + across), math.ceil(cy + down)
    y, x = torch.meshgrid(torch.arange(top, bottom) + 0.5 - cy, torch.arange(left, right) + 0.5 - cx, indexing="ij")
    # Where a pixel lies in the box: -1..1 along its width and its height.
    u = (x * math.cos(r) + y * math.sin(r)) * (2 / width)
    v = (y * math.cos(r) - x * math.sin(r)) * (2 / height)
    spot = torch.stack([u, v], dim=-1)
    drawn = F.grid_sample(ink[None, None], spot[None], padding_mode="border", align_corners=False)[0, 0]
    inside = spot.abs().amax(dim=-1) <= 1
    return (slice(top, bottom), slice(left, right)), drawn * inside


def _reach(width: float, height: float, r: float) -> tuple[float, float]:
    """How far a box goes from its centre, across and down."""
    c, s = abs(math.cos(r)), abs(math.sin(r))
    return (width * c + height * s) / 2, (width * s + height * c) / 2


def _iou(a: Box, b: Box) -> float:
    """IoU of two boxes."""
    return fastiou.rotated_box_iou(torch.tensor([a]), torch.tensor([b])).item()


ROTATED = Layout(5, _place, _draw, _iou)
