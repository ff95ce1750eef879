"""What only a CUDA device tells: launched kernels."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile


@functools.cache
def can_count() -> bool:
    """Whether the profiler sees kernels here: it may lack the right or the library. Also warms it up."""
    return [_kernels(lambda: torch.ones(8, device="cuda").exp()) for _ in range(2)][-1] > 0


def count_kernels(work: Callable[[], object]) -> int | None:
    """Kernels that some work launches; None where they cannot be counted. Copies and fills of memory are none."""
    return _kernels(work) if can_count() else None


def _kernels(work: Callable[[], object]) -> int:
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        work()
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    return sum(event.get("cat") == "kernel" for event in events)
