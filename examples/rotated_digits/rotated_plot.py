"""One picture: detections by every loss, how IoU grew, precisions, angle errors and times."""

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from data import Canvases
from evaluate import Detections
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plot import MIN_SCORE_SHOWN, Row, draw_canvases, draw_loss_time, draw_precisions, smooth, tidy
from rotated_evaluate import MIN_IOU, MIN_SCORE
from rotated_report import RotatedRun

COLOURS = "#0072B2", "#D55E00", "#8E44AD"
MAX_DEGREES = 20


def save_picture(
    path: Path, runs: Sequence[RotatedRun], canvases: Canvases, founds: Sequence[list[Detections]], note: str
) -> None:
    """Write the PNG; `note` goes below the title."""
    rows = list(zip(runs, COLOURS, founds, strict=True))
    figure = Figure(figsize=(16, 13), facecolor="white")
    figure.suptitle("Same detector, same seed, same batches: three losses of rotated boxes", fontsize=17, y=0.985)
    figure.text(0.5, 0.946, note, ha="center", fontsize=10.5, color="0.35")
    draw_canvases(figure, canvases, rows, bottom=0.325, top=0.935, fmt="cxcywhr")
    figure.text(
        0.51,
        0.303,
        f"Test canvases with unseen scans. Coloured: detections with class and score, from {MIN_SCORE_SHOWN}. "
        "Thin dashed green: ground truth.",
        ha="center",
        fontsize=10.5,
        color="0.35",
    )
    grid = figure.add_gridspec(
        1, 4, left=0.05, right=0.985, bottom=0.052, top=0.255, wspace=0.26, width_ratios=[1.6, 1.6, 1.6, 1]
    )
    curves, precisions, angles, times = (figure.add_subplot(grid[i]) for i in range(4))
    _draw_iou(curves, rows)
    draw_precisions(precisions, rows)
    _draw_angles(angles, rows)
    draw_loss_time(times, rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _draw_iou(axes: Axes, rows: list[Row]) -> None:
    """IoU of the positives in training: losses cannot be compared, this can."""
    for run, colour, _ in rows:
        curve = run.history.watched
        mean = smooth(curve)
        axes.plot(range(len(curve) - len(mean) + 1, len(curve) + 1), mean, color=colour, linewidth=1.8, label=run.name)
    axes.set(xlabel="step", ylabel="mean IoU of the positives", xlim=(0, None))
    axes.set_title("Fit in training, moving average", fontsize=12)
    axes.grid(color="0.92")
    axes.legend(frameon=False, loc="lower right")
    tidy(axes)


def _draw_angles(axes: Axes, rows: list[Row]) -> None:
    """How many of the found digits have an angle error of no more than so many degrees."""
    for run, colour, _ in rows:
        error = F.pad(run.matches.degrees.sort().values, (1, 0))
        axes.step(error, torch.linspace(0, 1, len(error)), where="post", color=colour, linewidth=1.8, label=run.name)
    axes.set(
        xlim=(0, MAX_DEGREES), ylim=(0, 1.02), xlabel="degrees, modulo a half turn", ylabel="share of found digits"
    )
    axes.set_title(f"Angle error (score from {MIN_SCORE}, IoU from {MIN_IOU})", fontsize=12)
    axes.grid(color="0.92")
    axes.legend(frameon=False, loc="lower right")
    tidy(axes)
