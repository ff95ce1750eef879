"""The rows of a CSV of errors on rotated boxes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """The errors of one provider on one group of pairs, in float32.

    Errors are those of the finite values; shares are of all pairs, and a NaN is above every error.
    """

    device: str
    device_name: str
    torch: str
    task: str  # value, gradient or gaussian
    kind: str
    group: str
    provider: str
    version: str  # of the provider's package
    pairs: int
    max_error: float | None  # None if nothing is finite
    p9999_error: float | None  # that 99.99 % of the finite values do not exceed
    above_1e_3: float  # share of pairs
    above_1e_1: float
    outside: float  # share of pairs whose value is not in [0, 1]
    nan: float  # share of pairs
    exact: float  # share of pairs without any error
    date: str
