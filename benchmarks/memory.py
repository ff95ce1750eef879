"""Peak memory of one call: what it needs beyond its inputs, its result included."""

from __future__ import annotations

import ctypes
import gc
import multiprocessing
import os
import re
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch

_PROC = Path("/proc/self")
_PRELOADED = ("torchvision.ops", "ultralytics.utils.nms", "fastiou.benchmarks.suites")  # as far as they are installed


def cuda_peak(call: Callable[[], object]) -> int:
    """Peak of torch's allocator during a call, beyond what was allocated before."""
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def cpu_peak(prepare: Callable[..., Callable[[], object]], *arguments) -> int | None:
    """Growth of the resident memory, at its peak, while ``prepare(*arguments)()`` runs.

    The call runs in a fresh process: what earlier calls have freed but not returned to the system, or keep for later,
    would hide what this one needs. The process is forked from one that has only imported packages, which saves the
    seconds that this takes. ``prepare``, a function of a module, makes the inputs and warms up.

    None where `growth_of` is, and where the process did not survive.
    """
    if sys.platform != "linux":
        return None
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_PRELOADED))
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report_growth, args=(sender, torch.get_num_threads(), prepare, arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        return None
    finally:
        process.join()


def growth_of(call: Callable[[], object]) -> int | None:
    """Peak resident memory of this process during a call minus that before it, to about 1 MB: Linux counts per core.

    None where Linux and its C library do not help us to count.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is None:
        return None
    gc.collect()
    trim(0)  # pages that are free already have to count when they are used again
    try:
        (_PROC / "clear_refs").write_text("5")  # forgets the peak: man 5 proc
    except OSError:
        return None
    before = _status("VmRSS")
    result = call()
    peak = _status("VmHWM")
    del result
    return max(0, peak - before)


def _report_growth(sender: Connection, threads: int, prepare: Callable, arguments: tuple) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())  # the timing has said what there is to say
    torch.set_num_threads(threads)
    try:
        call = prepare(*arguments)
        torch.set_num_threads(threads)  # some packages set it when they are imported
        growth = growth_of(call)
    except Exception:
        growth = None
    sender.send(growth)


def _status(name: str) -> int:
    """A number of /proc/self/status, in bytes."""
    found = re.search(rf"^{name}:\s*(\d+) kB$", (_PROC / "status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024
