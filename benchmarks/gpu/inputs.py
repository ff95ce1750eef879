"""Boxes that stages run on: the same ones every time, on whatever device they are made."""

from __future__ import annotations

import torch
from torch import Tensor

SIDE = 640.0  # pixels


def pairs(n: int, seed: int = 0, device: str = "cpu", side: float = SIDE) -> tuple[Tensor, Tensor]:
    """Predictions and targets ``(n, 4)``, corners, with sides of 12 to 120 pixels; nearly all overlap their target."""
    generator = torch.Generator(device=device).manual_seed(seed)
    centre = torch.rand(n, 2, generator=generator, device=device) * side
    size = torch.exp(torch.rand(n, 2, generator=generator, device=device) * 2.3) * 12
    target = torch.cat([centre - size / 2, centre + size / 2], -1)
    shift = torch.randn(n, 4, generator=generator, device=device) * size.repeat(1, 2) * 0.1
    return target + shift, target


def rotated_pairs(n: int, seed: int = 0, device: str = "cpu", side: float = SIDE) -> tuple[Tensor, Tensor]:
    """The same with angles, ``(n, 5)``: centre, width, height and angle."""
    generator = torch.Generator(device=device).manual_seed(seed + 1000)
    angle = torch.rand(n, 1, generator=generator, device=device) * 3 - 1.5
    pred, target = (torch.cat([*_centre_and_size(x)], -1) for x in pairs(n, seed, device, side))
    return torch.cat([pred, angle + 0.1], -1), torch.cat([target, angle], -1)


def scores(n: int, seed: int = 0, device: str = "cpu") -> Tensor:
    """Scores ``(n,)`` from 0 to 1."""
    return torch.rand(n, generator=torch.Generator(device=device).manual_seed(seed + 2000), device=device)


def detections(n: int, seed: int = 0, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Boxes and scores as a detector has them before NMS: as dense whatever their number."""
    return pairs(n, seed, device, SIDE * (n / 2000) ** 0.5)[0], scores(n, seed, device)


def in_grid_order(boxes: Tensor, cell: float = 32.0) -> Tensor:
    """The same boxes, row by row of a grid, as anchors are: neighbours in memory are neighbours in the image."""
    row, column = (boxes[:, 1] / cell).floor(), (boxes[:, 0] / cell).floor()
    return boxes[torch.argsort(row * 10_000 + column)].contiguous()


def _centre_and_size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]).clamp(min=1)
