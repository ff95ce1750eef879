"""Argument checks of the functions on pixels, and the codes that the operators take."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from .options import check_formats, check_number
from .rotated import RotatedFormat, check_choice, check_flags, is_rotated, pair_of_formats, read_pair, width_of
from .rows import LossCall, check_row_boxes, check_row_call
from .sets import SetsCall, check_boxes, check_rotated_sets, check_sets, format_code

UNIONS = ("exact", "area")
#: Link by mode.
MODES = {"linear": "one_minus", "log": "log_floor"}


class Convention(NamedTuple):
    """Factor on the loss, and the least PIoU of which a logarithm is taken unless told otherwise."""

    factor: float
    floor: float


CONVENTIONS = {"paper": Convention(1.0, 1e-6), "official": Convention(2.0, 0.1)}


class Raster(NamedTuple):
    """How pixels are counted."""

    area_union: bool
    hard: bool
    k: float
    scale: float


def check_flag(name: str, flag) -> bool:
    if not isinstance(flag, bool):
        raise TypeError(f"{name}: expected True or False, got {flag!r}")
    return flag


def check_raster(k, union, hard, scale) -> Raster:
    check_choice("union", union, UNIONS)
    k, scale = (check_number(name, x, 1e-6, 1e6) for name, x in (("k", k), ("scale", scale)))
    return Raster(union == "area", check_flag("hard", hard), k, scale)


def check_loss_options(mode, floor, convention) -> tuple[float, float]:
    """Checks what a loss makes of a PIoU; its factor and its floor."""
    check_choice("mode", mode, MODES)
    check_choice("convention", convention, CONVENTIONS)
    if convention == "official" and mode != "log":
        raise ValueError(f"mode: expected 'log' with convention='official', got {mode!r}")
    factor, default = CONVENTIONS[convention]
    if floor is None:
        return factor, default
    floor = check_number("floor", floor, 0, 1, above=True)
    if floor == 1:
        raise ValueError(f"floor: expected a number below 1, got {floor!r}")
    return factor, floor


def check_formats_of_pixels(fmt, names: tuple[str, str]) -> tuple[str, str]:
    """The formats of both boxes."""
    pair = fmt if isinstance(fmt, (tuple, list)) else (fmt,)
    if "ltrb" in pair:
        raise ValueError(f"fmt: expected boxes by themselves, got {fmt!r}, distances: convert them to corners first")
    return pair_of_formats(fmt, names) if is_rotated(fmt) else check_formats(fmt, names)


def _formats(boxes: tuple, fmt, names: tuple[str, str], check) -> tuple[str, str]:
    """Those given, or those that the widths tell."""
    if fmt is not None:
        return check_formats_of_pixels(fmt, names)
    for name, x in zip(names, boxes, strict=True):
        width = x.shape[-1] if isinstance(x, Tensor) and x.dim() > 0 else 5
        if width not in (4, 5):
            raise ValueError(f"{name}: expected shape (..., 4) or (..., 5), got {tuple(x.shape)}")
        check(name, x, width)
    return tuple("xyxy" if x.shape[-1] == 4 else "cxcywhr" for x in boxes)


def _flags_of(formats: tuple[str, str], degrees, clockwise) -> RotatedFormat:
    flags = check_flags(degrees, clockwise)
    if flags != RotatedFormat() and not is_rotated(formats):
        raise ValueError(f"degrees, clockwise: expected the defaults with fmt={formats[0]!r}, which has no angle")
    return flags


def check_pixel_rows(
    boxes: tuple, fmt, degrees, clockwise, names: tuple[str, str], weight=None, reduction="none", avg_factor=None
) -> tuple[LossCall, tuple[int, int]]:
    """Boxes of one pair after another, upright or rotated, and the codes of their formats."""
    formats = _formats(boxes, fmt, names, check_row_boxes)
    flags = _flags_of(formats, degrees, clockwise)
    if is_rotated(formats):
        *boxes, form = read_pair(boxes, formats, names, flags, check_row_boxes)
        formats = form, form
    else:
        for name, x, f in zip(names, boxes, formats, strict=True):
            check_row_boxes(name, x, width_of(f))
    call = check_row_call(*boxes, weight, reduction, avg_factor, names)
    return call, tuple(map(format_code, formats))


def check_pixel_sets(boxes: tuple, fmt, degrees, clockwise) -> SetsCall:
    """The same for two sets of boxes."""
    names = ("boxes1", "boxes2")
    formats = _formats(boxes, fmt, names, check_boxes)
    flags = _flags_of(formats, degrees, clockwise)
    return check_rotated_sets(*boxes, formats, flags) if is_rotated(formats) else check_sets(*boxes, formats)
