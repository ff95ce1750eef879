"""Angles as classes: circular smooth labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ._args.options import check_number, one_of
from ._args.tensors import FLOATS

#: Label by circular distance from the angle's bin, both in bins.
WINDOWS = {
    "pulse": lambda distance, radius: (distance == 0).to(distance.dtype),
    "rectangular": lambda distance, radius: (distance < radius).to(distance.dtype),
    "triangle": lambda distance, radius: (1 - distance / radius).clamp(min=0),
    "gaussian": lambda distance, radius: (-(distance**2) / (2 * radius**2)).exp(),
}


def circular_smooth_label(
    angle: Tensor,
    bins: int,
    window: str = "gaussian",
    radius: float = 6,
    *,
    start: float = 0.0,
    period: float | None = None,
    degrees: bool = False,
) -> Tensor:
    """Circular smooth labels of angles: Yang and Yan, ECCV 2020, eq. 3.

    The circle of one period is cut into equal bins; bin ``k`` begins at ``start + k * period / bins``. A label is the
    window at the circular distance of each bin from the angle's bin, and 1 there. Angles a whole number of periods
    apart have the same labels.

    Args:
        angle: ``(...)``, float16, bfloat16, float32 or float64.
        bins: how many classes; mmrotate's ``coding_len``, the paper's range over omega.
        window: ``"pulse"`` one bin; ``"rectangular"`` 1 below ``radius``; ``"triangle"`` 1 - distance / ``radius``;
            ``"gaussian"`` of standard deviation ``radius`` and not cut off.
        radius: in bins.
        start: the smallest angle: -pi/2 for ``le90``, -pi/4 for ``le135``, 0 for ``oc``.
        period: default half a turn; a quarter turn for ``oc``.
        degrees: the unit of ``angle``, ``start`` and ``period``; else radians.

    Returns:
        Labels ``(..., bins)`` in the dtype of ``angle``, constants; NaN for an angle that is NaN or infinite.

    These are the labels of mmrotate's ``CSLCoder`` with ``omega=1``, except that its ``"rect"`` also has the bin at
    distance ``radius`` on one side.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    if not isinstance(angle, Tensor):
        raise TypeError(f"angle: expected a torch.Tensor, got {type(angle).__name__}")
    _check_floats("angle", angle)
    if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
        raise ValueError(f"bins: expected an integer >= 1, got {bins!r}")
    if not isinstance(window, str) or window not in WINDOWS:
        one_of("window", window, WINDOWS)
    radius = check_number("radius", radius, 0, above=True)
    start, period = _check_circle(start, period, degrees)

    x = angle.detach().to(torch.promote_types(angle.dtype, torch.float32))
    bin_of_angle = (torch.remainder(x - start, period) * (bins / period)).floor().clamp(max=bins - 1).unsqueeze(-1)
    distance = (torch.arange(bins, dtype=x.dtype, device=x.device) - bin_of_angle).abs()
    label = WINDOWS[window](torch.minimum(distance, bins - distance), radius)
    return (label + (bin_of_angle - bin_of_angle)).to(angle.dtype)  # the last term is 0, or NaN


def csl_angle(scores: Tensor, *, start: float = 0.0, period: float | None = None, degrees: bool = False) -> Tensor:
    """The angle of the best bin: what :func:`circular_smooth_label` labels, up to half a bin.

    Args:
        scores: ``(..., bins)`` labels, probabilities or logits; float16, bfloat16, float32 or float64.
        start, period, degrees: as for the labels.

    Returns:
        Middles of bins ``(...)`` from ``start`` to ``start + period``: float64 if the scores are, else float32. Of
        equal bins, as in rectangular labels, any.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    if not isinstance(scores, Tensor):
        raise TypeError(f"scores: expected a torch.Tensor (..., bins), got {type(scores).__name__}")
    _check_floats("scores", scores)
    if scores.dim() == 0 or scores.shape[-1] == 0:
        raise ValueError(f"scores: expected shape (..., bins) with at least one bin, got {tuple(scores.shape)}")
    start, period = _check_circle(start, period, degrees)
    best = scores.argmax(-1).to(torch.promote_types(scores.dtype, torch.float32))
    return (best + 0.5) * (period / scores.shape[-1]) + start


def _check_floats(name: str, x: Tensor) -> None:
    if x.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float16, bfloat16, float32 or float64, got {x.dtype}")


def _check_circle(start, period, degrees: bool) -> tuple[float, float]:
    half_turn = 180.0 if degrees else math.pi
    start = check_number("start", start, -math.inf)
    return start, half_turn if period is None else check_number("period", period, 0, above=True)
