"""The kinds in plain PyTorch: oracle of the tests, fallback without a compiled extension, and documentation at once.

The formulas of ``reference_kinds`` on boxes given as corners ``(..., 4)``. Everything is an ordinary differentiable
torch operation, so second derivatives exist here.

Conventions shared with the kernels: an empty ratio 0/0 is 0 with gradient 0; at a tie ``max`` and ``min`` pass half the
gradient to each side; boxes that only touch do not pull each other; widths are not clamped, so an inverted box has a
negative width, an empty intersection and, if it is inverted on one axis only, a negative area.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import rotated as reference_rotated
from .kinds import KINDS, PAIRWISE_KINDS, Eps, Pair
from .rows import Formula, finite_pairs, finite_rows, power_of_two

__all__ = [
    "KINDS",
    "PAIRWISE_KINDS",
    "Corners",
    "Eps",
    "compute_dtype",
    "decode",
    "max_iou",
    "pairwise",
    "row_loss",
    "tied_gts",
]

Score = Callable[[Pair, Eps], Tensor]


def sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return x2 - x1, y2 - y1


class Corners(Pair):
    """Axis-aligned boxes given as corners ``(..., 4)``."""

    def __init__(self, pred: Tensor, target: Tensor):
        self.pred, self.target = pred, target
        self.sides1, self.sides2 = sides(pred), sides(target)
        (w1, h1), (w2, h2) = self.sides1, self.sides2
        self.area1, self.area2 = w1 * h1, w2 * h2
        w, h = self._overlap()
        self.intersection = w * h

    def _overlap(self) -> tuple[Tensor, Tensor]:
        corner1 = torch.maximum(self.pred[..., :2], self.target[..., :2])
        corner2 = torch.minimum(self.pred[..., 2:], self.target[..., 2:])
        return (corner2 - corner1).relu().unbind(-1)

    def _enclosing_sides(self) -> tuple[Tensor, Tensor]:
        """Of the smallest axis-aligned box around both."""
        corner1 = torch.minimum(self.pred[..., :2], self.target[..., :2])
        corner2 = torch.maximum(self.pred[..., 2:], self.target[..., 2:])
        return (corner2 - corner1).unbind(-1)

    @property
    def enclosing_area(self) -> Tensor:
        w, h = self._enclosing_sides()
        return w * h

    @property
    def enclosing_diagonal2(self) -> Tensor:
        w, h = self._enclosing_sides()
        return w**2 + h**2

    @property
    def distance2(self) -> Tensor:
        corner1, corner2 = self.target[..., :2] - self.pred[..., :2], self.target[..., 2:] - self.pred[..., 2:]
        return (((corner1 + corner2) / 2) ** 2).sum(-1)


def decode(boxes: Tensor, fmt: str, points: Tensor | None = None) -> Tensor:
    """Boxes ``(..., 4)`` in ``fmt`` -> corners ``(..., 4)``, no further than the largest number of their dtype."""
    largest = torch.finfo(boxes.dtype).max

    def corner(a: Tensor, b: Tensor) -> Tensor:
        return (a + b).clamp(-largest, largest) + ((a - a) + (b - b)).detach()

    a, b = boxes[..., :2], boxes[..., 2:]
    if fmt == "xywh":
        a, b = a, corner(a, b)
    elif fmt == "cxcywh":
        a, b = corner(a, -b / 2), corner(a, b / 2)
    elif fmt == "ltrb":
        a, b = corner(points, -a), corner(points, b)
    return torch.cat([a, b], -1)


def _formula(
    function: Score,
    eps: Eps,
    formats: tuple[str, str],
    points: Tensor | None = None,
    loss: Callable[[Tensor, Eps], Tensor] | None = None,
) -> Formula:
    """A score, or the loss made of it, as a function of boxes in ``formats``, which are scaled first."""

    def formula(pred: Tensor, target: Tensor) -> Tensor:
        at = None if points is None else points.to(pred.dtype)
        pred, target = decode(pred, formats[0], at), decode(target, formats[1], at)
        with torch.no_grad():
            scale = power_of_two(torch.maximum(pred.abs(), target.abs()).amax(-1, keepdim=True))
            # Beside eps, areas of boxes that are this small are nothing; a larger scale would take eps out of range.
            most = 2.0 ** (510 if scale.dtype == torch.float64 else 62)
            scale = scale.clamp(max=most).where(max(eps.overlap, eps.area) * scale * scale > 1, scale)
        pair = Corners(pred * scale, target * scale)
        scale = scale.squeeze(-1)
        overlap, area = ((e * scale * scale).clamp(max=torch.finfo(scale.dtype).max) for e in eps[:2])
        scaled = Eps(overlap, area, eps.ratio)
        score = function(pair, scaled)
        return score if loss is None else loss(score, scaled)

    return formula


def row_loss(
    pred: Tensor,
    target: Tensor,
    kind: str,
    eps: float | Eps,
    formats: tuple[str, str] = ("xyxy", "xyxy"),
    points: Tensor | None = None,
    weight: Tensor | None = None,
) -> Tensor:
    """Loss of every pair, times its weight, as the kernels define it: ``(..., 4) x (..., 4) -> (...)``.

    float64 if a box is float64, else float32. Finite, with a finite gradient, for finite boxes of any size; NaN for a
    row that holds NaN or infinity.
    """
    score, loss = KINDS[kind]
    eps = eps if isinstance(eps, Eps) else Eps(eps, eps, eps)
    return finite_rows(_formula(score, eps, formats, points, loss), pred, target, weight, points)


def pairwise(
    boxes1: Tensor,
    boxes2: Tensor,
    kind: str | Score,
    eps: float | Eps = 0.0,
    formats: tuple[str, str] = ("xyxy", "xyxy"),
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
) -> Tensor:
    """Score of every box of one set with every box of another: ``(..., N, 4) x (..., M, 4) -> (..., N, M)``.

    Masked boxes score 0 and get no gradient, whatever their numbers. In the compute dtype: float64 if a box is float64,
    int32 or int64, else float32. Rotated boxes have a :class:`fastiou._args.rotated.RotatedFormat`.
    """
    if not isinstance(formats[0], str):  # degrees, clockwise
        return reference_rotated.scores(boxes1, boxes2, kind, "hull", formats[0], mask1, mask2)
    eps = eps if isinstance(eps, Eps) else Eps(eps, eps, eps)
    score = PAIRWISE_KINDS[kind] if isinstance(kind, str) else kind
    return finite_pairs(_formula(score, eps, formats), boxes1, boxes2, mask1, mask2)


def _scores_that_count(boxes, gts, kind, eps, formats, boxes_mask, gts_mask) -> Tensor:
    """Pairwise scores, -inf for pairs with a box that is masked or not finite."""
    scores = pairwise(boxes, gts, kind, eps, formats, boxes_mask, gts_mask)
    for axis, own, mask in ((-2, boxes, boxes_mask), (-1, gts, gts_mask)):
        there = own.isfinite().all(-1) if mask is None else own.isfinite().all(-1) & mask
        scores = scores.where(there.unsqueeze(-1 if axis == -2 else -2), -torch.inf)
    return scores


def _best(scores: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Largest score along a dimension and the lowest index that has it; 0 and -1 where there is none."""
    n = scores.shape[dim]
    if n == 0:
        values = scores.sum(dim)
        return values, torch.full_like(values, -1, dtype=torch.int64)
    values = scores.amax(dim, keepdim=True)
    index = torch.arange(n, device=scores.device).view(-1, *[1] * (-1 - dim))
    indices = index.where(scores == values, n).amin(dim)
    values = values.squeeze(dim)
    found = values > -torch.inf
    return values.where(found, 0.0), indices.where(found, -1)


