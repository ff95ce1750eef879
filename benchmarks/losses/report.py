"""The losses on a page: for every CSV its pictures and tables, all but the first tables folded up."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..suite import folded
from .case import NO_GRAD
from .results import Group, Results
from .rows import Row
from .tables import speed_table
from .targets import targets_table

LEGEND = """Median times; GB/s counts the bytes that a fused loss has to move. Peers: how many times as long as fastiou
they take. Over copy, over bare node, over bare operator: how many times as long fastiou takes as copying those bytes,
as an autograd node that computes nothing, and as its own kernels called directly, without checks and without a graph.
"""
LEAD_MODE = "full"
MIN_SIZES = 4  # a plot of fewer shows nothing


def goals(rows: Iterable[Row]) -> str:
    """What was to be reached, and what was."""
    return targets_table(Results(rows))


def section(rows: dict[Path, list[Row]], folder: Path) -> str:
    """What a page in this folder shows beside the goals."""
    parts = [LEGEND]
    for path, own in rows.items():
        results = Results(own)
        leads = _leads(results)
        for group in leads:
            parts.append(_titled_table(results, group, LEAD_MODE))
            picture = _picture(path, group)
            if picture.exists():
                link = Path(os.path.relpath(picture, folder)).as_posix()
                parts.append(f"![Time per pair and speed-up, by number of pairs]({link})\n")
        others = [
            _titled_table(results, group, mode)
            for group in results.groups()
            for mode in results.modes(group)
            if mode != LEAD_MODE or group not in leads
        ]
        if others:
            parts.append(folded(f"All tables of {path.name}", "\n".join(others)))
    return "\n".join(part for part in parts if part)


def draw(path: Path, rows: list[Row]) -> list[Path]:
    """Draws one picture for every lead of a CSV."""
    from .plots import draw_group

    results = Results(rows)
    pictures = []
    for group in _leads(results):
        if len(results.sizes(group)) >= MIN_SIZES:
            pictures.append(_picture(path, group))
            draw_group(results, group, pictures[-1])
    return pictures


def _leads(results: Results) -> list[Group]:
    """What is shown first and drawn: of every kind, dtype and sort of boxes the first reduction that was measured."""
    first: dict[tuple[str, ...], Group] = {}
    for group in results.groups():
        if LEAD_MODE in results.modes(group):
            first.setdefault((group.device, group.boxes, group.kind, group.dtype), group)
    return list(first.values())


def _picture(path: Path, group: Group) -> Path:
    dtype = "" if group.dtype == "float32" else f"_{group.dtype}"
    return path.with_name(f"{path.stem}_{group.kind}{dtype}.png")


def _titled_table(results: Results, group: Group, mode: str) -> str:
    title = {"full": "forward + backward", NO_GRAD: "forward without gradient"}.get(mode, mode)
    return f"**{title.capitalize()}**: {group.title()}\n\n{speed_table(results, group, mode)}"
