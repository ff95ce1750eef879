"""What became of a stage: a line of stages.csv."""

from __future__ import annotations

from typing import NamedTuple

from . import table
from .process import Ended
from .stages import SKIPPED, Stage

FILE = "stages.csv"


class Outcome(NamedTuple):
    """A stage and what became of it.

    Attributes:
        stage: its name.
        verdict: "ok", "failed", "findings" (that are only reported), "skipped", "cut off" (by its limit), "interrupted"
            (with the whole run), "signal N" or "not started".
        code: the exit code; minus the signal, if one ended it.
        seconds, limit: how long it ran, and might have run.
        note: its last line.
        fails: whether this fails the check.
    """

    stage: str
    verdict: str
    code: int
    seconds: float
    limit: float
    note: str
    fails: bool

    @classmethod
    def of(cls, stage: Stage, ended: Ended, limit: float, interrupted: bool) -> Outcome:
        """What an ended process means for its stage."""
        verdict = "interrupted" if interrupted else _verdict(stage, ended)
        fails = verdict not in ("ok", "skipped") and not stage.informs
        return cls(stage.name, verdict, ended.code, ended.seconds, limit, ended.last_line, fails)

    def row(self) -> list[str]:
        """The cells of its line."""
        seconds = [f"{x:.1f}" for x in (self.seconds, self.limit)]
        return [self.stage, self.verdict, str(self.code), *seconds, self.note[:300], "yes" if self.fails else "no"]


def table_in(folder) -> table.Table:
    """The file, to be added to."""
    return table.Table(folder / FILE, Outcome._fields)


def _verdict(stage: Stage, ended: Ended) -> str:
    if ended.cut_off:
        return "cut off"
    if ended.code < 0:
        return f"signal {-ended.code}"
    known = {0: "ok", SKIPPED: "skipped"}
    return known.get(ended.code, "findings" if stage.informs else "failed")
