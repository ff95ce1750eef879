"""The goals of the GPU kernels: which rows of times.csv each is about, which figure of them, and where it has to be."""

from __future__ import annotations

import math
from fnmatch import fnmatchcase
from typing import NamedTuple

from ..formatting import markdown_table


class Goal(NamedTuple):
    """A bound on a figure of all rows whose names match.

    Attributes:
        text: what is to be reached.
        rows: the pattern of the names; there may be several, separated by "|".
        figure: the column.
        least, most: its bounds, of which one is infinite.
    """

    text: str
    rows: str
    figure: str
    least: float = -math.inf
    most: float = math.inf

    def is_about(self, name: str) -> bool:
        """Whether a row of this name has to reach the goal."""
        return any(fnmatchcase(name, pattern) for pattern in self.rows.split("|"))

    def reached(self, value: float) -> bool:
        """Whether a figure is within the bounds; NaN is not."""
        return self.least <= value <= self.most

    def show(self, value: float) -> str:
        """A figure in the unit of the goal."""
        return _UNITS[self.figure](value)

    @property
    def bound(self) -> str:
        """The bound in words."""
        return f"at least {self.show(self.least)}" if math.isfinite(self.least) else f"at most {self.show(self.most)}"


#: How the columns of figures are written.
_UNITS = {
    "launches": lambda x: f"{x:g}",
    "share": lambda x: f"{100 * x:.1f} %",
    "us": lambda x: f"{x:,.1f} µs",
    "ratio": lambda x: f"{x:.2f}x",
}

GOALS = (
    Goal("a reduced loss: launches", "launches * mean * forward|launches * mean * partials", "launches", most=1),
    Goal("its backward pass: launches", "launches * mean * backward", "launches", most=1),
    Goal("1.6e7 pairs, forward: of the measured copy", "loss * 1.6e7 forward", "share", least=0.90),
    Goal("1.6e7 pairs, forward with partials: of the measured copy", "loss * 1.6e7 partials", "share", least=0.90),
    Goal("pairwise IoU, 20,000 x 5,000: of the measured write", "pairwise iou 20000x5000", "share", least=0.85),
    Goal("max_iou, 200,000 x 500: of the time of writing that matrix", "max_iou 200000x500 *", "ratio", most=1.0),
    Goal("NMS of 20,000 boxes", "nms 20000", "us", most=1000.0),
    Goal("NMS of 100,000 boxes", "nms 100000", "us", most=10_000.0),
    Goal("1e3 pairs, a whole step: times as fast as torchvision", "torchvision ciou * 1e3 step", "ratio", least=30.0),
    Goal("iou_loss without gradient, on the host: of the bare operator", "host: iou_loss mean", "ratio", most=1.35),
    Goal("a step of 128 pairs, on the host: of a bare node's", "host: a step of iou_loss mean, 128", "ratio", most=1.4),
)


def markdown() -> str:
    """The goals as the table of docs/gpu.md."""
    return markdown_table(["Goal", "Bound"], [[goal.text, goal.bound] for goal in GOALS])


class Finding(NamedTuple):
    """A goal, and a figure measured for it in the row of this name."""

    goal: Goal
    name: str
    value: float

    @property
    def reached(self) -> bool:
        """Whether this figure reaches the goal."""
        return self.goal.reached(self.value)


def judge(row: dict[str, str]) -> list[Finding]:
    """What a row of times.csv says about goals; an empty or broken figure says nothing."""
    found = []
    for goal in GOALS:
        if goal.is_about(row.get("name", "")):
            try:
                found.append(Finding(goal, row["name"], float(row.get(goal.figure) or "")))
            except ValueError:
                continue
    return found
