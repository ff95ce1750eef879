"""Rotated boxes that several test files use, and their corners."""

import math

import torch
from torch import Tensor

#: Boxes that break formulas, named: (cx, cy, w, h, r). Any of them against any other.
EDGE_BOXES = {
    "unit": (0, 0, 1, 1, 0),
    "pixels": (60, 45, 100, 50, 0.5),
    "twin": (60, 45, 50, 100, 0.5 + math.pi / 2),
    "half_turn": (60, 45, 100, 50, 0.5 - math.pi),
    "upright": (60, 45, 100, 50, 0),
    "touching": (160, 45, 100, 50, 0),
    "diagonal": (60, 45, 50, 50, math.pi / 4),
    "inside": (61, 44, 5, 2, -2),
    "far": (1e5, -1e5, 100, 50, 1),
    "point": (60, 45, 0, 0, 1),
    "flat": (60, 45, 100, 0, 0.5),
    "negative": (60, 45, -3, 50, 0.5),
    "both_negative": (60, 45, -3, -5, 0),
    "needle": (60, 45, 1e4, 1e-6, 0.3),
    "turned_often": (60, 45, 100, 50, 1000.5),
    "turned_beyond_digits": (60, 45, 100, 50, 1e30),
    "largest_turn": (60, 45, 100, 50, -3.4e38),
    "huge": (1e30, -1e30, 1e30, 1e29, 0.1),
    "largest": (3.4e38, -3.4e38, 3.4e38, 3.4e38, 2),
    "opposite": (-3.4e38, 3.4e38, 3.4e38, 1e38, 2),
    "tiny": (0, 0, 1e-30, 2e-30, 1),
    "denormal": (0, 0, 1e-42, 1e-42, 1),
    "smallest": (0, 0, 1.5e-45, 1.5e-45, 0),
    "wide_flat": (0, 0, 1e30, 1e-30, 0.7),
}


def edge_pairs(dtype=torch.float32, device="cpu") -> tuple[Tensor, Tensor]:
    """Every edge box against every other."""
    largest = torch.finfo(dtype).max
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64).clamp(-largest, largest).to(device, dtype)
    return boxes.repeat_interleave(len(boxes), 0), boxes.repeat(len(boxes), 1)


def random_pairs(n: int, seed: int = 0, dtype=torch.float64, device="cpu", aspect=20.0) -> tuple[Tensor, Tensor]:
    """Pairs of boxes up to 100 pixels long and up to ``aspect`` times thinner, of any angle; most of them overlap."""
    g = torch.Generator().manual_seed(seed)

    def uniform(low, high, *columns):
        return low + (high - low) * torch.rand(n, *columns, generator=g, dtype=torch.float64)

    def sizes():
        long, ratio = uniform(20, 100), aspect ** -uniform(0, 1)
        return torch.stack([long, (long * ratio).clamp(min=3)], -1).gather(
            -1, torch.rand(n, 2, generator=g).argsort(-1)
        )

    target = torch.cat([uniform(-100, 100, 2), sizes(), uniform(-4, 4, 1)], -1)
    pred = torch.cat([target[:, :2] + uniform(-15, 15, 2), sizes(), uniform(-4, 4, 1)], -1)
    return pred.to(device, dtype), target.to(device, dtype)


def corners(boxes: Tensor) -> Tensor:
    """``(..., 5)``, radians, clockwise on the screen -> ``(..., 4, 2)``."""
    c, s = boxes[..., 4].cos(), boxes[..., 4].sin()
    along = torch.stack([c, s], -1) * boxes[..., 2:3] / 2
    across = torch.stack([-s, c], -1) * boxes[..., 3:4] / 2
    return boxes[..., None, :2] + torch.stack([-along - across, along - across, along + across, across - along], -2)
