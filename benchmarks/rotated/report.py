"""Rotated boxes on a page: a table and a picture, and more tables folded up."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..sets.tables import memory_table, time_table
from ..suite import folded
from .results import Results
from .rows import Row
from .tables import speed_table
from .targets import targets_table

TITLE = "Rotated boxes"
LEGEND = """Median times. Peers: how many times as long as fastiou they take. Plain PyTorch: the loss composed of
PyTorch operations as detector code bases write it, exact IoU by sorting the corners of the intersection (MMCV),
Gaussian distances with matrices (MMRotate). Fallback: fastiou's own formulas in PyTorch, closed-form derivatives of the
area included. torchvision has no NMS of rotated boxes: its box_iou, a row for each box that is kept. Overlapping:
95 % of the pairs do; aerial scene: one pair in 2,000 does.
"""


def goals(rows: Iterable[Row]) -> str:
    """What was to be reached, and what was."""
    return targets_table(Results(rows))


def section(rows: dict[Path, list[Row]], folder: Path) -> str:
    """What a page in this folder shows beside the goals."""
    parts = [LEGEND]
    for path, own in rows.items():
        results = Results(own)
        parts.append(f"**One call**: {results.title()}\n\n{speed_table(results)}")
        if _picture(path).exists():
            link = Path(os.path.relpath(_picture(path), folder)).as_posix()
            parts.append(f"![Speed-up and memory on rotated boxes, task by task]({link})\n")
        others = [
            f"**Times**\n\n{time_table(results, results.cases())}",
            f"**Peak memory beyond the inputs**\n\n{memory_table(results, results.cases())}",
        ]
        parts.append(folded(f"All tables of {path.name}", "\n".join(others)))
    return "\n".join(part for part in parts if part)


def draw(path: Path, rows: list[Row]) -> list[Path]:
    """Draws the picture of a CSV."""
    from ..sets.plots import draw_all

    draw_all(Results(rows), _picture(path), TITLE)
    return [_picture(path)]


def _picture(path: Path) -> Path:
    return path.with_suffix(".png")
