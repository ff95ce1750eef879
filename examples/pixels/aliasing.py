"""How right PIoU's gradient is, and how far PIoU is from the exact IoU: by its softness k, and by supersampling.

Soft edges are about 4 / k pixels wide. Where that is less than a pixel, pixel centres fall into an edge or miss it, and
what the gradient of an upright box says depends on where between the pixels it lies.
"""

from __future__ import annotations

import argparse
import csv
import math
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from torch import Tensor

import fastiou
from fastiou.benchmarks.plot_style import INK, plain_axes

#: Softness and scale, how they are called, colour and line: of Okabe and Ito, supersampling of k = 10 dashed.
WAYS = (
    (2.0, 1, "k = 2", "#CC79A7", "-"),
    (4.0, 1, "k = 4", "#009E73", "-"),
    (5.0, 1, "k = 5", "#56B4E9", "-"),
    (10.0, 1, "k = 10", "#0072B2", "-"),
    (20.0, 1, "k = 20", "#E69F00", "-"),
    (5.0, 2, "k = 5, scale = 2", "#0072B2", (0, (4, 2))),
    (2.5, 4, "k = 2.5, scale = 4", "#222222", (0, (1.5, 1.5))),
)
PRED, TARGET = (100.0, 80.0, 54.5, 22.0), (118.0, 81.0, 60.0, 26.0)  # centre, width, height
ANGLES = (0.0, 0.3)
PHASES = 51
SIZES = tuple(2.0**i for i in range(8))
PAIRS = 60  # of each size
COLUMNS = ("quantity", "k", "scale", "angle", "longest_side", "min", "max", "mean")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/piou_aliasing.png"))
    parser.add_argument("--csv", type=Path, default=Path("build/piou_aliasing.csv"), help="the numbers of the picture")
    options = parser.parse_args()
    for path in (options.out, options.csv):
        path.parent.mkdir(parents=True, exist_ok=True)
    picture().savefig(options.out, dpi=110)
    with options.csv.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *numbers()])
    print(options.out, options.csv)


def numbers() -> list[tuple]:
    """Rows of ``COLUMNS``: least and largest ratio of gradients at an angle, and the mean error at a size."""
    rows = []
    for k, scale, *_ in WAYS:
        for angle in ANGLES:
            ratios = gradient_ratios(angle, k, scale)
            rows.append(("gradient ratio", k, scale, angle, "", f"{ratios.min():.3f}", f"{ratios.max():.3f}", ""))
        for size in SIZES:
            rows.append(("error", k, scale, "", size, "", "", f"{errors(size, k, scale).mean():.2e}"))
    return rows


def gradient_ratios(angle: float, k: float, scale: float) -> Tensor:
    """d PIoU / d width over d IoU / d width, for both boxes moved by 0 to 1 pixel along x: ``(PHASES,)``, float64."""
    shift = torch.zeros(PHASES, 5, dtype=torch.float64)
    shift[:, 0] = torch.linspace(0, 1, PHASES)
    pred, target = (torch.tensor([*box, angle], dtype=torch.float64) + shift for box in (PRED, TARGET))
    pred.requires_grad_()
    scores = fastiou.pixel_iou(pred, target, k=k, scale=scale), 1 - fastiou.rotated_iou_loss(pred, target)
    pixels, exact = (torch.autograd.grad(score.sum(), pred)[0][:, 2] for score in scores)
    return pixels / exact


def errors(size: float, k: float, scale: float) -> Tensor:
    """|PIoU - IoU| ``(PAIRS,)`` of rotated boxes with sides from ``size / 2`` to ``size`` pixels that overlap well."""
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(PAIRS, 5, generator=generator, dtype=torch.float64)
    target = torch.cat([boxes[:, :2], size * (0.5 + boxes[:, 2:4] / 2), math.pi * boxes[:, 4:]], -1)
    noise = torch.randn(PAIRS, 5, generator=generator, dtype=torch.float64)
    pred = target + noise * torch.tensor([0.1 * size, 0.1 * size, 0, 0, 0.1])
    pred[:, 2:4] *= (0.15 * noise[:, 2:4]).exp()
    return (fastiou.pixel_iou(pred, target, k=k, scale=scale) - 1 + fastiou.rotated_iou_loss(pred, target)).abs()


def picture() -> Figure:
    figure = Figure(figsize=(16, 6.6), facecolor="white")
    figure.text(0.03, 0.95, "What PIoU's softness does", fontsize=17, weight="bold", va="center")
    sizes = "{:g} x {:g} pixels against {:g} x {:g}".format(*PRED[2:], *TARGET[2:])
    note = (
        f"Left and middle: {sizes}, both moved along x by a part of a pixel. "
        "Broken lines: edges as soft as with k = 10, sampled 2 and 4 times as densely."
    )
    figure.text(0.03, 0.895, note, fontsize=10.5, color=INK, va="center")
    grid = figure.add_gridspec(1, 3, left=0.045, right=0.985, bottom=0.18, top=0.8, wspace=0.2)
    panels = [figure.add_subplot(cell) for cell in grid]
    for axes, angle in zip(panels, ANGLES, strict=False):
        _draw_ratios(axes, angle)
    _draw_errors(panels[2])
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=len(WAYS), loc="lower center", frameon=False, fontsize=11)
    return figure


def _draw_ratios(axes: Axes, angle: float) -> None:
    phases = torch.linspace(0, 1, PHASES)
    for k, scale, name, colour, line in WAYS:
        axes.plot(phases, gradient_ratios(angle, k, scale), color=colour, linestyle=line, linewidth=2, label=name)
    axes.set(xlim=(0, 1), ylim=(-2, 5))
    axes.set_xlabel("place between two pixels", fontsize=11)
    title = "upright" if angle == 0 else f"rotated by {angle:g} rad"
    axes.set_title(f"∂PIoU/∂w over ∂IoU/∂w, {title}", fontsize=12.5, loc="left", pad=10)
    plain_axes(axes)


def _draw_errors(axes: Axes) -> None:
    for k, scale, _, colour, line in WAYS:
        means = [errors(size, k, scale).mean().item() for size in SIZES]
        axes.plot(SIZES, means, color=colour, linestyle=line, linewidth=2)
    axes.set(xscale="log", yscale="log", xlim=(SIZES[0], SIZES[-1]))
    axes.set_xlabel("longest side in pixels", fontsize=11)
    axes.set_title("|PIoU − IoU|, mean over rotated pairs", fontsize=12.5, loc="left", pad=10)
    plain_axes(axes)
    axes.set_xticks(SIZES)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.6f}".rstrip("0")))


if __name__ == "__main__":
    main()
