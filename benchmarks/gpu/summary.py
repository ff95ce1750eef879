"""The results of a run on one page: what passed, each figure beside its goal, and what fell short."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ..formatting import markdown_table
from . import outcome, table
from .goals import GOALS, Finding, Goal, judge
from .stages import STAGES

FILE = "summary.md"
#: What the stages write, besides the log.
FILES = (FILE, outcome.FILE, "device.json", "smoke.csv", "times.csv", "tests.csv", "counters.csv")
_MOST = 12  # lines of a list


def write(out: Path) -> None:
    """Writes the page into the folder, whole or not at all."""
    new = out / f".{FILE}"
    new.write_text(page(out), encoding="utf-8")
    os.replace(new, out / FILE)


def page(out: Path) -> str:
    """The page, from whatever files are there."""
    parts = [f"# GPU check\n\n{_device(out)}\n", _stages(out), _goals(out), _troubles(out)]
    return "\n".join(filter(None, parts))


def _device(out: Path) -> str:
    """The card and what drives it, in a sentence."""
    try:
        facts = json.loads((out / "device.json").read_text())
        text = f"{facts['name']}, driver {facts['driver']}, torch {facts['torch']}, Python {facts['python']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "The device is not known."
    if facts.get("device") == "cpu":
        text += ".\n\n**A rehearsal of the scripts, in small: no figure below means anything.**"
    return text


def _stages(out: Path) -> str:
    """What became of every stage: the last time, if one ran twice."""
    last = {row["stage"]: row for row in table.read(out / outcome.FILE)}
    lines = []
    for stage in STAGES:
        row = last.pop(stage.name, None)
        lines.append(_stage(row) if row else [stage.name, "not run", "", ""])
    lines += [_stage(row) for row in last.values()]
    return markdown_table(["Stage", "Verdict", "Seconds", "Its last line"], lines)


def _stage(row: dict[str, str]) -> list[str]:
    note = row["note"].replace("|", "/")
    verdict = f"**{row['verdict']}**" if row["fails"] == "yes" else row["verdict"]
    return [row["stage"], verdict, f"{row['seconds']} of {row['limit']}", note[:110]]


def _goals(out: Path) -> str:
    """A line for every goal: the figure that is furthest from it, or nearest to missing it."""
    found = [finding for row in table.read(out / "times.csv") for finding in judge(row)]
    lines = []
    for goal in GOALS:
        mine = [finding for finding in found if finding.goal is goal]
        lines.append([goal.text, goal.bound, *_verdict(goal, mine)])
    short = [f for f in found if not f.reached]
    missed = "\n".join(f"- {f.name}: {f.goal.show(f.value)}, the goal is {f.goal.bound}" for f in short[:_MOST])
    more = f"\n- and {len(short) - _MOST} more in times.csv" if len(short) > _MOST else ""
    heading = f"\nWhat fell short:\n\n{missed}{more}\n" if short else ""
    return markdown_table(["Goal", "Bound", "Measured, the worst", "Reached"], lines) + heading


def _verdict(goal: Goal, findings: list[Finding]) -> list[str]:
    if not findings:
        return ["not measured", "–"]
    worst = (min if goal.least > -float("inf") else max)(findings, key=lambda f: f.value)
    reached = [f.reached for f in findings]
    word = "yes" if all(reached) else "**no**" if not any(reached) else f"in {sum(reached)} of {len(reached)}"
    return [f"{goal.show(worst.value)} ({worst.name})", word]


def _troubles(out: Path) -> str:
    """What did not pass in detail: cases of smoke, tests."""
    smoke = [
        f"smoke {r['case']}: {r['note'] or r['worst']}" for r in table.read(out / "smoke.csv") if r["verdict"] != "ok"
    ]
    bad = ("failed", "error", "crashed")
    tests = [
        f"{r['test']}: {r['note']}"
        for r in table.latest(table.read(out / "tests.csv"), "test").values()
        if r["outcome"] in bad
    ]
    lines = [line.replace("\n", " ")[:160] for line in smoke[:_MOST] + tests[:_MOST]]
    hidden = len(smoke) + len(tests) - len(lines)
    lines += [f"and {hidden} more in smoke.csv and tests.csv"] * (hidden > 0)
    return "What did not pass:\n\n" + "\n".join(f"- {line}" for line in lines) + "\n" if lines else ""
