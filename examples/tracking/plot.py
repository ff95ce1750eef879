"""One picture: some frames with their tracks, all paths, the identity of every thing over time, and the times."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle
from metrics import Metrics
from scene import Scene
from tracker import Tracked

COLOURS = (
    "#0072B2", "#E69F00", "#CC3311", "#009E73", "#AA3377", "#66CCEE", "#999933", "#332288", "#EE7733", "#882255",
    "#117733", "#FF88AA", "#6699CC", "#664422",
)  # fmt: skip
PAPER, THING, EDGE, GREY = "#f6f6f3", "#dcdcd6", "#b4b4ac", "0.4"
SHOWN_FRAMES = (0.4, 0.52, 0.73)  # of the video
TRAIL = 45  # frames
TAG_HEIGHT = 30  # pixels


def save_picture(
    path: Path,
    scene: Scene,
    tracked: list[Tracked],
    metrics: Metrics,
    times: dict[str, tuple[float, float]],
) -> None:
    """Write the PNG; `times` are the microseconds per frame in GIoU with fastiou and with NumPy, by video."""
    figure = Figure(figsize=(16, 10.2), facecolor="white")
    figure.suptitle("Tracking by detection with fastiou.numpy and SciPy, without torch", fontsize=17, y=0.978)
    note = (
        f"{scene.truth.shape[1]} things, {len(tracked)} frames: MOTA {metrics.mota:.3f}, IDF1 {metrics.idf1:.3f}, "
        f"identity switches {metrics.switches}, mean IoU {metrics.mean_iou:.3f}"
    )
    figure.text(0.5, 0.928, note, ha="center", fontsize=11.5, color=GREY)
    colours = _colours(metrics)

    frames = figure.add_gridspec(1, len(SHOWN_FRAMES), left=0.025, right=0.985, bottom=0.58, top=0.885, wspace=0.03)
    for column, share in enumerate(SHOWN_FRAMES):
        _draw_frame(figure.add_subplot(frames[column]), scene, tracked, int(share * len(tracked)), colours)
    figure.text(
        0.505,
        0.552,
        "Grey: the things. Dotted: what the detector reports, with noise, misses and false alarms. "
        "Coloured: tracks with their trails.",
        ha="center",
        fontsize=10.5,
        color=GREY,
    )
    grid = figure.add_gridspec(
        1, 3, left=0.025, right=0.985, bottom=0.065, top=0.485, wspace=0.16, width_ratios=[1.65, 1.5, 0.8]
    )
    paths, identity, time = (figure.add_subplot(grid[i]) for i in range(3))
    _draw_paths(paths, scene, tracked, colours)
    _draw_identity(identity, metrics, colours)
    _draw_times(time, times)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _colours(metrics: Metrics) -> dict[int, str]:
    """A colour for each track that covers something, in the order in which they appear."""
    tracks = dict.fromkeys(metrics.identity[metrics.identity >= 0].tolist())
    return {track: COLOURS[n % len(COLOURS)] for n, track in enumerate(tracks)}


def _draw_frame(axes: Axes, scene: Scene, tracked: list[Tracked], frame: int, colours: dict[int, str]) -> None:
    """One frame of the video."""
    _canvas(axes, scene)
    axes.set_title(f"frame {frame}", fontsize=11.5)
    boxes = scene.truth[frame]
    boxes = boxes[~np.isnan(boxes[:, 0])]
    for x1, y1, x2, y2 in boxes[np.argsort(boxes[:, 3])]:  # the nearest last
        style = f"round,pad=0,rounding_size={0.2 * min(x2 - x1, y2 - y1)}"
        axes.add_patch(FancyBboxPatch((x1, y1), x2 - x1, y2 - y1, style, facecolor=THING, edgecolor=EDGE))
    for x1, y1, x2, y2 in scene.detections[frame]:
        axes.add_patch(
            Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor="0.15", linewidth=0.9, linestyle=":")
        )
    for track, (x1, y1, x2, y2) in zip(tracked[frame].ids.tolist(), tracked[frame].boxes, strict=True):
        colour = colours.get(track, "0.3")
        trail = _path(tracked[max(0, frame - TRAIL) : frame + 1], track)
        fade = [to_rgba(colour, alpha) for alpha in np.linspace(0.05, 0.9, max(len(trail) - 1, 1))]
        axes.add_collection(LineCollection(np.stack([trail[:-1], trail[1:]], 1), colors=fade, linewidths=2.2))
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=2))
        tag = {"facecolor": colour, "edgecolor": "none", "boxstyle": "square,pad=0.15"}
        inside = y1 < TAG_HEIGHT
        axes.text(
            max(x1, 0) + 3, max(y1, 0) + 3 if inside else y1, str(track), color="white", fontsize=9,
            va="top" if inside else "bottom", bbox=tag, clip_on=True,
        )  # fmt: skip


def _draw_paths(axes: Axes, scene: Scene, tracked: list[Tracked], colours: dict[int, str]) -> None:
    """The centres of things and tracks over the whole video."""
    _canvas(axes, scene)
    axes.set_title("True paths (grey) and tracked paths over the whole video", fontsize=12)
    centres = (scene.truth[..., :2] + scene.truth[..., 2:]) / 2
    for thing in range(centres.shape[1]):
        axes.plot(*centres[:, thing].T, color=THING, linewidth=8, solid_capstyle="round", zorder=1)
    for track in sorted({i for report in tracked for i in report.ids.tolist()}):
        axes.plot(*_path(tracked, track).T, color=colours.get(track, "0.3"), linewidth=1.7, zorder=2)


def _draw_identity(axes: Axes, metrics: Metrics, colours: dict[int, str]) -> None:
    """A bar for each thing in the colour of the track that covers it."""
    frames, things = metrics.identity.shape
    image = np.ones((things, frames, 3))
    image[(metrics.identity == -1).T] = to_rgba("0.82")[:3]
    for track, colour in colours.items():
        image[(metrics.identity == track).T] = to_rgba(colour)[:3]
    axes.imshow(image, aspect="auto", interpolation="nearest", extent=(0, frames, things - 0.5, -0.5))
    for thing, column in enumerate(metrics.identity.T):
        for track in dict.fromkeys(column[column >= 0].tolist()):
            there = np.flatnonzero(column == track)
            axes.text(there[0] + 2.5, thing, str(track), color="white", fontsize=8.5, va="center", fontweight="bold")
    axes.hlines(np.arange(0.5, things - 1), 0, frames, color="white", linewidth=5)
    axes.set(yticks=range(things), yticklabels=[f"thing {i}" for i in range(things)], xlabel="frame")
    axes.tick_params(axis="y", length=0, labelsize=9)
    axes.set_title("Which track follows which thing (grey: none)", fontsize=12)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _draw_times(axes: Axes, times: dict[str, tuple[float, float]]) -> None:
    """Microseconds per frame in GIoU, on a logarithmic axis."""
    for offset, index, name, colour in ((-0.2, 0, "fastiou", COLOURS[0]), (0.2, 1, "NumPy", COLOURS[1])):
        values = [pair[index] for pair in times.values()]
        bars = axes.bar([x + offset for x in range(len(times))], values, 0.38, color=colour, label=name)
        axes.bar_label(bars, [f"{value:,.3g}" for value in values], padding=2)
    axes.set(yscale="log", xticks=range(len(times)), xticklabels=list(times), ylabel="µs per frame, median")
    axes.set_ylim(1, 6 * max(max(pair) for pair in times.values()))
    axes.set_title("Time in GIoU", fontsize=12)
    axes.legend(frameon=False, loc="upper left")
    axes.spines[["top", "right"]].set_visible(False)


def _path(tracked: list[Tracked], track: int) -> np.ndarray:
    """The centres (n, 2) of a track in the frames that report it."""
    boxes = np.concatenate([report.boxes[report.ids == track] for report in tracked])
    return (boxes[:, :2] + boxes[:, 2:]) / 2


def _canvas(axes: Axes, scene: Scene) -> None:
    """Empty axes with the canvas of the video."""
    width, height = scene.size
    axes.set(xticks=[], yticks=[], xlim=(0, width), ylim=(height, 0), aspect="equal", facecolor=PAPER)
    axes.spines[:].set_color("0.75")
