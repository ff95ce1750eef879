"""Matching boxes with ground truth, without the matrix of their scores: memory grows with N + M, not with N x M."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from . import reference
from ._args.options import check_eps, check_number
from ._args.rotated import is_rotated
from ._args.sets import SetsCall, check_no_eps, check_rule, check_same_device, check_sets
from ._dtypes import score_dtype
from ._ops import kernels
from ._ops.signatures import MatchingOptions, TiedGtsOptions
from .reference import Eps

_max_iou = kernels.operator("max_iou")
_tied_gts = kernels.operator("tied_gts")


class MaxIoU(NamedTuple):
    """What :func:`max_iou` returns; a box or gt without any counterpart has value 0 and index -1.

    Attributes:
        values: best score of every box ``(..., N)``.
        indices: the gt that it has it with ``(..., N)``, int64.
        gt_values: best score of every gt ``(..., M)``.
        gt_indices: the box that it has it with ``(..., M)``, int64.
    """

    values: Tensor
    indices: Tensor
    gt_values: Tensor
    gt_indices: Tensor


class _Matching:
    """One call: the checked sets, their best scores, and who ties with whom."""

    def __init__(self, boxes, gts, kind, fmt, eps, boxes_mask, gts_mask, names=("boxes", "gts")) -> None:
        check_rule(kind, fmt, names)
        check_eps(eps)
        if is_rotated(fmt):
            check_no_eps(eps)
        self.kind, self.eps = kind, Eps(eps, eps, eps)
        mask_names = f"{names[0]}_mask", f"{names[1]}_mask"
        with torch.no_grad():
            boxes, gts = (x.detach() if isinstance(x, Tensor) else x for x in (boxes, gts))
            self.sets: SetsCall = check_sets(boxes, gts, fmt, boxes_mask, gts_mask, names, mask_names)
            self.best = self._best()

    def _best(self) -> MaxIoU:
        s = self.sets
        if s.native:
            return MaxIoU(*_max_iou(s.boxes1, s.boxes2, *self._options))
        return MaxIoU(*reference.max_iou(s.boxes1, s.boxes2, self.kind, self.eps, s.formats, s.mask1, s.mask2))

    @property
    def _options(self) -> MatchingOptions:
        s = self.sets
        return MatchingOptions(s.mask1, s.mask2, s.kind_code(self.kind), *s.format_codes, *self.eps)

    def tied_gts(self, least: float) -> Tensor:
        """For every box the last gt whose best score, at least ``least``, it attains; else -1."""
        s, gt_values = self.sets, self.best.gt_values
        with torch.no_grad():
            if s.native:
                options = TiedGtsOptions(gt_values=gt_values, least=least, **self._options._asdict())
                return _tied_gts(s.boxes1, s.boxes2, *options)
            options = self.kind, self.eps, s.formats, s.mask1, s.mask2
            return reference.tied_gts(s.boxes1, s.boxes2, gt_values, least, *options)

    @property
    def no_gts(self) -> Tensor:
        """Whether there is no gt at all, ``(..., 1)``: then everything is background, and nothing is ignored."""
        values, gts, mask = self.best.values, self.sets.boxes2, self.sets.mask2
        if gts.shape[-2] == 0 or mask is None:
            return torch.full_like(values[..., :1], gts.shape[-2] == 0, dtype=torch.bool)
        return ~mask.any(-1, keepdim=True)

    def unflatten(self, x: Tensor) -> Tensor:
        return self.sets.unflatten(x)


def max_iou(
    boxes: Tensor,
    gts: Tensor,
    kind: str = "iou",
    *,
    fmt: str | tuple[str, str] = "xyxy",
    eps: float = 0.0,
    boxes_mask: Tensor | None = None,
    gts_mask: Tensor | None = None,
) -> MaxIoU:
    """For every box the best gt, and for every gt the best box, as ``max`` of the pairwise scores both ways would say.

    Args:
        boxes: boxes ``(..., N, 4)``: anchors, proposals, predictions. Dtypes and strides as in
            :func:`fastiou.pairwise_iou`.
        gts: ground truth ``(..., M, 4)``; batch dimensions broadcast.
        kind: one of :func:`fastiou.pairwise_kinds`; ``"iof"`` divides by the area of ``boxes``.
        fmt: ``"xyxy"``, ``"xywh"`` or ``"cxcywh"``, or a pair of them. Rotated boxes ``(..., 5)`` are ``"cxcywhr"``, or
            one of :func:`fastiou.rotated_conventions`; their kinds are those of :func:`fastiou.rotated_box_iou`.
        eps: added to every denominator. None is needed.
        boxes_mask: bool ``(..., N)``, False for boxes that do not take part.
        gts_mask: bool ``(..., M)``, False for padding.

    Returns:
        :class:`MaxIoU`. Values are float64 if a box is float64, else float32. Ties go to the lowest index. Boxes that
        are masked or hold NaN or infinity match nothing. Constants for autograd, and the same bits in every run.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    matching = _Matching(boxes, gts, kind, fmt, eps, boxes_mask, gts_mask)
    dtype = score_dtype(boxes, gts)
    values, indices, gt_values, gt_indices = (matching.unflatten(x) for x in matching.best)
    return MaxIoU(values.to(dtype), indices, gt_values.to(dtype), gt_indices)


