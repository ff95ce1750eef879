"""Checks of options, without torch: every message names the argument, what was expected and what arrived."""

from __future__ import annotations

import math
import numbers

from .._names import FORMATS

_NEVER_NEGATIVE = {"iou", "iou_log", "iou_square", "iof", "kfiou", "probiou"}
_METHODS = ("gaussian", "linear")

#: Formats of boxes in sets: distances from anchor points are for losses alone.
SET_FORMATS = tuple(f for f in FORMATS if f != "ltrb")


def one_of(name: str, value, allowed) -> None:
    raise ValueError(f"{name}: expected one of {', '.join(map(repr, allowed))}, got {value!r}")


def check_formats(fmt, sides: tuple[str, str] = ("pred", "target"), allowed=FORMATS) -> tuple[str, str]:
    pair = (fmt, fmt) if isinstance(fmt, str) else tuple(fmt) if isinstance(fmt, (tuple, list)) else None
    if pair is None or len(pair) != 2:
        raise TypeError(f"fmt: expected a format or a pair of formats ({sides[0]}, {sides[1]}), got {fmt!r}")
    for f in pair:
        if not isinstance(f, str) or f not in allowed:
            one_of("fmt", f, allowed)
    return pair


def check_set_formats(fmt, names: tuple[str, str]) -> tuple[str, str]:
    return check_formats(fmt, names, SET_FORMATS)


def check_set_format(fmt) -> None:
    if not isinstance(fmt, str):
        raise TypeError(f"fmt: expected a format, got {fmt!r}")
    if fmt not in SET_FORMATS:
        one_of("fmt", fmt, SET_FORMATS)


def check_eps(eps) -> None:
    if not isinstance(eps, (float, int, numbers.Real)) or not 0 <= eps < math.inf:
        raise ValueError(f"eps: expected a finite number >= 0, got {eps!r}")


def check_number(name: str, x, least: float, most: float = math.inf, *, above: bool = False) -> float:
    """A number from ``least`` to ``most``; above ``least`` if it is not to be reached."""
    if (
        isinstance(x, (float, int, numbers.Real))
        and (least < x if above else least <= x)
        and x <= most
        and x < math.inf
    ):
        return float(x)
    if least == -math.inf:
        raise ValueError(f"{name}: expected a finite number, got {x!r}")
    if most < math.inf:
        raise ValueError(f"{name}: expected a number from {least:g} to {most:g}, got {x!r}")
    raise ValueError(f"{name}: expected a finite number {'>' if above else '>='} {least:g}, got {x!r}")


def check_threshold(threshold, kind: str, name: str = "iou_threshold") -> float:
    return check_number(name, threshold, 0 if isinstance(kind, str) and kind in _NEVER_NEGATIVE else -1, 1)


def is_gaussian(method) -> bool:
    if method not in _METHODS:
        one_of("method", method, _METHODS)
    return method == "gaussian"


def check_beta(beta, kind: str) -> float:
    beta = check_number("beta", beta, 0, above=True)
    if beta != 1 and kind != "diou":
        raise ValueError(f"beta: expected 1 with kind={kind!r} (only 'diou' has a power), got {beta!r}")
    return beta
