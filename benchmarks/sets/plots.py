"""The plot: speed-up of fastiou over its peers, and the memory that all of them need, task by task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from ..formatting import duration, size
from ..plot_style import COLOURS, INK, NAMES, plain_axes, short
from .case import Case
from .results import Results

OWN, LIMIT = "fastiou", "write"
WIDTH, ROW = 15, 0.42  # inches
RIGHT, TOP, BOTTOM = 0.35, 1.75, 0.6  # inches around the axes
NAME_COLUMN, LETTER = 0.25, 0.08  # inches: where names start, and the width of a letter
SIZES, TIMES = 1.25, 0.95  # inches: the widths of the columns that follow the names


def draw_all(results: Results, path: Path, title: str) -> None:
    """Writes the PNG: a row per case, a dot per provider."""
    cases = [case for case in results.cases() if results.micros(case, OWN)]
    names = [name for name in COLOURS if name in results.providers(cases)]
    sizes_end = NAME_COLUMN + LETTER * max((len(case.name) for case in cases), default=0) + SIZES
    height = TOP + BOTTOM + ROW * max(1, len(cases))
    figure = Figure(figsize=(WIDTH, height), facecolor="white")
    figure.text(NAME_COLUMN / WIDTH, 1 - 0.4 / height, title, fontsize=17, weight="bold", va="center")
    figure.text(NAME_COLUMN / WIDTH, 1 - 0.75 / height, results.title(), fontsize=10.5, color=INK, va="center")
    edges = {
        "left": (sizes_end + TIMES) / WIDTH,
        "right": 1 - RIGHT / WIDTH,
        "bottom": BOTTOM / height,
        "top": 1 - TOP / height,
    }
    times, memory = (figure.add_subplot(cell) for cell in figure.add_gridspec(1, 2, **edges, wspace=0.08))

    _draw_dots(times, cases, names, lambda case, name: results.ratio(case, name, OWN))
    times.set_title("Time over that of fastiou (to the right: slower)", fontsize=12.5, loc="left", pad=10)
    times.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{short(x)}x"))
    times.axvline(1, color=COLOURS[OWN], linewidth=1.2, zorder=1)
    times.set_yticks(range(len(cases)), [duration(results.micros(case, OWN)) for case in cases], color=COLOURS[OWN])
    for y, case in enumerate(cases):
        for text, inches, side in ((case.name, NAME_COLUMN, "left"), (case.sizes, sizes_end, "right")):
            place = {"transform": times.get_yaxis_transform(), "ha": side, "va": "center_baseline", "clip_on": False}
            times.text(_in_axes(times, inches), y, text, fontsize=10, color=INK, **place)

    _draw_dots(memory, cases, names, results.peak)
    memory.set_title("Peak memory of a call beyond its inputs", fontsize=12.5, loc="left", pad=10)
    memory.xaxis.set_major_formatter(FuncFormatter(lambda x, _: size(x)))
    memory.set_yticks(range(len(cases)), [])

    place = {"loc": "upper left", "bbox_to_anchor": (0.1 / WIDTH, 1 - 0.88 / height), "ncols": len(names)}
    handles, labels = times.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=10, handletextpad=0.1, columnspacing=1.4, **place)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _draw_dots(axes: Axes, cases: list[Case], names: list[str], value: Callable[[Case, str], float | None]) -> None:
    """Cases from top to bottom, values along a logarithmic axis; fastiou's dots are large, behind the others."""
    for name in names:
        axes.scatter(
            [value(case, name) or np.nan for case in cases],
            range(len(cases)),
            s=190 if name == OWN else 56,
            marker="d" if name == LIMIT else "o",
            linewidths=0.8,
            color=COLOURS[name],
            edgecolors="white",
            zorder=2 if name == OWN else 3,
            label=NAMES[name],
        )
    axes.set(xscale="log", ylim=(len(cases) - 0.4, -0.6))
    plain_axes(axes)
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.spines["left"].set_visible(False)


def _in_axes(axes: Axes, inches: float) -> float:
    """A distance from the left edge of the figure, in the coordinates of the axes."""
    box = axes.get_position()
    return (inches / WIDTH - box.x0) / box.width
