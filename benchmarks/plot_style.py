"""How all plots look."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter, NullLocator

from . import formatting

NAMES = formatting.NAMES | {
    "fastiou": "fastiou",
    "copy": "copying the bytes",
    "autograd-node": "bare autograd node",
    "write": "writing the matrix once",
}
#: Those of Okabe and Ito, which colour-blind readers tell apart; limits are black. In the order of legends.
COLOURS = {
    "fastiou": "#0072B2",
    "compile": "#009E73",
    "clean": "#E69F00",
    "torchvision": "#D55E00",
    "ultralytics": "#CC79A7",
    "compile-fallback": "#56B4E9",
    "fallback": "#8C6D31",
    "pycocotools": "#7F3C8D",
    "cython_bbox": "#80BA5A",
    "numpy": "#D9C800",
    "copy": "#222222",
    "autograd-node": "#222222",
    "write": "#222222",
}
INK, GRID = "0.3", "0.91"


def plain_axes(axes: Axes) -> None:
    """A light grid, no box, no small ticks."""
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("0.6")
    axes.tick_params(colors=INK, labelsize=10, length=0, pad=6)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())


def short(x: float) -> str:
    """Two digits, or a whole number."""
    return f"{x:,.0f}" if x >= 10 else f"{x:.2g}"
