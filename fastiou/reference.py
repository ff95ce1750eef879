"""The kinds in plain PyTorch: oracle of the tests, fallback without a compiled extension, and documentation at once.

One function per kind, a second spelling of the formulas in ``csrc/math``. Each takes the prediction and the target as
corners ``(..., 4)`` and an :class:`Eps`, and returns the score ``(...)``; the loss is 1 - score, or what its decorator
says. Everything is an ordinary differentiable torch operation, so second derivatives exist here.

Conventions shared with the kernels: an empty ratio 0/0 is 0 with gradient 0; at a tie ``max`` and ``min`` pass half the
gradient to each side; boxes that only touch do not pull each other; widths are not clamped, so an inverted box has a
negative width, an empty intersection and, if it is inverted on one axis only, a negative area.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Eps(NamedTuple):
    """What keeps denominators from 0.

    ``overlap`` stands beside the union in the IoU, ``area`` beside other areas and squared lengths, ``ratio`` beside
    numbers without a unit.
    """

    overlap: float | Tensor
    area: float | Tensor
    ratio: float


class Kind(NamedTuple):
    """A score, 1 for identical boxes, and the loss that is made of it, 0 there."""

    score: Callable[[Tensor, Tensor, Eps], Tensor]
    loss: Callable[[Tensor, Eps], Tensor]


def one_minus_score(score: Tensor, eps: Eps) -> Tensor:
    """1 - score."""
    return 1 - score


def minus_log_score(score: Tensor, eps: Eps) -> Tensor:
    """-ln score, the score floored at eps."""
    floor = score.new_full((), max(eps.ratio, torch.finfo(score.dtype).tiny))
    return -torch.maximum(score, floor).log()


def one_minus_square(score: Tensor, eps: Eps) -> Tensor:
    """1 - score^2."""
    return 1 - score**2


#: Kinds by name, in the order of the C++ registry.
KINDS: dict[str, Kind] = {}
#: The same, and the kinds that are scores alone.
PAIRWISE_KINDS: dict[str, Callable[[Tensor, Tensor, Eps], Tensor]] = {}


def _kind(loss: Callable[[Tensor, Eps], Tensor] | None = one_minus_score):
    """Registers a score, with its loss if it has one."""

    def register(score):
        PAIRWISE_KINDS[score.__name__] = score
        if loss is not None:
            KINDS[score.__name__] = Kind(score, loss)
        return score

    return register


def stop_gradient(x: Tensor) -> Tensor:
    """x as a constant: marks where a formula does so."""
    return x.detach()


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 with gradient 0 where b is 0 (or so small that 1 / b overflows)."""
    empty = b.abs() < torch.finfo(b.dtype).tiny
    return torch.where(empty, 0.0, a / torch.where(empty, 1.0, b))


def atan_difference(y1: Tensor, x1: Tensor, y2: Tensor, x2: Tensor) -> Tensor:
    """atan(y1 / x1) - atan(y2 / x2), +-pi/2 where only x is 0; 0 with gradient 0 if either is 0/0."""
    empty = ((x1 == 0) & (y1 == 0)) | ((x2 == 0) & (y2 == 0))

    def atan(y, x):
        sign = torch.where(x < 0, -1.0, 1.0).to(x.dtype)
        return torch.atan2(y * sign, torch.where(empty, 1.0, x * sign))

    return torch.where(empty, 0.0, atan(y1, x1) - atan(y2, x2))


