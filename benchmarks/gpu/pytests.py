"""Stages "tests" and "large": the tests that need a GPU, none of which stops another.

    python -m fastiou.benchmarks.gpu.pytests most|large

Every test is a line of tests.csv as soon as it is done. Where that file holds tests that passed, and only chosen stages
run, they are left out: `make gpu STAGES=tests` goes on where a run was cut off.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from . import context
from .selection import COLUMNS, FILE, LOST
from .table import Table, read

_ENDED = (0, 1, 5)  # pytest's exit codes: all passed, some failed, there was nothing to do
_RESTARTS = 6  # after processes that crash, or lose the GPU


def main(which: str) -> int:
    """Runs the tests until the time is up; 1 if one failed or some are left."""
    here = context.read()
    table = Table(here.out / FILE, COLUMNS)
    if which == "most" and not here.again:
        table.start()
    since = len(read(here.out / FILE))
    parts = 1 if which == "large" else max(1, min(12, (os.cpu_count() or 1) - 2))
    with tempfile.TemporaryDirectory() as folder:
        processes = [_Process(here, which, f"{part}/{parts}", since, Path(folder) / str(part)) for part in range(parts)]
        while any(process.goes_on(table) for process in processes) and here.left() > 0:
            time.sleep(0.05)
        cut_off = [process for process in processes if process.stop()]
    return _conclude(read(here.out / FILE)[since:], here.device, which, len(cut_off), parts)


class _Process:
    """A process that runs a part of the tests, and the next one if it crashes."""

    def __init__(self, here: context.Context, which: str, part: str, since: int, current: Path) -> None:
        self._current = current
        own = ["--gpu-part", part, "--gpu-since", str(since), "--gpu-current", str(current)]
        own += ["--gpu-large"] * (which == "large")
        quiet = ["-p", "no:cacheprovider", "-o", "addopts=--strict-markers", "-q"]
        plugin = ["-p", f"{__package__}.selection", "--continue-on-collection-errors"]
        tests = ["--rootdir", str(here.root), "-c", str(here.root / "pyproject.toml"), *files(here.root, here.tiny)]
        self._command = [sys.executable, "-m", "pytest", *quiet, *plugin, *own, *tests]
        self._restarts = 0
        self._start()

    def _start(self) -> None:
        environment = {
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }  # others' plugins take time, and are unknown
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
        self._process = subprocess.Popen(self._command, **streams, env=environment)

    def goes_on(self, table: Table) -> bool:
        """Whether it runs; a crashed one is noted, and started again with the tests that are left."""
        code = self._process.poll()
        if code is None:
            return True
        if code in _ENDED or self._restarts >= _RESTARTS:
            return False
        if code != LOST and self._current.exists():
            table.add([self._current.read_text(), "crashed", "", f"the process ended with {code}"])
        print(f"a process of the tests ended with {code}: starting another", flush=True)
        self._restarts += 1
        self._start()
        return True

    def stop(self) -> bool:
        """Ends it; whether it had to be ended, or has not done all."""
        ended = self._process.poll()
        if ended is None:
            self._process.kill()
            self._process.wait()
        return ended not in _ENDED


def files(root: Path, tiny: bool) -> list[str]:
    """Test files that may hold tests of a GPU; few in a rehearsal."""
    paths = sorted((root / "tests").rglob("test_*.py"), key=lambda path: (not path.name.startswith("test_cuda"), path))
    if tiny:
        return [str(path) for path in paths if path.name.startswith("test_cuda")]
    return [str(path) for path in paths if re.search(r"\bDEVICES\b|CUDA device", path.read_text())]


def _conclude(rows: list[dict[str, str]], device: str, which: str, cut_off: int, parts: int) -> int:
    """Says how the tests went; 1 if not all did, or if they were all skipped on a GPU."""
    counts = Counter(row["outcome"] for row in rows)
    print(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no tests", end="")
    stage = "large" if which == "large" else "tests"
    print(f"; {cut_off} of {parts} processes were cut off: the rest by STAGES={stage}" if cut_off else "")
    none_ran = device == "cuda" and rows and not counts["passed"]
    return int(bool(cut_off or none_ran or {"failed", "error", "crashed"} & counts.keys()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
