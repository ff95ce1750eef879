"""Runs a process for so long at most, with its output in a file, and leaves none of its children behind."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

GRACE = 2.0  # seconds, within the limit, from the signal that a process may answer to the one that it cannot
_POLL = 0.05  # seconds


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        code: its exit code; if a signal ended it, minus the signal.
        seconds: how long it ran.
        cut_off: whether the limit ended it.
        last_line: the last line that it wrote by itself.
    """

    code: int
    seconds: float
    cut_off: bool
    last_line: str


@contextmanager
def signals():
    """A list of the signals that ask this process to end: they are noted, and `run` ends its process.

    A terminal that goes away is none of them. Processes that fault leave no core files.
    """
    caught: list[int] = []
    handlers = {s: lambda number, _: caught.append(number) for s in (signal.SIGTERM, signal.SIGINT)}
    handlers[signal.SIGHUP] = signal.SIG_IGN
    before = {s: signal.signal(s, handler) for s, handler in handlers.items()}
    cores = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, cores[1]))
    try:
        yield caught
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, cores)
        for s, handler in before.items():
            signal.signal(s, handler)


def run(
    command: list[str], limit: float, log: Path, folder: Path, environment: dict[str, str], caught: list[int]
) -> Ended:
    """Runs a command in a folder, its output at the end of a file, until it ends, its time is up, or a signal came.

    The signal that it gets then is SIGABRT: Python answers with what every thread is doing.
    """
    start = time.monotonic()
    with open(log, "ab", buffering=0) as sink:
        echo = _Echo(log, sink.tell())
        streams = {"stdin": subprocess.DEVNULL, "stdout": sink, "stderr": sink}
        process = subprocess.Popen(command, **streams, cwd=folder, env=environment, start_new_session=True)
    own_words = ""
    try:
        while not _has_ended(process) and time.monotonic() - start < limit - GRACE and not caught:
            echo.copy()
            time.sleep(_POLL)
        cut_off = not _has_ended(process)
        own_words = echo.copy()
        if cut_off:
            _signal_group(process, signal.SIGABRT)
            end = time.monotonic() + GRACE
            while not _has_ended(process) and time.monotonic() < end:
                time.sleep(_POLL)
    finally:
        _signal_group(process, signal.SIGKILL)  # whatever it has started, too
        with suppress(subprocess.TimeoutExpired):  # a process inside of a driver may not die
            process.wait(timeout=GRACE)
        echo.copy()
    code = -signal.SIGKILL if process.returncode is None else process.returncode
    return Ended(code, time.monotonic() - start, cut_off and not caught, own_words)


def _has_ended(process: subprocess.Popen) -> bool:
    """Whether it has, without collecting it: until then its number, and that of its group, is not given away."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(process: subprocess.Popen, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


class _Echo:
    """Copies what is added to a file to this process's output, as far as that still takes it."""

    def __init__(self, path: Path, position: int) -> None:
        self._path, self._position, self._last = path, position, b""

    def copy(self) -> str:
        """Copies what is new; the last line so far that is not empty."""
        with open(self._path, "rb") as file:
            file.seek(self._position)
            new = file.read()
        self._position += len(new)
        lines = (self._last + new).splitlines(keepends=True)
        self._last = next((line for line in reversed(lines) if line.strip()), b"")[-2000:]
        with suppress(OSError, ValueError):
            sys.stdout.buffer.write(new)
            sys.stdout.buffer.flush()
        return self._last.decode(errors="replace").strip()