def _chunks(boxes: Tensor, gts: Tensor, mask: Tensor | None):
    """Boxes and their mask a few at a time: (first index, boxes, mask), so that no matrix is larger than a few MB."""
    n = boxes.shape[-2]
    if torch.compiler.is_compiling() or n * gts.shape[-2] <= _CHUNK_PAIRS:
        yield 0, boxes, mask
        return
    step = max(_CHUNK_PAIRS // gts.shape[-2], 1)
    for i in range(0, n, step):
        yield i, boxes[..., i : i + step, :], None if mask is None else mask[..., i : i + step]


#: Pairs whose scores are held at a time.
_CHUNK_PAIRS = 1 << 18


def max_iou(
    boxes: Tensor,
    gts: Tensor,
    kind: str,
    eps: float | Eps = 0.0,
    formats: tuple[str, str] = ("xyxy", "xyxy"),
    boxes_mask: Tensor | None = None,
    gts_mask: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For every box the best gt, for every gt the best box; through the matrix, a chunk of boxes at a time."""
    values, indices, gt_values, gt_indices = [], [], None, None
    for first, some, mask in _chunks(boxes, gts, boxes_mask):
        scores = _scores_that_count(some, gts, kind, eps, formats, mask, gts_mask)
        value, index = _best(scores, -1)
        values.append(value)
        indices.append(index)
        value, index = _best(scores, -2)
        index = (index + first).where(index >= 0, -1)
        if gt_values is not None:  # an earlier box keeps a tie
            better = (index >= 0) & ((gt_indices < 0) | (value > gt_values))
            value, index = value.where(better, gt_values), index.where(better, gt_indices)
        gt_values, gt_indices = value, index
    return torch.cat(values, -1), torch.cat(indices, -1), gt_values, gt_indices


def tied_gts(
    boxes: Tensor,
    gts: Tensor,
    gt_values: Tensor,
    least: float,
    kind: str,
    eps: float | Eps = 0.0,
    formats: tuple[str, str] = ("xyxy", "xyxy"),
    boxes_mask: Tensor | None = None,
    gts_mask: Tensor | None = None,
) -> Tensor:
    """For every box the last gt whose best score, at least ``least``, it attains; else -1."""
    best, index = gt_values.unsqueeze(-2), torch.arange(gts.shape[-2], device=gts.device)
    found = []
    for _, some, mask in _chunks(boxes, gts, boxes_mask):
        scores = _scores_that_count(some, gts, kind, eps, formats, mask, gts_mask)
        tied = index.where((scores == best) & (best >= least), -1)
        found.append(tied.amax(-1) if gts.shape[-2] else tied.sum(-1) - 1)
    return torch.cat(found, -1)