class Matcher:
    """Matches boxes with ground truth by thresholds on their best IoU: torchvision's and Detectron2's matcher.

    ``box_iou(gts, boxes)`` followed by their matcher gives the same matches, for N x M memory.

    Args:
        high_threshold: a box whose best IoU is at least this matches that gt.
        low_threshold: a box whose best IoU is below this is background; in between it is ignored.
        allow_low_quality_matches: also match every box that has the best IoU of some gt with its own best gt. As there,
            a gt that no box overlaps has the best IoU 0, which every box that misses it attains.
        kind: the score, one of :func:`fastiou.pairwise_kinds`.
        fmt: as of :func:`max_iou`.
    """

    BELOW_LOW_THRESHOLD = -1
    BETWEEN_THRESHOLDS = -2

    def __init__(
        self,
        high_threshold: float,
        low_threshold: float,
        allow_low_quality_matches: bool = False,
        *,
        kind: str = "iou",
        fmt: str | tuple[str, str] = "xyxy",
    ) -> None:
        check_rule(kind, fmt)
        self.high_threshold = check_number("high_threshold", high_threshold, -math.inf)
        self.low_threshold = check_number("low_threshold", low_threshold, -math.inf)
        if not low_threshold <= high_threshold:
            raise ValueError(f"low_threshold: expected at most high_threshold {high_threshold}, got {low_threshold}")
        self.allow_low_quality_matches = allow_low_quality_matches
        self.kind, self.fmt = kind, fmt

    def __call__(
        self,
        boxes: Tensor,
        gts: Tensor,
        *,
        boxes_mask: Tensor | None = None,
        gts_mask: Tensor | None = None,
    ) -> Tensor:
        """Matches of boxes ``(..., N, 4)`` with gts ``(..., M, 4)``.

        Returns:
            int64 ``(..., N)``: the index of a gt, -1 for background, -2 for boxes to be ignored. Without any gt, all
            are background. Masks as in :func:`max_iou`.
        """
        matching = _Matching(boxes, gts, self.kind, self.fmt, 0.0, boxes_mask, gts_mask)
        values, indices = matching.best[:2]
        matches = indices.where(values >= self.high_threshold, self.BETWEEN_THRESHOLDS)
        matches = matches.where((values >= self.low_threshold) & (indices >= 0), self.BELOW_LOW_THRESHOLD)
        if self.allow_low_quality_matches:
            matches = indices.where(matching.tied_gts(-torch.inf) >= 0, matches)
        return matching.unflatten(matches)


