"""Rotated boxes to measure with: a pile, aerial scenes, and predictions for them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SCENE_SIDE = 4000.0  # pixels, as of large DOTA images


def pile(n: int, generator: torch.Generator) -> Tensor:
    """Boxes ``(n, 5)`` of 20 to 100 pixels with centres within 60 pixels: nearly all pairs overlap."""
    centres = 60 * torch.rand(n, 2, generator=generator)
    sides = 20 + 80 * torch.rand(n, 2, generator=generator)
    return torch.cat([centres, sides, _angles(n, generator)], -1)


def scene(n: int, generator: torch.Generator) -> Tensor:
    """Boxes ``(n, 5)`` all over an aerial image: 40 pixels long in the middle, twice as long as wide, log-normal."""
    centres = SCENE_SIDE * torch.rand(n, 2, generator=generator)
    long = 40 * (0.7 * torch.randn(n, 1, generator=generator)).exp()
    wide = long / (1 + torch.randn(n, 1, generator=generator).exp())
    sides = torch.cat([long, wide], -1).clamp(4, 400)
    return torch.cat([centres, sides, _angles(n, generator)], -1)


def between(n: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Boxes ``(n, 5)`` all over an aerial image, with any sides between two lengths in pixels."""
    centres = SCENE_SIDE * torch.rand(n, 2, generator=generator)
    sides = low + (high - low) * torch.rand(n, 2, generator=generator)
    return torch.cat([centres, sides, _angles(n, generator)], -1)


def jitter(boxes: Tensor, generator: torch.Generator) -> Tensor:
    """Boxes of a fair detector for these: centres off by 10 % of the sides, sides by 15 %, angles by 3 degrees."""
    c, s = boxes[:, 4:].cos(), boxes[:, 4:].sin()
    x, y = (0.1 * boxes[:, 2:4] * torch.randn(len(boxes), 2, generator=generator)).split(1, -1)
    sides = boxes[:, 2:4] * (0.15 * torch.randn(len(boxes), 2, generator=generator)).exp()
    angles = boxes[:, 4:] + math.radians(3) * torch.randn(len(boxes), 1, generator=generator)
    return torch.cat([boxes[:, :2] + torch.cat([x * c - y * s, x * s + y * c], -1), sides, angles], -1)


def _angles(n: int, generator: torch.Generator) -> Tensor:
    return math.pi * (torch.rand(n, 1, generator=generator) - 0.5)
