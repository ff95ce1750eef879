"""What only a CUDA device tells: launched kernels and peak memory."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from .case import Steps


def count_kernels(steps: Steps) -> tuple[int, int]:
    """Kernels launched by one forward and one backward pass. Copies and fills of memory are not kernels."""
    for _ in range(2):  # the first profile of a process may miss events
        value = steps.forward()
        forward = _kernels(steps.forward)
        backward = _kernels(lambda value=value: steps.backward(value))
    return forward, backward


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
