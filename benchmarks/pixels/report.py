"""PIoU on a page: tables and a picture, and more tables folded up."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..sets.tables import memory_table, time_table
from ..suite import folded
from .results import Results
from .rows import Row
from .tables import pixel_table, speed_table
from .targets import targets_table

TITLE = "PIoU, by pixels"
LEGEND = """Median times of forward + backward unless it says forward, k = 10. Peers: how many times as long as fastiou
they take. Plain PyTorch: all pixels around a pair in tensors, differentiated by autograd, as many pairs at a time as
the cache holds; of upright boxes only sums over x and over y, as in fastiou. Fallback: fastiou without kernels.
Predictions are jittered targets.
"""
PIXELS = """A soft pixel is a pixel and a box whose F is evaluated there. The authors' loop: all columns of an image
1,024 pixels wide (4,000 for the largest boxes) and 100 on each side, in the rows of both boxes. Row-clipped: where F is
not 0. Edges: where it is not 1, either; the rest is counted row by row. The exact union also sums up either box alone.
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
            parts.append(f"![Speed-up and memory of PIoU, task by task]({link})\n")
        pixels = pixel_table(results)
        if pixels:
            parts += [PIXELS, pixels]
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
