"""One picture: detections of both runs, their curves, precisions and times."""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from data import CANVAS, Canvases
from evaluate import Detections
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle
from matplotlib.ticker import LogLocator, NullFormatter
from report import Run
from torch import Tensor

import fastiou

PLAIN_COLOUR, FUSED_COLOUR, TRUTH_COLOUR = "#D55E00", "#0072B2", "#009E73"
COLUMNS = 6
MIN_DIGITS_SHOWN = 4
MIN_SCORE_SHOWN = 0.4
TAG_SIZE = 20.0, 6.4  # canvas pixels

Row = tuple[Run, str, list[Detections]]  # a run, its colour, its detections


def save_picture(
    path: Path,
    plain: Run,
    fused: Run,
    canvases: Canvases,
    plain_found: list[Detections],
    fused_found: list[Detections],
    note: str,
) -> None:
    """Write the PNG; `note` goes below the title."""
    figure = Figure(figsize=(16, 10.4), facecolor="white")
    figure.suptitle("Same detector, same seed, same batches: only the box loss differs", fontsize=17, y=0.98)
    figure.text(0.5, 0.932, note, ha="center", fontsize=10.5, color="0.35")
    rows = [(plain, PLAIN_COLOUR, plain_found), (fused, FUSED_COLOUR, fused_found)]
    draw_canvases(figure, canvases, rows, bottom=0.4, top=0.918)
    figure.text(
        0.51,
        0.375,
        "Test canvases with unseen scans. Orange and blue: detections with class and score, "
        f"from {MIN_SCORE_SHOWN}. Thin dashed green: ground truth.",
        ha="center",
        fontsize=10.5,
        color="0.35",
    )
    grid = figure.add_gridspec(
        1, 4, left=0.05, right=0.985, bottom=0.065, top=0.315, wspace=0.28, width_ratios=[2.1, 1.6, 1, 1]
    )
    curves, precisions, loss_time, step_time = (figure.add_subplot(grid[i]) for i in range(4))
    _draw_curves(curves, plain, fused)
    draw_precisions(precisions, rows)
    draw_loss_time(loss_time, rows)
    draw_step_time(step_time, rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def draw_canvases(
    figure: Figure, canvases: Canvases, rows: list[Row], bottom: float, top: float, fmt: str = "xyxy"
) -> None:
    """A row of test canvases for each run, the same canvases in all; `fmt` is how fastiou calls their boxes."""
    busy = (canvases.labels >= 0).sum(dim=1) >= MIN_DIGITS_SHOWN
    shown = busy.nonzero()[:COLUMNS, 0].tolist()
    grid = figure.add_gridspec(
        len(rows), COLUMNS, left=0.035, right=0.985, bottom=bottom, top=top, wspace=0.04, hspace=0.05
    )
    for row, (run, colour, found) in enumerate(rows):
        for column, index in enumerate(shown):
            axes = figure.add_subplot(grid[row, column])
            _draw_canvas(axes, canvases, index, found[index], colour, fmt)
            if column == 0:
                axes.set_ylabel(run.name, fontsize=13, color=colour, fontweight="bold")


def _draw_canvas(axes: Axes, canvases: Canvases, index: int, found: Detections, colour: str, fmt: str) -> None:
    """One canvas as ink on paper, with its ground truth and its detections."""
    axes.imshow(canvases.images[index, 0], cmap="gray_r", vmin=0, vmax=280, extent=(0, CANVAS, CANVAS, 0))
    axes.set(xticks=[], yticks=[], xlim=(0, CANVAS), ylim=(CANVAS, 0))
    axes.spines[:].set_color("0.7")
    corners: list[tuple[float, float]] = []
    outlines = _outlines(found.boxes, fmt)
    for outline, (_, score, label) in zip(outlines, found.rows(), strict=True):
        if score >= MIN_SCORE_SHOWN:
            corners.append(_tag_corner(outline, corners))
            _draw_outline(axes, outline, edgecolor=colour, linewidth=1.8)
            _draw_tag(axes, corners[-1], f"{label}  {score:.2f}", colour)
    for outline in _outlines(canvases.boxes[index][canvases.labels[index] >= 0], fmt):
        _draw_outline(axes, outline, edgecolor=TRUTH_COLOUR, linewidth=0.9, linestyle=(0, (4, 3)))


def _outlines(boxes: Tensor, fmt: str) -> Tensor:
    """The corners (N, 4, 2) of boxes."""
    return fastiou.convert_rotated(boxes, fmt, "torchvision_xyxyxyxy").unflatten(-1, (4, 2))


def _draw_outline(axes: Axes, corners: Tensor, **style: Any) -> None:
    """An empty rectangle with corners (4, 2) in pixels."""
    axes.add_patch(Polygon(corners.numpy(), fill=False, **style))


def _draw_tag(axes: Axes, corner: tuple[float, float], text: str, colour: str) -> None:
    """A filled tag of TAG_SIZE with its upper left corner at `corner`."""
    axes.add_patch(Rectangle(corner, *TAG_SIZE, facecolor=colour, edgecolor="none", zorder=3))
    centre = (corner[0] + TAG_SIZE[0] / 2, corner[1] + TAG_SIZE[1] / 2)
    axes.text(*centre, text, ha="center", va="center_baseline", fontsize=7.5, color="white")


def _tag_corner(outline: Tensor, taken: list[tuple[float, float]]) -> tuple[float, float]:
    """Upper left corner for a tag of TAG_SIZE near a box (4, 2): the first free place, else the first one."""
    width, height = TAG_SIZE
    x1, y1, x2, y2 = torch.cat([outline.amin(dim=0), outline.amax(dim=0)]).tolist()
    # Above the highest corner or below the lowest one, where a rotated box is; an upright box has two of each.
    above, below = (outline[i, 0].item() - width / 2 for i in (outline[:, 1].argmin(), outline[:, 1].argmax()))
    places = [(above, y1 - height), (x2 - width, y1 - height), (below, y2), (x1, y2), (x1, y1), (x2 - width, y1)]
    corners = [
        (min(max(x, x1, 0.5), max(x1, x2 - width), CANVAS - width), y) for x, y in places if 0 <= y <= CANVAS - height
    ]
    free = (
        (x, y)
        for x, y in corners
        if all(abs(x - other_x) >= width or abs(y - other_y) >= height for other_x, other_y in taken)
    )
    return next(free, corners[0])


def _draw_curves(axes: Axes, plain: Run, fused: Run) -> None:
    """Box and class loss of both runs, smoothed, on top of each other."""
    for run, colour, width in ((plain, PLAIN_COLOUR, 5.0), (fused, FUSED_COLOUR, 1.6)):
        for curve, label in ((run.history.box_loss, run.name), (run.history.class_loss, None)):
            mean = smooth(curve)
            first = len(curve) - len(mean) + 1
            axes.plot(range(first, len(curve) + 1), mean, color=colour, linewidth=width, label=label)
    steps = len(plain.history.box_loss)
    for curve, name in ((plain.history.box_loss, "box loss"), (plain.history.class_loss, "class loss")):
        axes.annotate(name, (steps, smooth(curve)[-1]), (8, 0), textcoords="offset points", va="center")
    axes.set(yscale="log", xlabel="step", ylabel="loss, moving average", xlim=(0, 1.19 * steps))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title("Loss curves, one drawn over the other", fontsize=12)
    axes.grid(color="0.92")
    axes.legend(frameon=False)
    tidy(axes)


def draw_precisions(axes: Axes, rows: list[Row]) -> None:
    """AP, AP50 and AP75 of the runs as groups of bars."""
    step = 0.8 / len(rows)
    for i, (run, colour, _) in enumerate(rows):
        values = [run.precision.ap, run.precision.ap50, run.precision.ap75]
        places = [x + (i - (len(rows) - 1) / 2) * step for x in range(3)]
        bars = axes.bar(places, values, 0.95 * step, color=colour)
        axes.bar_label(bars, fmt="%.3f" if len(rows) < 3 else "%.2f", padding=2, fontsize=9)
    axes.set(xticks=range(3), xticklabels=["AP", "AP50", "AP75"], ylim=(0, 1.12), ylabel="average precision")
    axes.set_title("Test set, COCO metrics", fontsize=12)
    tidy(axes)


def draw_loss_time(axes: Axes, rows: list[Row]) -> None:
    """Median milliseconds in the box loss."""
    times = [run.box_loss_ms for run, *_ in rows]
    bars = axes.bar([run.name for run, *_ in rows], times, 0.62, color=[colour for _, colour, _ in rows])
    axes.bar_label(bars, fmt="%.2f", padding=2)
    axes.set(ylabel="ms forward + backward, median", ylim=(0, 1.15 * max(times)))
    axes.set_title("Time in the box loss", fontsize=12)
    tidy(axes)


def draw_step_time(axes: Axes, rows: list[Row]) -> None:
    """Median milliseconds of a step, the part outside the box loss in grey."""
    runs = [run for run, *_ in rows]
    names, rest = [run.name for run in runs], [run.rest_ms for run in runs]
    axes.bar(names, rest, 0.62, color="0.8")
    colours = [colour for _, colour, _ in rows]
    bars = axes.bar(names, [run.box_loss_ms for run in runs], 0.62, bottom=rest, color=colours)
    axes.bar_label(bars, [f"{run.step_ms:.1f}" for run in runs], padding=2)
    for x, value in enumerate(rest):
        axes.text(x, value / 2, f"{value:.1f}\nsame code", ha="center", va="center", fontsize=8.5)
    axes.set(ylabel="ms, median", ylim=(0, 1.15 * max(run.step_ms for run in runs)))
    axes.set_title("Time per step", fontsize=12)
    tidy(axes)


def smooth(curve: Tensor) -> Tensor:
    """Moving average over a twentieth of a curve (N,); shorter than the curve by the window."""
    window = max(len(curve) // 20, 1)
    return F.avg_pool1d(curve[None], window, stride=1)[0]


def tidy(axes: Axes) -> None:
    """Only the left and the lower frame line, bars and curves above the grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
