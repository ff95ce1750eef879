"""Clocks: how long a piece of work takes on the CPU or on a CUDA device."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Clock:
    """How to time work, and how long it should last to be timed well."""

    seconds: Callable[[Callable[[], None]], float]
    shortest: float


def _cpu_seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _cuda_seconds(work: Callable[[], None]) -> float:
    """Time between two events around the work, on a device that is idle before: launches count where they are slow."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    work()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3


# A CUDA sample is longer: the launch of its first kernel is in it.
CLOCKS = {"cpu": Clock(_cpu_seconds, 0.5e-3), "cuda": Clock(_cuda_seconds, 2e-3)}


def page_faults() -> int:
    """Pages that the operating system has handed to this process so far: fresh memory costs time on the CPU."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
