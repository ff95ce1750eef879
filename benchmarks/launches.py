"""What a CUDA device is told to do by some work, as the profiler sees it."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable, Collection
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

Work = Callable[[], object]


@functools.cache
def can_count() -> bool:
    """Whether the profiler sees kernels here: it may lack the right or the library. Also warms it up."""
    if not torch.cuda.is_available():
        return False
    return [len(names_of(lambda: torch.ones(8, device="cuda").exp())) for _ in range(2)][-1] > 0


def count_kernels(work: Work) -> int | None:
    """Kernels that some work launches; None where they cannot be counted. Copies and fills of memory are none."""
    return len(names_of(work)) if can_count() else None


def names_of(work: Work, categories: Collection[str] = ("kernel",)) -> list[str]:
    """Names of what some work launches, of these categories of the profiler: others are no work of the device."""
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        work()
        torch.cuda.synchronize()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    return [event["name"] for event in events if event.get("cat") in categories]
