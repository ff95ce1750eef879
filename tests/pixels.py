"""PIoU by its definition: every pixel of a grid around both boxes, in float64, derivatives by autograd."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def pixel_size(k: float) -> float:
    """Edges softer than k = 1/16 per pixel are counted on larger pixels."""
    size = 1.0
    while k * size < 1 / 16:
        size *= 2
    return size


def _centres(boxes: list[Tensor], margin: float, size: float) -> tuple[Tensor, Tensor]:
    reach = [b[2:4].detach().norm() / 2 + margin for b in boxes]
    low, high = (
        torch.stack([b[:2].detach() + s * r for b, r in zip(boxes, reach, strict=True)]) / size for s in (-1, 1)
    )
    first, last = low.amin(0).floor().tolist(), high.amax(0).ceil().tolist()
    x, y = ((torch.arange(a, b + 1, dtype=torch.float64) + 0.5) * size for a, b in zip(first, last, strict=True))
    return torch.meshgrid(x, y, indexing="xy")


def _frame(box: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    c, s = torch.cos(box[4]), torch.sin(box[4])
    dx, dy = x - box[0], y - box[1]
    return dx * c + dy * s, dy * c - dx * s


def soft(box: Tensor, x: Tensor, y: Tensor, k: float) -> Tensor:
    u, v = _frame(box, x, y)
    return torch.sigmoid(k * (box[2] / 2 - u.abs())) * torch.sigmoid(k * (box[3] / 2 - v.abs()))


def hard(box: Tensor, x: Tensor, y: Tensor) -> Tensor:
    u, v = _frame(box, x, y)
    return ((u.abs() <= box[2] / 2) & (v.abs() <= box[3] / 2)).double()


def of_pair(box1: Tensor, box2: Tensor, k: float = 10.0, union: str = "exact", whole: bool = False) -> Tensor:
    """PIoU of two boxes ``(5,)``, clockwise, in radians; of whole pixels, or of soft ones."""
    size = 1.0 if whole else pixel_size(k)
    x, y = _centres([box1, box2], 2 if whole else 40 / k + 2 * size, size)
    f1, f2 = (hard(b, x, y) if whole else soft(b, x, y, k) for b in (box1, box2))
    shared = (f1 * f2).sum() * size**2
    if union == "exact":
        total = (f1 + f2 - f1 * f2).sum() * size**2
    else:
        total = torch.maximum(box1[2] * box1[3] + box2[2] * box2[3] - shared, shared)
    return shared / total if total > 0 else 0 * shared


def oracle(boxes1: Tensor, boxes2: Tensor, **options) -> tuple[Tensor, Tensor, Tensor]:
    """PIoU of pairs ``(N,)``, and its gradients ``(N, 5)``."""
    boxes1, boxes2 = (b.detach().double().cpu().requires_grad_() for b in (boxes1, boxes2))
    values = []
    for box1, box2 in zip(boxes1, boxes2, strict=True):
        value = of_pair(box1, box2, **options)
        if value.requires_grad:
            value.backward()
        values.append(value.detach())
    return torch.stack(values), *(torch.zeros_like(b) if b.grad is None else b.grad for b in (boxes1, boxes2))


def pairs(n: int, low: float, high: float, seed: int = 0, shift: float = 0.2) -> tuple[Tensor, Tensor]:
    """Pairs of boxes with sides between two lengths, of any aspect and angle, around the origin; they overlap."""
    g = torch.Generator().manual_seed(seed)

    def uniform(a, b, *columns):
        return a + (b - a) * torch.rand(n, *columns, generator=g, dtype=torch.float64)

    size = torch.exp(uniform(math.log(low), math.log(high), 2))
    target = torch.cat([uniform(-50, 50, 2), size, uniform(-4, 4, 1)], -1)
    move = torch.cat([uniform(-1, 1, 2) * shift * size.amin(-1, keepdim=True), size * uniform(-0.2, 0.2, 2)], -1)
    pred = target + torch.cat([move, uniform(-0.4, 0.4, 1)], -1)
    return pred, target


def value_and_grads(function, *boxes: Tensor, **options):
    """A value, and the gradients of its sum."""
    boxes = [b.detach().clone().requires_grad_() for b in boxes]
    value = function(*boxes, **options)
    return value.detach(), *torch.autograd.grad(value.sum(), boxes)


def assert_near(actual, expected, of_value: float, of_grad: float) -> None:
    """Values, and gradients relative to the largest component where that is above 1."""
    actual, expected = ([x.double().cpu() for x in xs] for xs in (actual, expected))
    error = (actual[0] - expected[0]).abs().max()
    assert error <= of_value, f"value: {error:.2e} > {of_value:.0e}"
    for a, e in zip(actual[1:], expected[1:], strict=True):
        error = ((a - e).abs() / e.abs().amax(-1, keepdim=True).clamp(min=1)).max()
        assert error <= of_grad, f"gradient: {error:.2e} > {of_grad:.0e}"
