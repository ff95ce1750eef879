"""The rows of a CSV of rotated boxes."""

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
    kind: str  # empty for NMS
    enclosing: str  # empty where nothing encloses the boxes
    dtype: str
    n: int
    m: int | None  # the second set has that many boxes; losses and NMS have none
    mode: str
    samples: int
    p20_us: float | None
    p50_us: float | None
    p80_us: float | None
    page_faults: float | None  # per call, on the CPU
    kernels: int | None  # launches of a call, on CUDA
    peak_bytes: int | None  # beyond the inputs, the result included
    date: str
    note: str
