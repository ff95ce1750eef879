"""One picture: detections of both runs, their curves, precisions and times."""

from pathlib import Path
from typing import Any

import torch.nn.functional as F
from data import CANVAS, Canvases
from evaluate import Detections
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter
from report import Run
from torch import Tensor

PLAIN_COLOUR, FUSED_COLOUR, TRUTH_COLOUR = "#D55E00", "#0072B2", "#009E73"
COLUMNS = 6
MIN_DIGITS_SHOWN = 4
MIN_SCORE_SHOWN = 0.4
TAG_SIZE = 20.0, 6.4  # canvas pixels


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
    _draw_canvases(figure, canvases, [(plain, PLAIN_COLOUR, plain_found), (fused, FUSED_COLOUR, fused_found)])
    grid = figure.add_gridspec(
        1, 4, left=0.05, right=0.985, bottom=0.065, top=0.315, wspace=0.28, width_ratios=[2.1, 1.6, 1, 1]
    )
    curves, precisions, loss_time, step_time = (figure.add_subplot(grid[i]) for i in range(4))
    _draw_curves(curves, plain, fused)
    _draw_precisions(precisions, plain, fused)
    _draw_loss_time(loss_time, plain, fused)
    _draw_step_time(step_time, plain, fused)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _draw_canvases(figure: Figure, canvases: Canvases, rows: list[tuple[Run, str, list[Detections]]]) -> None:
    """A row of test canvases for each run, the same canvases in both."""
    busy = (canvases.labels >= 0).sum(dim=1) >= MIN_DIGITS_SHOWN
    shown = busy.nonzero()[:COLUMNS, 0].tolist()
    grid = figure.add_gridspec(2, COLUMNS, left=0.035, right=0.985, bottom=0.4, top=0.918, wspace=0.04, hspace=0.05)
    for row, (run, colour, found) in enumerate(rows):
        for column, index in enumerate(shown):
            axes = figure.add_subplot(grid[row, column])
            _draw_canvas(axes, canvases, index, found[index], colour)
            if column == 0:
                axes.set_ylabel(run.name, fontsize=13, color=colour, fontweight="bold")
    figure.text(
        0.51,
        0.375,
        "Test canvases with unseen scans. Orange and blue: detections with class and score, "
        f"from {MIN_SCORE_SHOWN}. Thin dashed green: ground truth.",
        ha="center",
        fontsize=10.5,
        color="0.35",
    )


def _draw_canvas(axes: Axes, canvases: Canvases, index: int, found: Detections, colour: str) -> None:
    """One canvas as ink on paper, with its ground truth and its detections."""
    axes.imshow(canvases.images[index, 0], cmap="gray_r", vmin=0, vmax=280, extent=(0, CANVAS, CANVAS, 0))
    axes.set(xticks=[], yticks=[], xlim=(0, CANVAS), ylim=(CANVAS, 0))
    axes.spines[:].set_color("0.7")
    corners: list[tuple[float, float]] = []
    for box, score, label in found.rows():
        if score >= MIN_SCORE_SHOWN:
            corners.append(_tag_corner(box, corners))
            _draw_box(axes, box, edgecolor=colour, linewidth=1.8)
            _draw_tag(axes, corners[-1], f"{label}  {score:.2f}", colour)
    for box in canvases.boxes[index][canvases.labels[index] >= 0].tolist():
        _draw_box(axes, box, edgecolor=TRUTH_COLOUR, linewidth=0.9, linestyle=(0, (4, 3)))


def _draw_box(axes: Axes, box: list[float], **style: Any) -> None:
    """An empty rectangle for a box x1, y1, x2, y2 in pixels."""
    x1, y1, x2, y2 = box
    axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, **style))


def _draw_tag(axes: Axes, corner: tuple[float, float], text: str, colour: str) -> None:
    """A filled tag of TAG_SIZE with its upper left corner at `corner`."""
    axes.add_patch(Rectangle(corner, *TAG_SIZE, facecolor=colour, edgecolor="none", zorder=3))
    centre = (corner[0] + TAG_SIZE[0] / 2, corner[1] + TAG_SIZE[1] / 2)
    axes.text(*centre, text, ha="center", va="center_baseline", fontsize=7.5, color="white")


