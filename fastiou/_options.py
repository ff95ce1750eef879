"""Checks of options, without torch: every message names the argument, what was expected and what arrived."""

from __future__ import annotations

import math
import numbers

from ._core_module import FORMATS

#: Formats of boxes in sets: distances from anchor points are for losses alone.
SET_FORMATS = tuple(f for f in FORMATS if f != "ltrb")


def one_of(name: str, value, allowed) -> None:
    raise ValueError(f"{name}: expected one of {', '.join(map(repr, allowed))}, got {value!r}")


def check_formats(fmt, sides: tuple[str, str] = ("pred", "target")) -> tuple[str, str]:
    pair = (fmt, fmt) if isinstance(fmt, str) else tuple(fmt) if isinstance(fmt, (tuple, list)) else None
    if pair is None or len(pair) != 2:
        raise TypeError(f"fmt: expected a format or a pair of formats ({sides[0]}, {sides[1]}), got {fmt!r}")
    for f in pair:
        if not isinstance(f, str) or f not in FORMATS:
            one_of("fmt", f, FORMATS)
    return pair


def check_set_formats(fmt, names: tuple[str, str]) -> tuple[str, str]:
    formats = check_formats(fmt, names)
    for f in formats:
        if f not in SET_FORMATS:
            one_of("fmt", f, SET_FORMATS)
    return formats


def check_eps(eps) -> None:
    if not isinstance(eps, (float, int, numbers.Real)) or not 0 <= eps < math.inf:
        raise ValueError(f"eps: expected a finite number >= 0, got {eps!r}")
