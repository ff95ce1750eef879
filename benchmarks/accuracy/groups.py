"""Groups of pairs of rotated boxes on which implementations are known to differ.

Boxes are float32, ``(cx, cy, w, h, angle)``, angles in degrees counter-clockwise, as torchvision reads them, unless the
name of a group says radians: then clockwise, as fastiou's default is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..boxes import SEED

Pairs = tuple[Tensor, Tensor]
ASPECT = 60.0


def _uniform(low: float, high: float, n: int, columns: int, g: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(n, columns, generator=g, dtype=torch.float64)


def _sides(n: int, low: float, high: float, g: torch.Generator) -> Tensor:
    """Log-uniform; the shorter one at least that of the largest aspect."""
    sides = _uniform(math.log(low), math.log(high), n, 2, g).exp()
    return sides.maximum(sides.amax(-1, keepdim=True) / ASPECT)


def _boxes(n: int, centre: tuple[float, float], sides: tuple[float, float], g: torch.Generator) -> Tensor:
    """Boxes, float64."""
    parts = _uniform(*centre, n, 2, g), _sides(n, *sides, g), _uniform(-180, 180, n, 1, g)
    return torch.cat(parts, -1)


def _beside(boxes: Tensor, sides: tuple[float, float], distance: tuple[float, float], g: torch.Generator) -> Tensor:
    """Boxes whose centres are so many times the mean diagonal away."""
    n = len(boxes)
    other = _sides(n, *sides, g)
    reach = (boxes[:, 2:4].norm(dim=-1) + other.norm(dim=-1)) / 2
    way, far = _uniform(0, 2 * math.pi, n, 1, g)[:, 0], reach * _uniform(*distance, n, 1, g)[:, 0]
    offset = torch.stack([way.cos(), way.sin()], -1) * far[:, None]
    return torch.cat([boxes[:, :2] + offset, other, _uniform(-180, 180, n, 1, g)], -1)


def _near(centre=(0.0, 1000.0), sides=(1.0, 500.0), distance=(0.0, 0.5)) -> Callable[[int, torch.Generator], Pairs]:
    def make(n: int, g: torch.Generator) -> Pairs:
        boxes = _boxes(n, centre, sides, g)
        return boxes.float(), _beside(boxes, sides, distance, g).float()

    return make


def _target(n: int, g: torch.Generator) -> Tensor:
    return _boxes(n, (0.0, 1000.0), (1.0, 500.0), g).float()


def _identical(n: int, g: torch.Generator) -> Pairs:
    target = _target(n, g)
    return target.clone(), target


def _half_turn(turn: float, unit: float = 1.0) -> Callable[[int, torch.Generator], Pairs]:
    def make(n: int, g: torch.Generator) -> Pairs:
        target = _target(n, g)
        target[:, 4] *= unit
        pred = target.clone()
        pred[:, 4] += turn
        return pred, target

    return make


def _quarter_turn(turn: float, unit: float = 1.0) -> Callable[[int, torch.Generator], Pairs]:
    def make(n: int, g: torch.Generator) -> Pairs:
        pred, target = _half_turn(turn, unit)(n, g)
        return pred[:, [0, 1, 3, 2, 4]].contiguous(), target

    return make


def _one_ulp(n: int, g: torch.Generator) -> Pairs:
    target = _target(n, g)
    towards = torch.where(torch.rand(n, 5, generator=g) < 0.5, -math.inf, math.inf)
    return torch.nextafter(target, towards), target


def _noise(size: float) -> Callable[[int, torch.Generator], Pairs]:
    def make(n: int, g: torch.Generator) -> Pairs:
        target = _target(n, g)
        return (target.double() * (1 + _uniform(-size, size, n, 5, g))).float(), target

    return make


def _lattice(n: int, g: torch.Generator) -> Pairs:
    """Whole pixels, and angles that are multiples of 5 degrees."""

    def boxes() -> Tensor:
        centre = torch.randint(0, 100, (n, 2), generator=g)
        sides = torch.randint(1, 100, (n, 2), generator=g)
        return torch.cat([centre, sides, 5 * torch.randint(-36, 36, (n, 1), generator=g)], -1).float()

    return boxes(), boxes()


def _thin(n: int, g: torch.Generator) -> Pairs:
    """Aspects up to 1000, radians; the prediction is 5 % off."""
    target = torch.cat(
        [_uniform(0, 600, n, 2, g), 1000 ** _uniform(0, 1, n, 2, g), _uniform(-math.pi, math.pi, n, 1, g)], -1
    )
    noise = 0.05 * torch.randn(n, 5, generator=g, dtype=torch.float64)
    pred = target + noise * torch.cat([target[:, 2:4], target[:, 2:4], torch.ones(n, 1)], -1)
    pred[:, 2:4] = pred[:, 2:4].clamp(min=1)
    return pred.float(), target.float()


#: Groups of pairs for the exact IoU, and how tables call them.
GROUPS: dict[str, tuple[str, Callable[[int, torch.Generator], Pairs]]] = {
    "generic": ("sides 1 to 500, aspect to 60, overlapping", _near()),
    "far": ("the same around (10,000, 10,000)", _near(centre=(9500.0, 10500.0))),
    "normalised": ("sides 0.001 to 0.02 in the unit square", _near((0.0, 1.0), (1e-3, 2e-2))),
    "disjoint": ("sides 1 to 500, apart", _near(distance=(1.001, 2.0))),
    "lattice": ("whole pixels, multiples of 5°", _lattice),
    "identical": ("identical", _identical),
    "half_turn": ("the same, written +180°", _half_turn(180.0)),
    "quarter_turn": ("the same, written (h, w, +90°)", _quarter_turn(90.0)),
    "half_turn_radians": ("the same, written +π", _half_turn(math.pi, math.pi / 180)),
    "quarter_turn_radians": ("the same, written (h, w, +π/2)", _quarter_turn(math.pi / 2, math.pi / 180)),
    "one_ulp": ("one unit in the last place apart", _one_ulp),
    "noise_1e-6": ("1e-6 apart, relative", _noise(1e-6)),
    "noise_1e-4": ("1e-4 apart, relative", _noise(1e-4)),
    "noise_1e-2": ("1e-2 apart, relative", _noise(1e-2)),
}
#: Group for Gaussian distances.
THIN = "thin"


def in_degrees(group: str) -> bool:
    """Whether angles are in degrees, counter-clockwise."""
    return group != THIN and not group.endswith("radians")


def make_pairs(group: str, n: int) -> Pairs:
    """Predictions and targets ``(n, 5)`` of a group; the same ones every time."""
    make = _thin if group == THIN else GROUPS[group][1]
    return make(n, torch.Generator().manual_seed(SEED))
