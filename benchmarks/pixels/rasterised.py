"""PIoU composed of PyTorch operations, as one writes it who knows the paper: all pixels around a pair, in tensors.

Chen et al., ECCV 2020. The pairs of a batch share one size of grid, the smallest that covers each of them from its own
corner on; autograd differentiates. They come so many at a time that their pixels stay in the cache, and of each only
the gradient of its own PIoU is kept: memory is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

K = 10.0
FLOOR = 1e-6  # a loss takes PIoU for no less
EDGE = 16.0  # divided by k: so far from an edge float32 sees no softness
CHUNK = {"cpu": 2**18, "cuda": 2**26}  # pixels at a time

Score = Callable[[Tensor, Tensor], Tensor]


def rotated(pred: Tensor, target: Tensor, union: str, kernel: Callable[..., Tensor] | None = None) -> Tensor:
    """PIoU ``(n,)`` of ``(n, 5)`` boxes: centre, sides, angle in radians, clockwise."""
    corner, columns, rows = _grid(*extents(pred, target))
    score = partial(kernel or rotated_kernel, columns=columns, rows=rows, union=union)
    return _InChunks.apply(score, max(1, CHUNK[pred.device.type] // (columns * rows)), pred, target, corner)


def rotated_kernel(pred: Tensor, target: Tensor, corner: Tensor, columns: int, rows: int, union: str) -> Tensor:
    """PIoU of pairs on grids of this size, each from its ``corner (n, 2)`` on."""
    masks, areas = [], []
    for boxes in (pred, target):
        x, y = (boxes[:, :2] - corner)[..., None, None].unbind(1)
        w, h, angle = boxes[:, 2:, None, None].unbind(1)
        c, s = angle.cos(), angle.sin()
        dx = torch.arange(columns, device=boxes.device) + 0.5 - x  # (n, 1, columns)
        dy = torch.arange(rows, device=boxes.device)[:, None] + 0.5 - y  # (n, rows, 1)
        masks.append(_inside(dx * c + dy * s, w) * _inside(dy * c - dx * s, h))
        areas.append(boxes[:, 2] * boxes[:, 3])
    sums = [x.sum((1, 2)) for x in (masks[0] * masks[1], *masks)]
    return _ratio(*sums, *areas, union)


@torch.no_grad()
def extents(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Top left and bottom right ``(n, 2)`` of the smallest upright rectangle around both."""
    boxes = torch.stack([pred, target])
    c, s = boxes[..., 4:].cos().abs(), boxes[..., 4:].sin().abs()
    reach = (c * boxes[..., 2:4] + s * boxes[..., [3, 2]]) / 2
    return (boxes[..., :2] - reach).amin(0), (boxes[..., :2] + reach).amax(0)


def upright(pred: Tensor, target: Tensor, union: str) -> Tensor:
    """PIoU ``(n,)`` of corners ``(n, 4)``: a sum over x times a sum over y."""
    boxes = torch.stack([pred, target]).detach()
    corner, columns, rows = _grid(boxes[..., :2].amin(0), boxes[..., 2:].amax(0))
    pixels = torch.arange(max(columns, rows), device=pred.device) + 0.5
    masks, areas = [], []
    for boxes in (pred, target):
        centre, sides = (boxes[:, :2] + boxes[:, 2:]) / 2 - corner, boxes[:, 2:] - boxes[:, :2]
        masks.append(_inside(pixels - centre[..., None], sides[..., None]))  # (n, 2, pixels)
        areas.append(sides.prod(-1))
    sums = [x.sum(-1).prod(-1) for x in (masks[0] * masks[1], *masks)]
    return _ratio(*sums, *areas, union)


def pairwise(boxes1: Tensor, boxes2: Tensor, union: str) -> Tensor:
    """PIoU ``(n, m)`` of every rotated box ``(n, 5)`` with every other ``(m, 5)``, as of that many pairs."""
    n, m = len(boxes1), len(boxes2)
    pairs = boxes1[:, None].expand(n, m, 5), boxes2.expand(n, m, 5)
    return rotated(*(x.flatten(0, 1) for x in pairs), union).view(n, m)


def loss(score: Score) -> Score:
    """-ln PIoU, pair by pair."""
    return lambda pred, target: -score(pred, target).clamp(min=FLOOR).log()


def _inside(distance: Tensor, side: Tensor) -> Tensor:
    """How much of a pixel is between two edges, by the signed distance from the middle: K of Eq. 1 and 10."""
    return torch.sigmoid(K * (side / 2 - distance.abs()))


def _ratio(both: Tensor, sum1: Tensor, sum2: Tensor, area1: Tensor, area2: Tensor, union: str) -> Tensor:
    """Intersection over union: of the pixels (Eq. 12), or of the areas (Eq. 13)."""
    return both / ((sum1 + sum2 if union == "exact" else area1 + area2) - both)


def _grid(low: Tensor, high: Tensor) -> tuple[Tensor, int, int]:
    """Corners ``(n, 2)`` of grids around rectangles, and how many columns and rows all of them have."""
    corner = (low - EDGE / K).floor()
    columns, rows = ((high + EDGE / K).ceil() - corner).amax(0).int().tolist()
    return corner, columns, rows


class _InChunks(torch.autograd.Function):
    """A score of aligned pairs, so many at a time, differentiated at once: that of a pair depends on nothing else."""

    @staticmethod
    def forward(ctx, score, size, pred, target, corner):
        wanted = ctx.needs_input_grad[2:4]
        scores, grads = [], []
        for *boxes, corners in zip(pred.split(size), target.split(size), corner.split(size), strict=True):
            boxes = [x.detach().requires_grad_(grad) for x, grad in zip(boxes, wanted, strict=True)]
            with torch.set_grad_enabled(any(wanted)):
                own = score(*boxes, corners)
                scores.append(own.detach())
                if any(wanted):
                    grads.append(torch.autograd.grad(own.sum(), [x for x in boxes if x.requires_grad]))
        ctx.save_for_backward(*(torch.cat(x) for x in zip(*grads, strict=True)))
        return torch.cat(scores)

    @staticmethod
    def backward(ctx, incoming):
        grads = iter(ctx.saved_tensors)
        own = (next(grads) * incoming[:, None] if wanted else None for wanted in ctx.needs_input_grad[2:4])
        return None, None, *own, None
