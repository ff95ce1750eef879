"""What only a CUDA device tells: launched kernels and peak memory."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from .case import Steps


@functools.cache
def can_count() -> bool:
    """Whether the profiler sees kernels here: it may lack the right or the library. Also warms it up."""
    return [_kernels(lambda: torch.ones(8, device="cuda").exp()) for _ in range(2)][-1] > 0


def count_kernels(steps: Steps) -> tuple[int | None, int | None]:
    """Kernels launched by one forward and one backward pass. Copies and fills of memory are not kernels."""
    if not can_count():
        return None, None
    value = steps.forward()
    return _kernels(steps.forward), _kernels(lambda: steps.backward(value))


def peak_bytes(steps: Steps) -> int:
    """Memory that one forward and backward pass needs beyond its inputs."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    steps.backward(steps.forward())
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


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
