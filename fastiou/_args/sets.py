"""Argument checks of the functions on sets of boxes, and what the operators take instead of many batch dimensions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .._ops import kernels
from .options import check_set_formats, one_of
from .rotated import SCORES, RotatedFormat, is_rotated, pair_of_formats, read_pair, score_code
from .tensors import FLOATS

_DTYPES = {*FLOATS, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}


@dataclass(slots=True)
class SetsCall:
    """Two checked sets as the operators take them: ``(count, 4)``, or ``(batch, count, 4)``."""

    boxes1: Tensor
    boxes2: Tensor
    mask1: Tensor | None
    mask2: Tensor | None
    formats: tuple[str, str] | tuple[RotatedFormat, RotatedFormat]
    batch: torch.Size  # as the caller sees it
    native: bool

    @property
    def rotated(self) -> bool:
        return isinstance(self.formats[0], RotatedFormat)

    @property
    def format_codes(self) -> tuple[int, int]:
        return format_code(self.formats[0]), format_code(self.formats[1])

    def kind_code(self, kind: str, enclosing: str = "hull") -> int:
        return score_code(kind, enclosing) if self.rotated else kernels.pairwise_kinds[kind]

    def unflatten(self, x: Tensor) -> Tensor:
        """A result with the caller's batch dimensions."""
        return x if len(self.batch) < 2 else x.reshape(*self.batch, *x.shape[1:])


def format_code(fmt: str | RotatedFormat) -> int:
    """What the operators take."""
    return fmt.code if isinstance(fmt, RotatedFormat) else kernels.FORMATS[fmt]


def check_boxes(name: str, boxes, width: int = 4) -> None:
    if not isinstance(boxes, Tensor):
        raise TypeError(f"{name}: expected a torch.Tensor of boxes (..., N, {width}), got {type(boxes).__name__}")
    if boxes.dtype not in _DTYPES:
        raise TypeError(f"{name}: expected floating-point or integer boxes, got {boxes.dtype}")
    if boxes.dim() < 2 or boxes.shape[-1] != width:
        hint = " (fmt='cxcywhr' for rotated boxes)" if width == 4 and boxes.shape[-1:] == (5,) else ""
        raise ValueError(f"{name}: expected shape (..., N, {width}), got {tuple(boxes.shape)}{hint}")


def check_same_device(name: str, x: Tensor, other: Tensor, other_name: str) -> None:
    if x.device != other.device:
        raise ValueError(f"{name}: expected the device of {other_name}, {other.device}, got {x.device}")


def _check_mask(name: str, mask, boxes: Tensor, boxes_name: str) -> None:
    if not isinstance(mask, Tensor):
        raise TypeError(f"{name}: expected a bool tensor (..., N), got {type(mask).__name__}")
    if mask.dtype != torch.bool:
        raise TypeError(f"{name}: expected torch.bool, got {mask.dtype}")
    if mask.dim() == 0 or mask.shape[-1] != boxes.shape[-2]:
        raise ValueError(f"{name}: expected shape (..., {boxes.shape[-2]}), one for every box, got {tuple(mask.shape)}")
    check_same_device(name, mask, boxes, boxes_name)


def check_pairwise_kind(kind, rotated: bool = False) -> None:
    kinds = SCORES if rotated else kernels.pairwise_kinds
    if not isinstance(kind, str) or kind not in kinds:
        one_of("kind", kind, kinds)


def check_rule(kind, fmt, names: tuple[str, str] = ("boxes", "gts")) -> None:
    """Checks a kind of score, and the format or pair of formats of the boxes that it is for."""
    if is_rotated(fmt):
        pair_of_formats(fmt, names)
    else:
        check_set_formats(fmt, names)
    check_pairwise_kind(kind, is_rotated(fmt))


def check_no_eps(eps) -> None:
    if eps != 0:
        raise ValueError(f"eps: expected 0 with rotated boxes, whose scores need none, got {eps!r}")


def is_native(boxes: Tensor) -> bool:
    """Whether there are kernels for these boxes; warns once if not."""
    native = boxes.device.type in kernels.devices
    if not native and not torch.compiler.is_compiling():
        kernels.warn_fallback(boxes.device.type)
    return native


def check_sets(
    boxes1,
    boxes2,
    fmt: str | tuple[str, str] = "xyxy",
    mask1=None,
    mask2=None,
    names: tuple[str, str] = ("boxes1", "boxes2"),
    mask_names: tuple[str, str] = ("mask1", "mask2"),
) -> SetsCall:
    """Checks two sets ``(..., N, 4)`` and ``(..., M, 4)`` and broadcasts their batch dimensions."""
    if is_rotated(fmt):
        return check_rotated_sets(boxes1, boxes2, fmt, RotatedFormat(), mask1, mask2, names, mask_names)
    for name, boxes in zip(names, (boxes1, boxes2), strict=True):
        check_boxes(name, boxes)
    formats = check_set_formats(fmt, names)
    return _broadcast_sets(boxes1, boxes2, formats, mask1, mask2, names, mask_names)


def check_rotated_sets(
    boxes1,
    boxes2,
    fmt: str | tuple[str, str],
    flags: RotatedFormat,
    mask1=None,
    mask2=None,
    names: tuple[str, str] = ("boxes1", "boxes2"),
    mask_names: tuple[str, str] = ("mask1", "mask2"),
) -> SetsCall:
    """The same for rotated boxes in any convention; they come out as ``(..., 5)``."""
    boxes1, boxes2, form = read_pair((boxes1, boxes2), fmt, names, flags, check_boxes)
    return _broadcast_sets(boxes1, boxes2, (form, form), mask1, mask2, names, mask_names)


def _broadcast_sets(boxes1, boxes2, formats, mask1, mask2, names, mask_names) -> SetsCall:
    check_same_device(names[1], boxes2, boxes1, names[0])
    for name, mask, boxes, boxes_name in zip(mask_names, (mask1, mask2), (boxes1, boxes2), names, strict=True):
        if mask is not None:
            _check_mask(name, mask, boxes, boxes_name)
    native = is_native(boxes1)

    leading = [boxes1.shape[:-2], boxes2.shape[:-2], *(m.shape[:-1] for m in (mask1, mask2) if m is not None)]
    try:
        batch = torch.broadcast_shapes(*leading)
    except RuntimeError:
        shapes = " and ".join(str(tuple(shape)) for shape in leading)
        raise ValueError(f"{names[0]}, {names[1]}: expected leading shapes that broadcast, got {shapes}") from None
    if len(batch) > 0:
        boxes1, boxes2 = (b.expand(*batch, *b.shape[-2:]) for b in (boxes1, boxes2))
        mask1, mask2 = (m if m is None else m.expand(*batch, m.shape[-1]) for m in (mask1, mask2))
    if len(batch) > 1:
        count = math.prod(batch)
        boxes1, boxes2 = (b.reshape(count, *b.shape[-2:]) for b in (boxes1, boxes2))
        mask1, mask2 = (m if m is None else m.reshape(count, m.shape[-1]) for m in (mask1, mask2))
    return SetsCall(boxes1, boxes2, mask1, mask2, formats, batch, native)
