"""How long calls take on the device, and how long the host takes to make them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

Call = Callable[[], object]

_BATCH = 2e-3  # seconds of calls between two looks at the clock
_MOST_CALLS = 50  # of a batch: what waits for the device has to fit into the queue of launches
_LEAST_SAMPLES = 5
_CYCLES = 2e9  # per second, about: how long the device is kept waiting


class Sample(NamedTuple):
    """Microseconds of a call: the median and the minimum of so many batches of calls."""

    median: float
    minimum: float
    count: int


class Stopwatch:
    """Times calls on a device, each for about so many seconds."""

    def __init__(self, device: str, seconds: float) -> None:
        self._device, self._seconds = device, seconds

    def time(self, calls: Sequence[Call], waits: bool = False) -> Sample:
        """Times one call; ``calls`` are the same on different data, which caches cannot hold, and take turns.

        The device is kept waiting until a batch of calls is queued, so that its time is not the host's. Not so if the
        calls wait for the device themselves, or if ``waits`` asks for what a program would see.
        """
        for call in calls:
            call()
        self.wait()
        host, total = self._first(calls[0])
        batch = max(1, min(_MOST_CALLS, int(_BATCH / total)))
        queue = 0.0 if waits or self._device == "cpu" else 1.5 * host * batch + 1e-5
        found: list[float] = []
        end = time.perf_counter() + self._seconds
        while len(found) < _LEAST_SAMPLES or time.perf_counter() < end:
            found.append(self._batch(calls, len(found) * batch, batch, queue) / batch * 1e6)
            if sum(found) * batch > 2e6 and len(found) >= 3:  # two seconds are enough for what is slow
                break
        return Sample(statistics.median(found), min(found), len(found))

    def host(self, call: Call, count: int = 300) -> Sample:
        """Times what the host takes to make a call, without waiting for what it has launched."""
        for _ in range(count // 10):
            call()
        found = []
        for _ in range(7):
            self.wait()
            start = time.perf_counter()
            for _ in range(count):
                call()
            found.append((time.perf_counter() - start) / count * 1e6)
        self.wait()
        return Sample(statistics.median(found), min(found), len(found))

    def wait(self) -> None:
        """Waits until the device has nothing to do."""
        if self._device == "cuda":
            torch.cuda.synchronize()

    def _first(self, call: Call) -> tuple[float, float]:
        """Seconds that the host takes to make a call, and until it is done."""
        start = time.perf_counter()
        call()
        host = time.perf_counter() - start
        self.wait()
        return host, max(time.perf_counter() - start, 1e-7)

    def _batch(self, calls: Sequence[Call], first: int, count: int, queue: float) -> float:
        """Seconds that some calls take, on a device that is idle before, or waits for so many seconds."""
        turns = [calls[(first + i) % len(calls)] for i in range(count)]
        if self._device == "cpu":
            start = time.perf_counter()
            for call in turns:
                call()
            return time.perf_counter() - start
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        if queue:
            torch.cuda._sleep(int(min(queue, 0.1) * _CYCLES))
        begin.record()
        for call in turns:
            call()
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1e3
