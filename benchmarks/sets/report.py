"""Sets of boxes on a page: a table and a picture, and more tables folded up."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..suite import folded
from .results import Results
from .rows import Row
from .tables import front_doors, memory_table, speed_table, time_table
from .targets import targets_table

LEGEND = """Median times. Peers: how many times as long as fastiou they take. Over writing: how many times as long
fastiou takes as writing one number into a matrix of the same size. Memory: what a call needs at its peak beyond its
inputs, its result included.
"""


def goals(rows: Iterable[Row]) -> str:
    """What was to be reached, and what was."""
    return targets_table(Results(rows))


def section(rows: dict[Path, list[Row]], folder: Path) -> str:
    """What a page in this folder shows beside the goals."""
    parts = [LEGEND]
    for path, own in rows.items():
        results = Results(own)
        doors = front_doors(results)
        parts.append(f"**One call**: {results.title()}\n\n{speed_table(results, doors[0])}")
        if _picture(path).exists():
            link = Path(os.path.relpath(_picture(path), folder)).as_posix()
            parts.append(f"![Speed-up and memory, task by task]({link})\n")
        others = [speed_table(results, cases) for cases in doors[1:]]
        others += [f"**Times**\n\n{time_table(results, cases)}" for cases in doors]
        others += [f"**Peak memory beyond the inputs**\n\n{memory_table(results, cases)}" for cases in doors]
        parts.append(folded(f"All tables of {path.name}", "\n".join(others)))
    return "\n".join(part for part in parts if part)


def draw(path: Path, rows: list[Row]) -> list[Path]:
    """Draws the picture of a CSV."""
    from .plots import draw_all

    draw_all(Results(rows), _picture(path), "Sets of boxes")
    return [_picture(path)]


def _picture(path: Path) -> Path:
    return path.with_suffix(".png")
