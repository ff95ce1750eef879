"""Rotated boxes in plain PyTorch: oracle of the tests and fallback without a compiled extension.

The formulas of ``reference_kinds`` on boxes ``(cx, cy, w, h, r)``. Everything has second derivatives.

Conventions shared with the kernels: an empty ratio 0/0 is 0 with gradient 0, and no eps keeps another from being what
it is, so identical boxes have IoU 1 exactly, however small; at a tie half the gradient goes to each side; boxes that
only touch do not overlap; negative sizes count as 0. A box keeps its scores when it is written as (h, w, r + 90
degrees): CIoU compares the sides that are nearest to parallel.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from . import enclosing as reference_enclosing, gaussian as reference_gaussian, kinds as reference_kinds
from .intersection import intersection
from .kinds import Eps, Pair
from .pose import Pose, centred, pose
from .rows import Formula, finite_pairs, finite_rows

__all__ = ["KINDS", "LOSSES", "Rotated", "intersection", "pairwise", "pose", "row_loss"]

#: Scores by name.
KINDS: dict[str, Callable[[Pair, Eps], Tensor]] = {
    name: reference_kinds.PAIRWISE_KINDS[name] for name in ("iou", "iof", "giou", "diou", "ciou")
}
#: What a loss makes of a score, by ``mode``.
LOSSES: dict[str, Callable[[Tensor, Eps], Tensor]] = {
    "linear": reference_kinds.one_minus_score,
    "log": reference_kinds.minus_log_score,
    "square": reference_kinds.one_minus_square,
}


class Rotated(Pair):
    """Rotated boxes in a :class:`Pose`, in a shape of :data:`reference_enclosing.ENCLOSINGS`."""

    def __init__(self, pose: Pose, enclosing: str = "hull"):
        self.pose, self.enclosing = pose, enclosing
        self.sides1, self.sides2 = (pose.w1, pose.h1), (pose.w2, pose.h2)
        self.area1, self.area2 = pose.w1 * pose.h1, pose.w2 * pose.h2
        self.intersection = intersection(pose)

    @property
    def distance2(self) -> Tensor:
        return self.pose.px**2 + self.pose.py**2

    @property
    def enclosing_area(self) -> Tensor:
        return reference_enclosing.enclosing_area(self.pose, self.enclosing)

    @property
    def enclosing_diagonal2(self) -> Tensor:
        return reference_enclosing.enclosing_diagonal2(self.pose, self.enclosing)


def _score(kind: str, enclosing: str, degrees: bool, clockwise: bool) -> Formula:
    def score(boxes1: Tensor, boxes2: Tensor) -> Tensor:
        boxes1, boxes2, _ = centred(boxes1, boxes2)
        return KINDS[kind](Rotated(pose(boxes1, boxes2, degrees, clockwise), enclosing), Eps(0.0, 0.0, 0.0))

    return score


def row_loss(
    pred: Tensor,
    target: Tensor,
    kind: str = "iou",
    mode: str = "linear",
    enclosing: str = "hull",
    eps: float = 1e-6,
    degrees: bool = False,
    clockwise: bool = True,
    weight: Tensor | None = None,
) -> Tensor:
    """Loss of every pair, times its weight: ``(..., 5) x (..., 5) -> (...)``; ``eps`` is the floor of ``mode="log"``.

    float64 if a box is float64, else float32. Finite, with a finite gradient, for finite boxes of any size; NaN for a
    row that holds NaN or infinity.
    """
    score = _score(kind, enclosing, degrees, clockwise)
    pred, target = torch.broadcast_tensors(pred, target)
    return finite_rows(lambda p, t: LOSSES[mode](score(p, t), Eps(0.0, 0.0, eps)), pred, target, weight)


def scores(boxes1, boxes2, kind: str, enclosing: str, form: tuple[bool, bool], mask1=None, mask2=None) -> Tensor:
    """Pairwise scores of any kind, also the similarities of ``reference_gaussian``; ``form``: degrees, clockwise."""
    if kind in KINDS:
        return pairwise(boxes1, boxes2, kind, enclosing, *form, mask1, mask2)
    return reference_gaussian.pairwise(
        boxes1, boxes2, kind, degrees=form[0], clockwise=form[1], mask1=mask1, mask2=mask2
    )


def pairwise(
    boxes1: Tensor,
    boxes2: Tensor,
    kind: str = "iou",
    enclosing: str = "hull",
    degrees: bool = False,
    clockwise: bool = True,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
) -> Tensor:
    """Score of every box of one set with every box of another: ``(..., N, 5) x (..., M, 5) -> (..., N, M)``.

    Masked boxes score 0 and get no gradient, whatever their numbers.
    """
    return finite_pairs(_score(kind, enclosing, degrees, clockwise), boxes1, boxes2, mask1, mask2)