class SSDMatcher(Matcher):
    """Matches as SSD does: every gt takes its best box, every other box its best gt from ``threshold`` on.

    torchvision's matcher of the same name. Where two gts have the same best box, the last of them takes it.

    Args:
        threshold: a box whose best IoU is below this is background, unless a gt takes it.
        kind: the score, one of :func:`fastiou.pairwise_kinds`.
        fmt: as of :func:`max_iou`.
    """

    def __init__(self, threshold: float, *, kind: str = "iou", fmt: str | tuple[str, str] = "xyxy") -> None:
        threshold = check_number("threshold", threshold, -math.inf)
        super().__init__(threshold, threshold, kind=kind, fmt=fmt)

    def __call__(
        self,
        boxes: Tensor,
        gts: Tensor,
        *,
        boxes_mask: Tensor | None = None,
        gts_mask: Tensor | None = None,
    ) -> Tensor:
        """Matches as :meth:`Matcher.__call__` returns them."""
        matching = _Matching(boxes, gts, self.kind, self.fmt, 0.0, boxes_mask, gts_mask)
        values, indices, _, gt_indices = matching.best
        matches = indices.where((values >= self.threshold) & (indices >= 0), self.BELOW_LOW_THRESHOLD)
        return matching.unflatten(_last_taker(gt_indices, matches))

    @property
    def threshold(self) -> float:
        return self.high_threshold


def _last_taker(gt_indices: Tensor, matches: Tensor) -> Tensor:
    """``matches``, but for the boxes that gts take: of several gts the last one has it, on any device."""
    if gt_indices.shape[-1] == 0 or matches.shape[-1] == 0:
        return matches
    gt = torch.arange(gt_indices.shape[-1], device=gt_indices.device).expand(gt_indices.shape)
    taker = torch.full_like(matches, -1).scatter_reduce(
        -1, gt_indices.clamp(min=0), gt.where(gt_indices >= 0, -1), "amax"
    )
    return taker.where(taker >= 0, matches)


class Assignment(NamedTuple):
    """What :class:`MaxIoUAssigner` returns, MMDetection's ``AssignResult``.

    Attributes:
        gt_inds: ``(..., N)`` int64: 1 + the index of a gt, 0 for background, -1 for boxes to be ignored.
        max_overlaps: best score of every box ``(..., N)``; -1 for boxes inside ignore regions.
        labels: label of the assigned gt ``(..., N)`` int64, -1 where there is none; None without ``gt_labels``.
    """

    gt_inds: Tensor
    max_overlaps: Tensor
    labels: Tensor | None


