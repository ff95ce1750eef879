"""A pytest plugin: the tests that need a GPU, or a part of them, each noted in tests.csv as soon as it is done.

    pytest -p fastiou.benchmarks.gpu.selection --gpu-part 2/12 [--gpu-large] [--gpu-since LINE] [--gpu-current FILE]

It runs without pytest's own report: what fails is printed at once.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from . import context
from .table import Table, read

FILE = "tests.csv"
COLUMNS = ("test", "outcome", "seconds", "note")
LOST = 70  # the exit code of a process in which no call on the GPU works any more
DONE = ("passed", "skipped")
_own_output = os.dup(2)  # before pytest captures it


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("GPU check")
    group.addoption("--gpu-part", default="0/1", help="which part of how many: 2/12")
    group.addoption("--gpu-large", action="store_true", help="the tests that need much memory, in place of the others")
    group.addoption("--gpu-since", type=int, default=0, help="the lines of tests.csv that are from before this stage")
    group.addoption("--gpu-current", type=Path, help="the file that holds the name of the test that runs")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Part(config), "the tests of a GPU check")


def needs_a_gpu(item: pytest.Item) -> bool:
    """Whether a test is skipped where there is no CUDA device, for that reason."""
    return any("CUDA device" in mark.kwargs.get("reason", "") for mark in item.iter_markers("skipif"))


class _Part:
    """Selects the tests of this process and notes what becomes of them."""

    def __init__(self, config: pytest.Config) -> None:
        self._here = context.read()
        self._part, self._parts = map(int, config.getoption("--gpu-part").split("/"))
        self._large, self._current = config.getoption("--gpu-large"), config.getoption("--gpu-current")
        self._since = config.getoption("--gpu-since")
        self._table = Table(self._here.out / FILE, COLUMNS)
        self._reports: list[pytest.TestReport] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        done = self._done()
        large = {item for item in items if item.get_closest_marker("large")}
        mine = [item for item in items if needs_a_gpu(item) and (item in large) == self._large]
        mine.sort(key=lambda item: "compile" in item.name)  # these take longest
        mine = [item for item in mine[self._part :: self._parts] if item.nodeid not in done]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(mine)])
        items[:] = mine

    def _done(self) -> set[str]:
        """Tests that passed before this stage, and all that it has run: one that faults would only fault again."""
        rows = read(self._here.out / FILE)
        before = {row["test"] for row in rows[: self._since] if row["outcome"] in DONE}
        return before | {row["test"] for row in rows[self._since :]}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        reports = self._part == 0 and not self._large  # one of the processes that find it
        if report.failed and reports and report.nodeid not in self._done():
            self._note(report.nodeid, "error", 0.0, report)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._current:
            self._current.write_text(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        reports, self._reports = self._reports, []
        bad = next((r for r in reports if r.failed), None)
        outcome = "passed" if not any(r.skipped for r in reports) else "skipped"
        if bad:
            outcome = "failed" if bad.when == "call" else "error"
        self._note(nodeid, outcome, sum(r.duration for r in reports), bad)
        if bad and context.is_lost(self._here.device):
            pytest.exit("the GPU has faulted", returncode=LOST)

    def _note(self, nodeid: str, outcome: str, seconds: float, report) -> None:
        text = str(report.longrepr) if report else ""
        why = next((line for line in text.splitlines() if line.startswith("E ")), text[-200:])
        self._table.add([nodeid, outcome, f"{seconds:.2f}", " ".join(why.split())[:300]])
        if report:
            os.write(_own_output, f"-- {outcome}: {nodeid}\n{text[-4000:]}\n".encode(errors="replace"))
