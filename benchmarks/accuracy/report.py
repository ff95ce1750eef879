"""Errors on rotated boxes on a page: tables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..suite import folded
from .results import Results
from .rows import Row
from .tables import gaussian_table, gradient_table, short_table, value_table
from .targets import targets_table

TITLE = "Accuracy on rotated boxes"
LEGEND = """Absolute errors of float32, against shapely in float64 on the very same numbers. fastiou: rotated_box_iou;
loss: 1 - rotated_iou_loss. torchvision and fastiou read the same degrees; torchvision takes no radians. Errors of
gradients are against float64, those of an area relative to the larger diagonal (by the angle, its square); errors of
distances against matrices in float64, relative above 1. Matrices: the distances as MMRotate writes them.
"""


def goals(rows: Iterable[Row]) -> str:
    """What was to be reached, and what was."""
    return targets_table(Results(rows))


def section(rows: dict[Path, list[Row]], folder: Path) -> str:
    """What a page in this folder shows beside the goals."""
    parts = [LEGEND]
    for path, own in rows.items():
        results = Results(own)
        parts.append(f"**Errors**: {results.title()}\n\n{short_table(results)}\n{gaussian_table(results)}")
        parts.append(folded(f"All tables of {path.name}", f"{value_table(results)}\n{gradient_table(results)}"))
    return "\n".join(part for part in parts if part)