class MaxIoUAssigner:
    """Assigns ground truth to boxes by their best IoU: MMDetection's assigner, without its matrix.

    Args:
        pos_iou_thr: a box whose best IoU is at least this is assigned that gt.
        neg_iou_thr: a box whose best IoU is below this is background; a pair (low, high) demands low <= IoU < high.
        min_pos_iou: a gt whose best IoU is at least this also takes the box, or the boxes, that have it.
        gt_max_assign_all: whether it takes all boxes that tie, or the first of them.
        ignore_iof_thr: boxes whose intersection with an ignore region is more than this share are ignored; off if <= 0.
        ignore_wrt_candidates: share of the box (True) or of the region.
        match_low_quality: whether gts take boxes at all (``min_pos_iou``).
        kind: the score, one of :func:`fastiou.pairwise_kinds`.
        fmt: as of :func:`max_iou`.
    """

    def __init__(
        self,
        pos_iou_thr: float,
        neg_iou_thr: float | tuple[float, float],
        min_pos_iou: float = 0.0,
        gt_max_assign_all: bool = True,
        ignore_iof_thr: float = -1.0,
        ignore_wrt_candidates: bool = True,
        match_low_quality: bool = True,
        kind: str = "iou",
        fmt: str | tuple[str, str] = "xyxy",
    ) -> None:
        check_rule(kind, fmt)
        self.pos_iou_thr = check_number("pos_iou_thr", pos_iou_thr, -math.inf)
        self.min_pos_iou = check_number("min_pos_iou", min_pos_iou, -math.inf)
        pair = tuple(neg_iou_thr) if isinstance(neg_iou_thr, (tuple, list)) else (0.0, neg_iou_thr)
        if len(pair) != 2:
            raise ValueError(f"neg_iou_thr: expected a number or a pair (low, high), got {neg_iou_thr!r}")
        self.neg_iou_thr = tuple(check_number("neg_iou_thr", x, -math.inf) for x in pair)
        self.gt_max_assign_all, self.match_low_quality = gt_max_assign_all, match_low_quality
        self.ignore_iof_thr = check_number("ignore_iof_thr", ignore_iof_thr, -math.inf)
        self.ignore_wrt_candidates = ignore_wrt_candidates
        self.kind, self.fmt = kind, fmt

    def __call__(
        self,
        boxes: Tensor,
        gts: Tensor,
        gt_labels: Tensor | None = None,
        *,
        ignore: Tensor | None = None,
        gts_mask: Tensor | None = None,
    ) -> Assignment:
        """Assigns ground truth to boxes.

        Args:
            boxes: boxes ``(..., N, 4)``, or what ``fmt`` says.
            gts: ground truth ``(..., M, 4)``.
            gt_labels: labels of the ground truth ``(..., M)``, integers.
            ignore: ignore regions ``(..., K, 4)``, crowds for example, written as the ground truth. Pad them with
                boxes of size 0.
            gts_mask: bool ``(..., M)``, False for padding.
        """
        ignored = self._ignored(boxes, ignore)
        if gt_labels is not None:
            _check_labels(gt_labels, gts)
        matching = _Matching(boxes, gts, self.kind, self.fmt, 0.0, None if ignored is None else ~ignored, gts_mask)
        values, indices, gt_values, gt_indices = matching.best
        low, high = self.neg_iou_thr
        background = ((values >= low) & (values < high)) | matching.no_gts
        gt_inds = torch.full_like(indices, -1).masked_fill(background, 0)
        gt_inds = (indices + 1).where((values >= self.pos_iou_thr) & (indices >= 0), gt_inds)
        if self.match_low_quality:
            if self.gt_max_assign_all:
                taken = matching.tied_gts(self.min_pos_iou)
            else:
                taken = _last_taker(gt_indices.where(gt_values >= self.min_pos_iou, -1), torch.full_like(indices, -1))
            gt_inds = (taken + 1).where(taken >= 0, gt_inds)
        gt_inds, values = matching.unflatten(gt_inds), matching.unflatten(values)
        if ignored is not None:
            ignored = ignored & ~matching.unflatten(matching.no_gts)
            gt_inds, values = gt_inds.masked_fill(ignored, -1), values.masked_fill(ignored, -1.0)
        return Assignment(gt_inds, values.to(score_dtype(boxes, gts)), self._labels(gt_inds, gt_labels))

    def _ignored(self, boxes: Tensor, ignore: Tensor | None) -> Tensor | None:
        if ignore is None or self.ignore_iof_thr <= 0:
            return None
        if self.ignore_wrt_candidates:
            matching = _Matching(boxes, ignore, "iof", self.fmt, 0.0, None, None, ("boxes", "ignore"))
            return matching.unflatten(matching.best.values) > self.ignore_iof_thr
        swapped = self.fmt if isinstance(self.fmt, str) else self.fmt[::-1]
        matching = _Matching(ignore, boxes, "iof", swapped, 0.0, None, None, ("ignore", "boxes"))
        return matching.unflatten(matching.best.gt_values) > self.ignore_iof_thr

    @staticmethod
    def _labels(gt_inds: Tensor, gt_labels: Tensor | None) -> Tensor | None:
        if gt_labels is None:
            return None
        if gt_labels.shape[-1] == 0:
            return torch.full_like(gt_inds, -1)
        labels = gt_labels.long().expand(*gt_inds.shape[:-1], gt_labels.shape[-1])
        return labels.gather(-1, (gt_inds - 1).clamp(min=0)).where(gt_inds > 0, -1)


def _check_labels(gt_labels, gts: Tensor) -> None:
    if not isinstance(gt_labels, Tensor) or gt_labels.is_floating_point() or gt_labels.is_complex():
        got = gt_labels.dtype if isinstance(gt_labels, Tensor) else type(gt_labels).__name__
        raise TypeError(f"gt_labels: expected a tensor of integers (..., M), got {got}")
    check_same_device("gt_labels", gt_labels, gts, "gts")
    m = gts.shape[-2]
    if gt_labels.dim() == 0 or gt_labels.shape[-1] != m:
        raise ValueError(f"gt_labels: expected shape (..., {m}), one for every gt, got {tuple(gt_labels.shape)}")