def sides(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height."""
    x1, y1, x2, y2 = boxes.unbind(-1)
    return x2 - x1, y2 - y1


def area(boxes: Tensor) -> Tensor:
    w, h = sides(boxes)
    return w * h


def intersection_area(pred: Tensor, target: Tensor) -> Tensor:
    corner1 = torch.maximum(pred[..., :2], target[..., :2])
    corner2 = torch.minimum(pred[..., 2:], target[..., 2:])
    w, h = (corner2 - corner1).relu().unbind(-1)
    return w * h


def union_area(pred: Tensor, target: Tensor) -> Tensor:
    return area(pred) + area(target) - intersection_area(pred, target)


def enclosing_box(pred: Tensor, target: Tensor) -> Tensor:
    """The smallest axis-aligned box around both."""
    corner1 = torch.minimum(pred[..., :2], target[..., :2])
    corner2 = torch.maximum(pred[..., 2:], target[..., 2:])
    return torch.cat([corner1, corner2], -1)


@_kind()
def iou(pred: Tensor, target: Tensor, eps: Eps) -> Tensor:
    """Intersection over union (Jaccard index)."""
    return ratio(intersection_area(pred, target), union_area(pred, target) + eps.overlap)


@_kind(loss=minus_log_score)
def iou_log(pred: Tensor, target: Tensor, eps: Eps) -> Tensor:
    """IoU. UnitBox: Yu et al., ACM MM 2016, algorithm 1."""
    return iou(pred, target, eps)


@_kind(loss=one_minus_square)
def iou_square(pred: Tensor, target: Tensor, eps: Eps) -> Tensor:
    """IoU."""
    return iou(pred, target, eps)


@_kind()
def giou(pred: Tensor, target: Tensor, eps: Eps) -> Tensor:
    """Generalized IoU: IoU - (C - U) / C. Rezatofighi et al., CVPR 2019, algorithm 2."""
    c = area(enclosing_box(pred, target))
    return iou(pred, target, eps) - ratio(c - union_area(pred, target), c + eps.area)


def centre_distance(pred: Tensor, target: Tensor, eps: Eps) -> Tensor:
    """rho^2 / c^2: the squared distance of the centres over the squared diagonal of the enclosing box."""
    c2 = sum(side**2 for side in sides(enclosing_box(pred, target)))
    offset = ((target[..., :2] - pred[..., :2]) + (target[..., 2:] - pred[..., 2:])) / 2
    return ratio((offset**2).sum(-1), c2 + eps.area)


@_kind()
def diou(pred: Tensor, target: Tensor, eps: Eps) -> Tensor:
    """Distance IoU: IoU - rho^2 / c^2. Zheng et al., AAAI 2020, eq. 7."""
    return iou(pred, target, eps) - centre_distance(pred, target, eps)


@_kind()
def ciou(pred: Tensor, target: Tensor, eps: Eps) -> Tensor:
    """Complete IoU: DIoU - alpha v, alpha without gradient. Zheng et al., AAAI 2020, eqs. 8-11."""
    v = atan_difference(*sides(target), *sides(pred)) ** 2 * (4 / math.pi**2)
    alpha = stop_gradient(ratio(v, 1 - iou(pred, target, eps) + v + eps.ratio))
    return diou(pred, target, eps) - alpha * v


@_kind(loss=None)
def iof(pred: Tensor, target: Tensor, eps: Eps) -> Tensor:
    """Intersection over the area of the first box."""
    return ratio(intersection_area(pred, target), area(pred) + eps.overlap)


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


class _Settle(torch.autograd.Function):
    """Boxes of the compute dtype, unchanged, whose gradient the kernels' rule makes finite.

    A partial derivative that is undefined becomes 0, one that overflows becomes ``largest``. The second output, a zero
    to be added to the loss, is how the backward pass learns the incoming gradient of each row: what NaN or overflow
    that brings is kept. A row that is met by several pairs brings the sum of ``terms`` of them.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(boxes, largest, terms):
        return boxes.clone(), boxes.new_zeros(boxes.shape[:-1])

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, ctx.largest, ctx.terms = inputs

    @staticmethod
    def backward(ctx, grad, incoming):
        incoming = incoming.unsqueeze(-1)
        limit = ctx.largest * (incoming.abs() / ctx.terms).clamp(min=1)
        grad = torch.where(grad.isnan() & ~incoming.isnan(), 0.0, grad)
        return torch.minimum(torch.maximum(grad, -limit), limit), None, None


def compute_dtype(*boxes: Tensor) -> torch.dtype:
    """What scores of these boxes are computed in: integers of 32 bits and more do not fit a float32."""
    wide = {torch.float64, torch.int32, torch.int64}
    return torch.float64 if any(b.dtype in wide for b in boxes) else torch.float32


def _largest_gradient(boxes: Tensor, dtype: torch.dtype) -> float:
    """The largest partial derivative that boxes of this dtype can be given."""
    largest = torch.finfo(dtype).max
    return min(torch.finfo(boxes.dtype).max, largest) if boxes.is_floating_point() else largest


def _row_values(
    function: Callable[[Tensor, Tensor, Eps], Tensor],
    pred: Tensor,
    target: Tensor,
    eps: Eps,
    formats: tuple[str, str],
    points: Tensor | None = None,
    weight: Tensor | None = None,
    limits: tuple[float, float] | None = None,
) -> Tensor:
    """A formula for every pair, times its weight: scaled before, settled after, in the compute dtype."""
    dtype = compute_dtype(pred, target)
    largest = torch.finfo(dtype).max
    limits = limits or (_largest_gradient(pred, dtype), _largest_gradient(target, dtype))
    (pred, zero1), (target, zero2) = (
        _Settle.apply(boxes.to(dtype), limit, 1) for boxes, limit in zip((pred, target), limits, strict=True)
    )
    points = None if points is None else points.to(dtype)
    pred, target = decode(pred, formats[0], points), decode(target, formats[1], points)
    with torch.no_grad():
        # A power of two brings the largest coordinate to [1/2, 1): squares neither overflow nor vanish.
        limit = 4 * torch.finfo(dtype).tiny
        extent = torch.maximum(pred.abs(), target.abs()).amax(-1, keepdim=True).clamp(limit, 1 / limit)
        scale = torch.frexp(extent).mantissa / extent
        poison = (pred * scale * 0 + target * scale * 0).sum(-1)
    pred, target = pred * scale, target * scale
    scale = scale.squeeze(-1)
    overlap, area = ((e * scale * scale).clamp(max=largest) for e in eps[:2])
    value = function(pred, target, Eps(overlap, area, eps.ratio))
    if weight is not None:
        value, poison = value * weight, poison + (weight - weight).detach()
    return (value.nan_to_num(0.0, largest, -largest) + zero1 + zero2) * (1 + poison) + poison


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
    return _row_values(lambda p, g, e: loss(score(p, g, e), e), pred, target, eps, formats, points, weight)


def pairwise(
    boxes1: Tensor,
    boxes2: Tensor,
    kind: str | Callable[[Tensor, Tensor, Eps], Tensor],
    eps: float | Eps = 0.0,
    formats: tuple[str, str] = ("xyxy", "xyxy"),
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
) -> Tensor:
    """Score of every box of one set with every box of another: ``(..., N, 4) x (..., M, 4) -> (..., N, M)``.

    Masked boxes score 0 and get no gradient, whatever their numbers. In the compute dtype: float64 if a box is float64,
    int32 or int64, else float32.
    """
    eps = eps if isinstance(eps, Eps) else Eps(eps, eps, eps)
    dtype = compute_dtype(boxes1, boxes2)
    limits = _largest_gradient(boxes1, dtype), _largest_gradient(boxes2, dtype)
    sets = []
    for boxes, other, mask, limit in zip((boxes1, boxes2), (boxes2, boxes1), (mask1, mask2), limits, strict=True):
        boxes = boxes if mask is None else boxes.where(mask[..., None], boxes.new_zeros(()))
        # What a box gets in all is settled here, what it gets from a pair below.
        sets.append(_Settle.apply(boxes.to(dtype), limit, max(other.shape[-2], 1)))
    first, second = sets[0][0].unsqueeze(-2), sets[1][0].unsqueeze(-3)
    shape = torch.broadcast_shapes(first.shape, second.shape)
    score = PAIRWISE_KINDS[kind] if isinstance(kind, str) else kind
    scores = _row_values(score, first.expand(shape), second.expand(shape), eps, formats, limits=limits)
    scores = scores + sets[0][1].unsqueeze(-1) + sets[1][1].unsqueeze(-2)
    if mask1 is not None:
        scores = scores.where(mask1[..., :, None], scores.new_zeros(()))
    if mask2 is not None:
        scores = scores.where(mask2[..., None, :], scores.new_zeros(()))
    return scores


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
