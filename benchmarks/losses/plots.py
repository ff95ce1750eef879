"""The plots: time per pair, and speed-up over torchvision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator

from ..plot_style import COLOURS, INK, NAMES, plain_axes, short
from .results import Group, Results

MODE = "full"
BASES = ("torchvision", "clean", "fallback")  # what the speed-up is over: the first that was measured

STYLES = {"copy": "--", "autograd-node": ":"}
FORBIDDEN = "0.955"


def draw_group(results: Results, group: Group, path: Path) -> None:
    """Writes the PNG of a group."""
    sizes = np.array(results.sizes(group), dtype=float)
    times = {  # microseconds, NaN where there is none
        name: np.array([results.micros(group, MODE, int(n), name) or np.nan for n in sizes])
        for name in COLOURS
        if name in results.providers(group)
    }
    figure = Figure(figsize=(15, 6.6), facecolor="white")
    kind = {"ciou": "CIoU", "giou": "GIoU", "diou": "DIoU"}.get(group.kind, group.kind)
    figure.suptitle(f"{kind} loss, forward + backward", fontsize=17, x=0.055, y=0.97, ha="left", weight="bold")
    figure.text(0.055, 0.9, group.title(), fontsize=10.5, color=INK, ha="left", va="center")
    grid = figure.add_gridspec(1, 2, left=0.055, right=0.862, bottom=0.1, top=0.8, wspace=0.5)
    _draw_times(figure.add_subplot(grid[0]), sizes, times)
    _draw_speedups(figure.add_subplot(grid[1]), sizes, times)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _draw_times(axes: Axes, sizes: np.ndarray, times: dict[str, np.ndarray]) -> None:
    """Nanoseconds per pair; what lies below both limits is shaded."""
    per_pair = {name: 1e3 * values / sizes for name, values in times.items()}
    drawn = [values for name, values in per_pair.items() if name != "autograd-node"]
    top, bottom = 2 * np.nanmax(drawn), np.nanmin(drawn) / 3
    fine, limit = _limit(sizes, per_pair)
    _shade(axes, fine, limit, bottom / 10, (0.025, "bottom"))
    _draw_lines(axes, sizes, per_pair, (bottom, top), lambda y: f"{short(y)} ns")
    axes.set_title("Time per pair, in ns (lower is better)", fontsize=12.5, loc="left", pad=10)


def _draw_speedups(axes: Axes, sizes: np.ndarray, times: dict[str, np.ndarray]) -> None:
    """How many times as fast as the base; what no fused loss can reach is shaded."""
    base = next((name for name in BASES if name in times), None)
    if base is None:
        axes.set_axis_off()
        return
    speedups = {name: times[base] / values for name, values in times.items()}
    drawn = [values for name, values in speedups.items() if name != "autograd-node"]
    bottom, top = np.nanmin(drawn) / 2, 3 * np.nanmax(drawn)
    fine, limit = _limit(sizes, {name: 1 / values for name, values in speedups.items()})
    _shade(axes, fine, 1 / limit, top * 10, (0.975, "top"))
    _draw_lines(axes, sizes, speedups, (bottom, top), lambda y: f"{short(y)}x")
    axes.set_title(f"Speed-up over {NAMES[base]} (higher is better)", fontsize=12.5, loc="left", pad=10)


def _limit(sizes: np.ndarray, times: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The larger one of the two limits, as drawn: straight lines between the sizes on logarithmic axes."""
    fine = np.geomspace(sizes[0], sizes[-1], 500)
    lines = [
        np.exp(np.interp(np.log(fine), np.log(sizes), np.log(times.get(name, np.full(len(sizes), np.nan)))))
        for name in STYLES
    ]
    return fine, np.fmax(*lines)


def _shade(axes: Axes, x: np.ndarray, limit: np.ndarray, edge: float, note: tuple[float, str]) -> None:
    """Shades what lies beyond the limits, where they were measured, and says so."""
    if np.isnan(limit).all():
        return
    axes.fill_between(x, limit, edge, color=FORBIDDEN, linewidth=0)
    height, side = note
    style = {"color": "0.5", "style": "italic", "va": side}
    axes.text(0.02, height, "out of reach: beyond the limits", transform=axes.transAxes, **style)


def _draw_lines(axes: Axes, sizes: np.ndarray, lines: dict[str, np.ndarray], span: tuple[float, float], text) -> None:
    """Lines with their names and last values at the right edge, on logarithmic axes."""
    axes.set(xscale="log", yscale="log", xlim=(sizes[0], sizes[-1]), ylim=span)
    axes.set_xlabel("N, pairs of boxes", fontsize=11)
    outside = {"transform": axes.transAxes, "clip_on": False}
    ends = {}
    for name, values in lines.items():
        colour = COLOURS[name]
        own = name == "fastiou"
        axes.plot(
            sizes,
            values,
            STYLES.get(name, "-"),
            color=colour,
            linewidth=3.4 if own else 1.7,
            marker=None if name in STYLES else "o",
            markersize=6.5 if own else 3.6,
            zorder=4 if own else 3,
            clip_on=name in STYLES,
        )
        last = values[np.isfinite(values)][-1:]
        if last.size:
            ends[name] = float(last[0])
    shares = {name: _share(y, span) for name, y in ends.items()}
    for name, height in _spread({name: min(max(share, 0.0), 1.0) for name, share in shares.items()}).items():
        label, colour = NAMES[name], COLOURS[name]
        if 0 <= shares[name] <= 1:
            axes.plot([1.012, 1.042], [shares[name], height], color=colour, linewidth=0.9, **outside)
            value = text(ends[name])
        else:
            value = "↑" if shares[name] > 1 else "↓"
        weight = "bold" if name == "fastiou" else "normal"
        place = {"transform": axes.transAxes, "va": "center", "fontsize": 10}
        axes.text(1.05, height, f"{label}  {value}", color=colour, weight=weight, **place)
    _style(axes)


def _share(y: float, span: tuple[float, float]) -> float:
    """Height of a value on a logarithmic axis, from 0 to 1."""
    return float(np.log(y / span[0]) / np.log(span[1] / span[0]))


def _spread(ends: dict[str, float], gap: float = 0.052) -> dict[str, float]:
    """Heights for labels near the ends of their lines, at least `gap` apart, from 0 to 1."""
    names = sorted(ends, key=lambda name: ends[name])
    heights = [ends[name] for name in names]
    for _ in range(200):
        for i in range(1, len(heights)):
            push = gap - (heights[i] - heights[i - 1])
            if push > 1e-4:
                heights[i - 1] -= push / 2
                heights[i] += push / 2
        heights = [min(max(y, gap * i), 1 - gap * (len(heights) - 1 - i)) for i, y in enumerate(heights)]
    return dict(zip(names, heights, strict=True))


def _style(axes: Axes) -> None:
    plain_axes(axes)
    axes.xaxis.set_major_locator(FixedLocator([10.0**k for k in range(1, 9)]))
    axes.yaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}" if x < 1e4 else f"1e{np.log10(x):.0f}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,g}"))