def _tag_corner(box: list[float], taken: list[tuple[float, float]]) -> tuple[float, float]:
    """Upper left corner for a tag of TAG_SIZE near a box: the first free place, else the first one."""
    width, height = TAG_SIZE
    x1, y1, x2, y2 = box
    corners = [
        (min(max(x, 0.5), CANVAS - width), y)
        for y in (y1 - height, y2, y1)
        for x in (x1, x2 - width)
        if 0 <= y <= CANVAS - height
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
            smooth = _smooth(curve)
            first = len(curve) - len(smooth) + 1
            axes.plot(range(first, len(curve) + 1), smooth, color=colour, linewidth=width, label=label)
    steps = len(plain.history.box_loss)
    for curve, name in ((plain.history.box_loss, "box loss"), (plain.history.class_loss, "class loss")):
        axes.annotate(name, (steps, _smooth(curve)[-1]), (8, 0), textcoords="offset points", va="center")
    axes.set(yscale="log", xlabel="step", ylabel="loss, moving average", xlim=(0, 1.19 * steps))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_title("Loss curves, one drawn over the other", fontsize=12)
    axes.grid(color="0.92")
    axes.legend(frameon=False)
    _tidy(axes)


def _draw_precisions(axes: Axes, plain: Run, fused: Run) -> None:
    """AP, AP50 and AP75 of both runs as pairs of bars."""
    for offset, run, colour in ((-0.2, plain, PLAIN_COLOUR), (0.2, fused, FUSED_COLOUR)):
        values = [run.precision.ap, run.precision.ap50, run.precision.ap75]
        bars = axes.bar([x + offset for x in range(3)], values, 0.38, color=colour)
        axes.bar_label(bars, fmt="%.3f", padding=2, fontsize=9)
    axes.set(xticks=range(3), xticklabels=["AP", "AP50", "AP75"], ylim=(0, 1.12), ylabel="average precision")
    axes.set_title("Test set, COCO metrics", fontsize=12)
    _tidy(axes)


def _draw_loss_time(axes: Axes, plain: Run, fused: Run) -> None:
    """Median milliseconds in the box loss."""
    times = [plain.box_loss_ms, fused.box_loss_ms]
    bars = axes.bar([plain.name, fused.name], times, 0.62, color=[PLAIN_COLOUR, FUSED_COLOUR])
    axes.bar_label(bars, fmt="%.2f", padding=2)
    axes.set(ylabel="ms forward + backward, median", ylim=(0, 1.15 * max(times)))
    axes.set_title("Time in the box loss", fontsize=12)
    _tidy(axes)


def _draw_step_time(axes: Axes, plain: Run, fused: Run) -> None:
    """Median milliseconds of a step, the part outside the box loss in grey."""
    names = [plain.name, fused.name]
    rest = [plain.rest_ms, fused.rest_ms]
    times = [plain.box_loss_ms, fused.box_loss_ms]
    axes.bar(names, rest, 0.62, color="0.8")
    bars = axes.bar(names, times, 0.62, bottom=rest, color=[PLAIN_COLOUR, FUSED_COLOUR])
    axes.bar_label(bars, [f"{run.step_ms:.1f}" for run in (plain, fused)], padding=2)
    for x, value in enumerate(rest):
        axes.text(x, value / 2, f"{value:.1f}\nsame code", ha="center", va="center", fontsize=8.5)
    axes.set(ylabel="ms, median", ylim=(0, 1.15 * max(plain.step_ms, fused.step_ms)))
    axes.set_title("Time per step", fontsize=12)
    _tidy(axes)


def _smooth(curve: Tensor) -> Tensor:
    """Moving average over a twentieth of a curve (N,); shorter than the curve by the window."""
    window = max(len(curve) // 20, 1)
    return F.avg_pool1d(curve[None], window, stride=1)[0]


def _tidy(axes: Axes) -> None:
    """Only the left and the lower frame line, bars and curves above the grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
