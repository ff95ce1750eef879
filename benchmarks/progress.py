"""One line on stderr that says how far the benchmark is."""

from __future__ import annotations

import sys
import time


class Progress:
    """Counts steps out of a known number of them. On a terminal the line is rewritten, elsewhere it is repeated."""

    def __init__(self, total: int):
        self._total = total
        self._done = 0
        self._start = time.monotonic()
        self._width = 0

    def step(self, text: str) -> None:
        """Announces the next step."""
        elapsed = time.monotonic() - self._start
        eta = f", about {_duration(elapsed / self._done * (self._total - self._done))} left" if self._done else ""
        self._done += 1
        line = f"[{self._done}/{self._total}] {text} ({_duration(elapsed)}{eta})"
        if sys.stderr.isatty():
            sys.stderr.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()

    def finish(self) -> None:
        """Ends the line."""
        if sys.stderr.isatty():
            sys.stderr.write("\n")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"
