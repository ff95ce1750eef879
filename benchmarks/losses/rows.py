"""The rows of a CSV of the losses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One measurement of one provider on one case, in one mode: see `measured` in ../rows.py."""

    device: str
    device_name: str
    threads: int  # of torch on the CPU
    torch: str
    provider: str
    version: str  # of the provider's package
    boxes: str
    kind: str
    reduction: str
    dtype: str
    n: int
    mode: str
    samples: int
    p20_us: float | None
    p50_us: float | None
    p80_us: float | None
    bytes: int  # that a fused loss has to move
    gb_per_s: float | None  # those bytes over the median time
    page_faults: float | None  # per call, on the CPU
    kernels_forward: int | None  # launches, on CUDA
    kernels_backward: int | None
    peak_bytes: int | None  # beyond the inputs, of a forward and a backward pass, on CUDA
    date: str
    note: str
