"""Errors of values and of gradients, pair by pair, and what a row says about them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def summary(values: np.ndarray, errors: np.ndarray) -> dict[str, Any]:
    """The columns of a row that hold numbers, of values and their absolute errors ``(n,)``; either may be NaN."""
    nan = np.isnan(values) | np.isnan(errors)
    finite = errors[np.isfinite(errors)]
    above = [round(float(np.mean(~(errors <= limit))), 9) for limit in (1e-3, 1e-1)]
    return {
        "pairs": len(values),
        "max_error": float(f"{finite.max():.4g}") if len(finite) else None,
        "p9999_error": float(f"{np.quantile(finite, 0.9999):.4g}") if len(finite) else None,
        "above_1e_3": above[0],
        "above_1e_1": above[1],
        "outside": float(np.mean((values < 0) | (values > 1))),
        "nan": float(np.mean(nan)),
        "exact": float(np.mean(errors == 0)),
    }


def gradient_errors(
    actual: tuple[Tensor, Tensor], expected: tuple[Tensor, Tensor], boxes: tuple[Tensor, Tensor], union: Tensor
) -> Tensor:
    """Largest error ``(n,)`` of the ten partial derivatives of an IoU, relative to the boxes' extent.

    Times the union they are derivatives of an area, by a length: at most about the larger diagonal. By an angle in
    radians: its square.
    """
    extent = torch.maximum(*(x[:, 2:4].norm(dim=-1) for x in boxes))
    worst = torch.zeros_like(union)
    for one, other in zip(actual, expected, strict=True):
        error = (one.double() - other).abs() * union[:, None] / extent[:, None]
        error[:, 4] = error[:, 4] / extent
        worst = torch.fmax(worst, error.amax(-1))
    return worst
