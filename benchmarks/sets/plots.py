"""The plot: speed-up of fastiou over its peers, and the memory that all of them need, task by task."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from ..formatting import size
from ..plot_style import COLOURS, INK, NAMES, plain_axes, short
from .case import Case
from .results import Results

LIMIT = "write"
ROW = 0.42  # inches
LEFT, RIGHT, TOP, BOTTOM = 2.9, 0.35, 1.75, 0.75  # inches


def draw_all(results: Results, path: Path) -> None:
    """Writes the PNG: a row per case, a dot per provider."""
    cases = [case for case in results.cases() if results.micros(case, "fastiou")]
    names = [name for name in COLOURS if name in results.providers(cases)]
    height = TOP + BOTTOM + ROW * len(cases)
    figure = Figure(figsize=(15, height), facecolor="white")
    figure.text(0.25 / 15, 1 - 0.4 / height, "Sets of boxes", fontsize=17, weight="bold", va="center")
    figure.text(0.25 / 15, 1 - 0.75 / height, results.title(), fontsize=10.5, color=INK, va="center")
    grid = figure.add_gridspec(
        1, 2, left=LEFT / 15, right=1 - RIGHT / 15, bottom=BOTTOM / height, top=1 - TOP / height, wspace=0.07
    )
    times, memory = (figure.add_subplot(cell) for cell in grid)
    _draw_dots(times, cases, names, lambda case, name: results.ratio(case, name, "fastiou"))
    _draw_dots(memory, cases, names, results.peak)
    times.set_title("Time over fastiou's (to the right: slower than fastiou)", fontsize=12.5, loc="left", pad=10)
    times.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{short(x)}x"))
    times.axvline(1, color=COLOURS["fastiou"], linewidth=1.2, zorder=1)
    times.set_yticks(range(len(cases)), [f"{case.name}   {case.sizes}" for case in cases])
    memory.set_title("Peak memory of a call beyond its inputs", fontsize=12.5, loc="left", pad=10)
    memory.xaxis.set_major_formatter(FuncFormatter(lambda x, _: size(x)))
    memory.set_yticks(range(len(cases)), [])
    handles, labels = times.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="upper left",
        bbox_to_anchor=(0.15 / 15, 1 - 0.9 / height),
        ncols=len(names),
        frameon=False,
        fontsize=10,
        handletextpad=0.1,
        columnspacing=1.4,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _draw_dots(axes: Axes, cases: list[Case], names: list[str], value: Callable[[Case, str], float | None]) -> None:
    """Cases from top to bottom, values along a logarithmic axis; fastiou and the limit stand out."""
    for name in names:
        values = np.array([value(case, name) or np.nan for case in cases])
        own, limit = name == "fastiou", name == LIMIT
        axes.scatter(
            values,
            np.arange(len(cases)),
            s=150 if own else 62,
            marker="d" if limit else "o",
            linewidths=0.8,
            color=COLOURS[name],
            edgecolors="white",
            zorder=5 if own else 4 if limit else 3,
            label=NAMES[name],
        )
    axes.set(xscale="log", ylim=(len(cases) - 0.4, -0.6))
    plain_axes(axes)
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.spines["left"].set_visible(False)
