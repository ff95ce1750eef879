"""Times several providers in turns, so that a machine that slows down slows all of them."""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Callable

from .clocks import Clock, page_faults
from .steps import Steps

ROUNDS = 10
MIN_SAMPLES = 3
SLOW = 5.0  # seconds
_PATH = re.compile(r"(?<!\w)/[^\s'\"]+")  # of no use to readers on another machine
MAX_PREPARED_PAIRS = 2**26  # pairs whose graphs a sample of backward passes may hold at once


def prepare(steps: Steps, mode: str, calls: int) -> Callable[[], None]:
    """Work that makes `calls` calls. Graphs of backward passes are recorded here, outside of the work."""
    forward, backward = steps

    def only_forward() -> None:
        for _ in range(calls):
            forward()

    def full() -> None:
        for _ in range(calls):
            backward(forward())

    if mode == "forward":
        return only_forward
    if mode == "full":
        return full
    graphs = [forward() for _ in range(calls)]

    def only_backward() -> None:
        while graphs:
            backward(graphs.pop())

    return only_backward


class Series:
    """The samples of one provider in one mode: seconds per call."""

    def __init__(self, steps: Steps, mode: str, clock: Clock, n: int, slow: float):
        self.samples: list[float] = []
        self.faults = 0.0  # page faults per call, in the last sample
        self.error = ""
        self._slow = False
        self._too_slow = slow
        self._steps, self._mode, self._clock = steps, mode, clock
        self._calls = 1
        self._spent = 0.0
        self._try(self._warm_up)
        self._spent = 0.0  # compiling is not what the budget is for
        if not self.error:
            enough = math.ceil(clock.shortest / max(min(self.samples), 1e-9))
            self._calls = max(1, min(enough, MAX_PREPARED_PAIRS // n))
            self._slow = self.samples[-1] > self._too_slow
            self.samples = self.samples[-1:] if self._slow else []

    def take(self, seconds: float, budget: float) -> None:
        """Samples for some seconds, at least one, unless the budget is used up and there are enough."""
        end = self._spent + seconds
        while not self.error and not self._slow:
            if self._spent >= budget and len(self.samples) >= MIN_SAMPLES:
                return
            self._try(self._sample)
            if self._spent >= end:
                return

    def note(self) -> str:
        """What a reader of these numbers should know."""
        if self.error:
            return self.error
        if self._slow:
            return f"slower than {self._too_slow:g} s: one sample"
        return "" if len(self.samples) > MIN_SAMPLES else f"{len(self.samples)} samples"

    def _warm_up(self) -> None:
        """A few calls: the first ones compile, load and allocate."""
        for _ in range(3):
            self._sample()
            if self.samples[-1] > self._too_slow:
                self._sample()
                return

    def _sample(self) -> None:
        work = prepare(self._steps, self._mode, self._calls)
        faults = page_faults()
        seconds = self._clock.seconds(work)
        self.faults = (page_faults() - faults) / self._calls
        self._spent += seconds
        self.samples.append(seconds / self._calls)

    def _try(self, action: Callable[[], None]) -> None:
        """A provider that fails (no memory, no compiler) gets a note; the others go on."""
        try:
            action()
        except Exception as error:
            self.error = _PATH.sub("...", f"{type(error).__name__}: {error}".split("\n")[0])[:160]
            self.samples.clear()


def measure(
    steps: dict[str, Steps], mode: str, clock: Clock, n: int, seconds: float, slow: float = SLOW
) -> dict[str, Series]:
    """Times every provider for about `seconds`, in rounds A B C A B C; a call that takes longer than `slow`, once."""
    series = {name: Series(own, mode, clock, n, slow) for name, own in steps.items()}
    gc.collect()
    gc.disable()
    try:
        for _ in range(ROUNDS):
            for one in series.values():
                one.take(seconds / ROUNDS, seconds)
    finally:
        gc.enable()
    return series
