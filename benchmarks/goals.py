"""Goals, what was measured for them, and whether that reaches them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from .formatting import markdown_table, number


class Finding(NamedTuple):
    """A goal and the numbers that were measured for it, by what sets them apart; None where one was not measured."""

    device: str
    goal: str
    found: dict[str, float | None]
    reached: Callable[[float], bool]
    show: Callable[[float], str] = number

    def verdict(self) -> str:
        """Yes, no, in part, or not measured."""
        reached = [self.reached(x) for x in self.found.values() if x is not None]
        if not reached:
            return "not measured"
        if all(reached):
            return "yes"
        return "in part" if any(reached) else "**no**"

    def measured(self) -> str:
        """The numbers, each with what sets it apart."""
        texts = {name: "not measured" if x is None else self.show(x) for name, x in self.found.items()}
        return ", ".join(f"{text} ({name})" if name else text for name, text in texts.items())


def goals_table(findings: list[Finding], goal: str, measured: str) -> str:
    """A table, under these headings; empty without findings."""
    lines = [[one.device.upper(), one.goal, one.measured(), one.verdict()] for one in findings if one.found]
    return markdown_table(["", goal, measured, "Reached"], lines) if lines else ""
