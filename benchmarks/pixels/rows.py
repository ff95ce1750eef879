"""The rows of a CSV of PIoU."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement of one provider on one case: see `measured` in ../rows.py."""

    device: str
    device_name: str
    threads: int  # of torch on the CPU
    torch: str
    provider: str
    version: str  # of the provider's package
    task: str
    union: str
    sides: str  # in pixels
    dtype: str
    n: int
    m: int | None  # the second set has that many boxes; losses have none
    mode: str
    samples: int
    p20_us: float | None
    p50_us: float | None
    p80_us: float | None
    page_faults: float | None  # per call, on the CPU
    kernels: int | None  # launches of a call, on CUDA
    peak_bytes: int | None  # beyond the inputs, the result included
    pixels_official: float | None  # soft pixels per pair of rotated boxes, in four ways: see counts.py
    pixels_grid: float | None
    pixels_clipped: float | None
    pixels_edge: float | None
    date: str
    note: str
