"""Argument checks of the functions of rotated boxes, and the codes that the operators take."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .._names import ENCLOSINGS, FORMATS, LINKS, ROTATED_KINDS
from ..conventions.layouts import LAYOUTS
from ..conventions.rotated import CONVENTIONS, convert_rotated
from .options import check_formats, one_of

#: Scores between sets of rotated boxes.
SCORES = ("iou", "iof", "giou", "diou", "ciou", "kfiou", "probiou")
#: Kinds of the exact losses.
LOSSES = ("iou", "giou", "diou", "ciou")
#: Link by mode.
MODES = {"linear": "one_minus", "log": "log_floor", "square": "square"}


class RotatedFormat(NamedTuple):
    """How kernels read ``cx cy w h angle``."""

    degrees: bool = False
    clockwise: bool = True

    @property
    def code(self) -> int:
        """``Format::cxcywhr`` of ``csrc/math/box.h``, and bits for what differs from it."""
        return len(FORMATS) + self.degrees + 2 * (not self.clockwise)


def kind_code(kind: str, variant: int = 0) -> int:
    """``RotatedKind`` of ``csrc/math/rotated_kinds.h``."""
    return 4 * ROTATED_KINDS.index(kind) + variant


def score_code(kind: str, enclosing: str = "hull") -> int:
    return kind_code(kind, ENCLOSINGS.index(enclosing) if kind in ("giou", "diou", "ciou") else 0)


def link_code(link: str) -> int:
    return LINKS.index(link)


def check_choice(name: str, value, allowed) -> None:
    if not isinstance(value, str) or value not in allowed:
        one_of(name, value, allowed)


def check_flags(degrees, clockwise) -> RotatedFormat:
    for name, flag in (("degrees", degrees), ("clockwise", clockwise)):
        if not isinstance(flag, bool):
            raise TypeError(f"{name}: expected True or False, got {flag!r}")
    return RotatedFormat(degrees, clockwise)


def is_rotated(fmt) -> bool:
    """Whether a format, or one of a pair, is one of rotated boxes."""
    if isinstance(fmt, RotatedFormat):
        return True
    if isinstance(fmt, (tuple, list)):
        return any(map(is_rotated, fmt))
    return isinstance(fmt, str) and fmt in CONVENTIONS and fmt not in FORMATS


def pair_of_formats(fmt, sides: tuple[str, str]) -> tuple[str, str]:
    return check_formats(fmt, sides, CONVENTIONS)


def _read_as(fmt: str, flags: RotatedFormat) -> RotatedFormat | None:
    """How kernels read boxes in ``fmt``; None if they have to be converted."""
    if fmt == "cxcywhr":
        return flags
    if flags != RotatedFormat():
        raise ValueError(f"degrees, clockwise: expected the defaults with fmt={fmt!r}, which says how angles turn")
    convention = CONVENTIONS[fmt]
    readable = convention.numbers == CONVENTIONS["cxcywhr"].numbers
    return RotatedFormat(convention.degrees, convention.clockwise) if readable else None


def read_pair(
    boxes: tuple[Tensor, Tensor],
    fmt,
    sides: tuple[str, str],
    flags: RotatedFormat,
    check: Callable[[str, Tensor, int], None],
) -> tuple[Tensor, Tensor, RotatedFormat]:
    """Two tensors of boxes as kernels read them, ``(..., 5)`` in one format; ``check(name, boxes, width)`` first."""
    if isinstance(fmt, RotatedFormat):
        fmt, flags = "cxcywhr", fmt
    formats = pair_of_formats(fmt, sides)
    for name, x, f in zip(sides, boxes, formats, strict=True):
        check(name, x, width_of(f))
    first, second = (_read_as(f, flags) for f in formats)
    if first is not None and first == second:
        return *boxes, first
    # Integers may hold corners, but no radians.
    floats = (x if x.is_floating_point() else x.to(torch.float32) for x in boxes)
    first, second = (convert_rotated(x, f, "cxcywhr") for x, f in zip(floats, formats, strict=True))
    return first, second, RotatedFormat()


def width_of(fmt: str) -> int:
    return LAYOUTS[CONVENTIONS[fmt].numbers].width
