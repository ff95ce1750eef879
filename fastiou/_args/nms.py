"""Argument checks of the functions of ``suppression``."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .._ops import kernels
from ..reference import nms as reference_nms
from .options import check_beta, check_set_format
from .rotated import RotatedFormat, is_rotated, read_pair, score_code
from .sets import check_boxes, check_pairwise_kind, check_same_device, format_code, is_native
from .tensors import FLOATS

_INTEGERS = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}


@dataclass(slots=True)
class NmsCall:
    """Checked detections, and the rule by which two of them overlap."""

    boxes: Tensor
    scores: Tensor
    idxs: Tensor | None
    kind: str
    beta: float
    fmt: str | RotatedFormat
    native: bool

    @property
    def detections(self) -> tuple[Tensor, Tensor, Tensor | None]:
        return self.boxes, self.scores, self.idxs

    @property
    def rule(self) -> dict[str, int | float]:
        """Options that all operators take."""
        rotated = isinstance(self.fmt, RotatedFormat)
        kind = score_code(self.kind) if rotated else kernels.pairwise_kinds[self.kind]
        return {"kind": kind, "beta": self.beta, "format": format_code(self.fmt)}

    @property
    def overlap(self):
        """What the reference takes."""
        return reference_nms.overlap_rule(self.kind, self.beta, self.fmt)


def _check_column(name: str, x, boxes: Tensor, dtypes, what: str) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a tensor of {what} (N,), got {type(x).__name__}")
    if x.dtype not in dtypes:
        raise TypeError(f"{name}: expected {what}, got {x.dtype}")
    if x.dim() != 1 or x.shape[0] != boxes.shape[0]:
        raise ValueError(f"{name}: expected shape ({boxes.shape[0]},), one for every box, got {tuple(x.shape)}")
    check_same_device(name, x, boxes, "boxes")


def check_detections(boxes, scores, idxs, kind, beta, fmt) -> NmsCall:
    """Checks what all functions have in common, before any kernel runs."""
    rotated = is_rotated(fmt)
    if rotated:
        if not isinstance(fmt, (str, RotatedFormat)):
            raise TypeError(f"fmt: expected a format, got {fmt!r}")
        boxes, _, fmt = read_pair((boxes, boxes), fmt, ("boxes", "boxes"), RotatedFormat(), check_boxes)
    else:
        check_boxes("boxes", boxes)
    if boxes.dim() != 2:
        raise ValueError(f"boxes: expected shape (N, {boxes.shape[-1]}), got {tuple(boxes.shape)}")
    _check_column("scores", scores, boxes, FLOATS, "floating-point numbers")
    if idxs is not None:
        _check_column("idxs", idxs, boxes, _INTEGERS, "integers")
    check_pairwise_kind(kind, rotated)
    beta = check_beta(beta, kind)
    if rotated and beta != 1:
        raise ValueError(f"beta: expected 1 with rotated boxes, got {beta!r}")
    if not rotated:
        check_set_format(fmt)
    return NmsCall(boxes.detach(), scores.detach(), idxs, kind, beta, fmt, is_native(boxes))
