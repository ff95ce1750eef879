"""The kinds: scores over what a pair of boxes knows about itself, whatever the shape of its boxes, and the losses.

One function per kind, a second spelling of the formulas in ``csrc/math``. Each takes a :class:`Pair` and an
:class:`Eps` and returns the score ``(...)``; the loss is 1 - score, or what its decorator says.
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


class Pair:
    """A box of one kind or another beside a second one; every attribute is a tensor ``(...)``, or a pair of them.

    ``intersection``, ``area1`` and ``area2``; ``sides1`` and ``sides2``, widths and heights; ``distance2``, the squared
    distance of the centres; ``enclosing_area`` and ``enclosing_diagonal2``, the squared diagonal, of a shape around
    both.
    """

    @property
    def union(self) -> Tensor:
        return self.area1 + self.area2 - self.intersection


class Kind(NamedTuple):
    """A score, 1 for identical boxes, and the loss that is made of it, 0 there."""

    score: Callable[[Pair, Eps], Tensor]
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
PAIRWISE_KINDS: dict[str, Callable[[Pair, Eps], Tensor]] = {}


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


@_kind()
def iou(pair: Pair, eps: Eps) -> Tensor:
    """Intersection over union (Jaccard index)."""
    return ratio(pair.intersection, pair.union + eps.overlap)


@_kind(loss=minus_log_score)
def iou_log(pair: Pair, eps: Eps) -> Tensor:
    """IoU. UnitBox: Yu et al., ACM MM 2016, algorithm 1."""
    return iou(pair, eps)


@_kind(loss=one_minus_square)
def iou_square(pair: Pair, eps: Eps) -> Tensor:
    """IoU."""
    return iou(pair, eps)


@_kind()
def giou(pair: Pair, eps: Eps) -> Tensor:
    """Generalized IoU: IoU - (C - U) / C. Rezatofighi et al., CVPR 2019, algorithm 2."""
    c = pair.enclosing_area
    return iou(pair, eps) - ratio(c - pair.union, c + eps.area)


def centre_distance(pair: Pair, eps: Eps) -> Tensor:
    """rho^2 / c^2: the squared distance of the centres over the squared diagonal of the enclosing box."""
    return ratio(pair.distance2, pair.enclosing_diagonal2 + eps.area)


@_kind()
def diou(pair: Pair, eps: Eps) -> Tensor:
    """Distance IoU: IoU - rho^2 / c^2. Zheng et al., AAAI 2020, eq. 7."""
    return iou(pair, eps) - centre_distance(pair, eps)


@_kind()
def ciou(pair: Pair, eps: Eps) -> Tensor:
    """Complete IoU: DIoU - alpha v, alpha without gradient. Zheng et al., AAAI 2020, eqs. 8-11."""
    v = atan_difference(*pair.sides2, *pair.sides1) ** 2 * (4 / math.pi**2)
    alpha = stop_gradient(ratio(v, 1 - iou(pair, eps) + v + eps.ratio))
    return diou(pair, eps) - alpha * v


@_kind(loss=None)
def iof(pair: Pair, eps: Eps) -> Tensor:
    """Intersection over the area of the first box."""
    return ratio(pair.intersection, pair.area1 + eps.overlap)
