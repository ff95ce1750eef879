"""Non-maximum suppression in plain PyTorch, box by box: oracle of the tests and fallback without compiled kernels.

``overlap`` is a function of two sets of boxes ``(N, 4)`` and ``(M, 4)`` that returns scores ``(N, M)``; the box that
would be kept comes first.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .. import reference
from .._dtypes import compute_dtype, decayed_dtype
from . import kinds as reference_kinds

Overlap = Callable[[Tensor, Tensor], Tensor]


def overlap_rule(kind: str, beta: float, fmt: str) -> Overlap:
    """Scores of a pairwise kind; with beta those of IoU - (rho^2 / c^2)^beta. Zheng et al., TCYB 2021, eq. 12."""

    def powered(pair, eps):
        return reference_kinds.iou(pair, eps) - reference_kinds.centre_distance(pair, eps) ** beta

    score = kind if beta == 1 else powered
    return lambda boxes1, boxes2: reference.pairwise(boxes1, boxes2, score, 0.0, (fmt, fmt))


def ranking(scores: Tensor) -> Tensor:
    """Indices by decreasing score, ties in input order, none of NaN."""
    order = scores.argsort(descending=True, stable=True)
    return order[~scores[order].isnan()]


def _same_class(idxs: Tensor | None, one: Tensor, others: Tensor) -> Tensor | bool:
    return True if idxs is None else idxs[others] == idxs[one]


def nms(boxes: Tensor, scores: Tensor, idxs: Tensor | None, threshold: float, overlap: Overlap) -> Tensor:
    """Indices of the boxes that greedy suppression keeps, best first."""
    order, kept = ranking(scores), []
    while len(order):
        best, order = order[0], order[1:]
        kept.append(best)
        # As the kernels, and torchvision: scores of any width against the threshold in float64.
        suppressed = overlap(boxes[best, None], boxes[order])[0].double() > threshold
        order = order[~(suppressed & _same_class(idxs, best, order))]
    return torch.stack(kept) if kept else order


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    idxs: Tensor | None,
    gaussian: bool,
    sigma: float,
    threshold: float,
    score_threshold: float,
    overlap: Overlap,
) -> tuple[Tensor, Tensor]:
    """Indices in the order of selection, and the scores at that time. Bodla et al., ICCV 2017."""
    dtype = compute_dtype(boxes, scores)
    boxes, left = boxes.to(dtype), scores.to(dtype)
    rest = (left >= score_threshold).nonzero()[:, 0]
    left, selected, decayed = left[rest], [], []
    while len(rest):
        best = (left == left.max()).nonzero()[0, 0]
        selected.append(rest[best])
        decayed.append(left[best])
        shares = _shares(overlap(boxes[rest[best], None], boxes[rest])[0])
        factor = (
            torch.exp(-(shares**2) * _finite(1 / sigma, dtype))
            if gaussian
            else torch.where(shares >= threshold, 1 - shares, 1.0)
        )
        left = torch.where(torch.as_tensor(_same_class(idxs, rest[best], rest)), left * factor, left)
        stays = left >= score_threshold
        stays[best] = False
        rest, left = rest[stays], left[stays]
    if not selected:
        return rest, scores.new_empty(0, dtype=decayed_dtype(scores))
    return torch.stack(selected), torch.stack(decayed).to(decayed_dtype(scores))


def _finite(x: float, dtype: torch.dtype) -> float:
    """No further than the largest number of a dtype: infinity times no overlap would be NaN."""
    return min(x, torch.finfo(dtype).max)


def _shares(overlaps: Tensor) -> Tensor:
    """Scores below 0 are no overlap, and NaN is none."""
    return overlaps.nan_to_num(0.0).clamp(0, 1)


def matrix_nms(
    boxes: Tensor, scores: Tensor, idxs: Tensor | None, gaussian: bool, sigma: float, overlap: Overlap
) -> Tensor:
    """Decayed scores in input order. Wang et al., "SOLOv2", NeurIPS 2020, eqs. 4 and 5."""
    result = scores.new_zeros(scores.shape, dtype=decayed_dtype(scores))
    order = ranking(scores)
    if not len(order):
        return result
    ranked = boxes[order].to(compute_dtype(boxes, scores))
    shares = _shares(overlap(ranked, ranked))
    pulls = torch.ones_like(shares, dtype=torch.bool).triu(1)  # the better one of a class, row, pulls the other, column
    if idxs is not None:
        pulls &= idxs[order][:, None] == idxs[order]
    compensation = torch.where(pulls, shares, 0.0).amax(0)

    def weight(x):
        return torch.exp(-_finite(sigma, x.dtype) * x**2) if gaussian else 1 - x

    own = weight(compensation)[:, None]
    decay = torch.where(pulls & (own > 0), weight(shares) / own, 1.0).amin(0).clamp(max=1)
    decayed = torch.where(decay == 0, 0.0, scores[order].to(decay.dtype) * decay)
    result[order] = decayed.to(result.dtype)
    return result


def merge(
    boxes: Tensor, scores: Tensor, idxs: Tensor | None, selected: Tensor, threshold: float, overlap: Overlap
) -> Tensor:
    """Every selected box as the mean of itself and of the worse boxes that it overlaps. Zheng et al., TCYB 2021."""
    order = ranking(scores)
    merged = boxes[selected].to(compute_dtype(boxes))
    for row, one in enumerate(selected):
        worse = order[(order == one).nonzero()[0, 0] + 1 :]
        overlaps = overlap(boxes[one, None], boxes[worse])[0].double()
        overlaps = torch.where((overlaps > threshold) & _same_class(idxs, one, worse), overlaps, 0.0)
        weights = torch.cat([scores.new_ones(1).double(), overlaps]) * scores[torch.cat([one[None], worse])].relu()
        used = weights != 0  # a number that has no weight may be infinite
        numbers = boxes[torch.cat([one[None], worse])[used]].double()
        mean = (weights[used, None] * numbers).sum(0) / weights.sum()
        if weights.sum() > 0:
            merged[row] = torch.where(mean.isfinite(), mean, boxes[one].double()).to(merged.dtype)
    return merged
