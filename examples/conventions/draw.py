"""One rectangle in every convention of rotated boxes, drawn from what `convert_rotated` returns."""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Wedge

from fastiou import convert_rotated
from fastiou.conventions.rotated import CONVENTIONS, Convention

BOX = (60.0, 60.0, 80.0, 40.0, np.radians(130))  # canonical: few conventions write it in the same way
CENTRE = np.array(BOX[:2])
WIDTH, HEIGHT, ANGLE, POINT = "#0072B2", "#E69F00", "#D55E00", "#009E73"  # of Okabe and Ito, as in the benchmarks
FACE, EDGE, RANGE, INK, GREY = "#eef4f8", "#8aa4b5", "#f1efe9", "0.15", "0.42"
ARC, REACH = 15, 50  # radii of the angle and of its range
HEAD = 5  # length of the arc's arrow head
COLUMNS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/rotated_conventions.png"))
    out = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    picture().savefig(out, dpi=110)
    print(out)


def picture() -> Figure:
    names = [name for name in CONVENTIONS if name not in ("xyxy", "xywh", "cxcywh")]
    figure = Figure(figsize=(16, 12.6), facecolor="white")
    figure.suptitle("The same rectangle in every convention of fastiou.convert_rotated", fontsize=17, y=0.98)
    grid = figure.add_gridspec(3, COLUMNS, left=0.015, right=0.985, bottom=0.055, top=0.88, wspace=0.04, hspace=0.54)
    for place, name in enumerate(names):
        axes = figure.add_subplot(grid[place // COLUMNS, place % COLUMNS])
        _draw_convention(axes, name, CONVENTIONS[name])
    _draw_key(figure.add_subplot(grid[2, 3:]))
    return figure


def _draw_convention(axes: Axes, name: str, convention: Convention) -> None:
    numbers = convert_rotated(torch.tensor(BOX, dtype=torch.float64), "cxcywhr", name)
    canonical = convert_rotated(numbers, name, "cxcywhr").tolist()
    corners = convert_rotated(numbers, name, "polygon").reshape(4, 2).numpy()
    _canvas(axes)
    axes.set_title(name, fontsize=13, fontweight="bold", color=INK, pad=37)
    note = _note(convention)
    axes.text(
        0.5, 1.035, note, transform=axes.transAxes, ha="center", fontsize=10.5, color=GREY, linespacing=1.3
    )  # fmt: skip
    axes.text(
        0.5, -0.04, _spelled(numbers.tolist(), convention), transform=axes.transAxes, ha="center", va="top",
        fontsize=10.5 if convention.has_angle else 10, color=INK, family="monospace", linespacing=1.35,
    )  # fmt: skip

    if convention.range is not None:
        low, high = (np.degrees(x * np.pi / 2) for x in convention.range[:2])
        low, high = (low, high) if convention.clockwise else (-high, -low)
        axes.add_patch(Wedge(CENTRE, REACH, low, high, facecolor=RANGE, edgecolor="0.85", linewidth=0.8, zorder=0))
    axes.add_patch(Polygon(corners, facecolor=FACE, edgecolor=EDGE, linewidth=1.5, alpha=0.9, zorder=1))
    if convention.has_angle:
        _draw_axes_of_box(axes, canonical)
        _draw_angle(axes, numbers[4].item(), convention)
    if not convention.numbers.startswith("cx"):
        count = 1 if convention.has_angle else 4
        _draw_corners(axes, corners[:count])


def _note(convention: Convention) -> str:
    if not convention.has_angle:
        return "clockwise from the box's top left" if convention.numbers.startswith("x1") else "any order is read"
    unit = "degrees" if convention.degrees else "radians"
    sense = "clockwise" if convention.clockwise else "counter-clockwise"
    limits = convention.spelled_range().replace("any", "any angle")
    return f"{unit}, {sense}\n{limits}" + (", w ≥ h" if convention.long_side_first else "")


def _spelled(numbers: list[float], convention: Convention) -> str:
    """Names and numbers, in columns."""
    if convention.has_angle:
        names = convention.numbers.split()
        digits = [f"{x:.4g}" for x in numbers[:4]] + [f"{numbers[4]:.4g}" + ("°" if convention.degrees else "")]
        wide = [max(len(a), len(b)) for a, b in zip(names, digits, strict=True)]
        rows = ["  ".join(f"{x:>{n}}" for x, n in zip(row, wide, strict=True)) for row in (names, digits)]
        return "\n".join(rows).replace("-", "−")
    points = [f"{x:.1f} {y:.1f}" for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
    return "\n".join(f"{i + 1}: {points[i]:<10}  {i + 2}: {points[i + 1]:<10}" for i in (0, 2))


def _draw_axes_of_box(axes: Axes, box: list[float]) -> None:
    """Arrows from the centre along width and height."""
    _, _, w, h, angle = box
    u = np.array([np.cos(angle), np.sin(angle)])
    for name, direction, length, colour in (("w", u, w, WIDTH), ("h", np.array([-u[1], u[0]]), h, HEIGHT)):
        tip = CENTRE + direction * length / 2
        axes.add_patch(
            FancyArrowPatch(
                CENTRE,
                tip,
                arrowstyle="-|>",
                mutation_scale=15,
                color=colour,
                linewidth=2.4,
                shrinkA=0,
                shrinkB=0,
                zorder=3,
            )
        )
        x, y = tip + direction * 7
        axes.text(x, y, name, color=colour, fontsize=12.5, fontweight="bold", ha="center", va="center", zorder=4)


def _draw_angle(axes: Axes, angle: float, convention: Convention) -> None:
    """An arc from the x axis to the width axis, in the direction in which the angle grows if it is positive."""
    clockwise = angle * convention.radian
    t = np.linspace(0, clockwise, 60)
    arc = CENTRE + ARC * np.stack([np.cos(t), np.sin(t)], 1)
    axes.plot(
        [CENTRE[0], CENTRE[0] + REACH], [CENTRE[1]] * 2, color="0.45", linewidth=1, linestyle=(0, (4, 3)), zorder=2
    )
    neck = np.searchsorted(np.abs(t), abs(clockwise) - HEAD / ARC)
    axes.plot(*arc[: neck + 1].T, color=ANGLE, linewidth=1.8, zorder=3)
    along, across = arc[-1] - arc[neck], (arc[-1] - arc[neck])[::-1] * (-0.42, 0.42)
    axes.add_patch(Polygon([arc[-1], arc[-1] - along + across, arc[-1] - along - across], color=ANGLE, zorder=3))
    text = f"{angle:.3g}".replace("-", "−") + ("°" if convention.degrees else "")
    y = CENTRE[1] + 7 * np.sign(clockwise)
    axes.text(117, y, text, color=ANGLE, fontsize=11, fontweight="bold", ha="right", va="center", zorder=4)


def _draw_corners(axes: Axes, corners: np.ndarray) -> None:
    for i, corner in enumerate(corners, 1):
        axes.plot(*corner, "o", color=POINT, markersize=7, zorder=4)
        x, y = corner + (7 if len(corners) > 1 else 11) * (corner - CENTRE) / np.linalg.norm(corner - CENTRE)
        name = str(i) if len(corners) > 1 else "x1\ny1"
        axes.text(
            x, y, name, color=POINT, fontsize=11, fontweight="bold", ha="center", va="center", zorder=4, linespacing=1
        )  # fmt: skip


def _draw_key(axes: Axes) -> None:
    axes.set(xlim=(0, 260), ylim=(120, 0))
    axes.axis("off")
    rows = (
        (WIDTH, "w", "the width axis: where the angle points"),
        (HEIGHT, "h", "the height axis: a quarter turn further, clockwise"),
        (ANGLE, "∠", "the angle, from the x axis to the width axis"),
        (POINT, "1", "corners, where they are what is written"),
    )
    for i, (colour, sign, text) in enumerate(rows):
        axes.text(22, 22 + 16 * i, sign, color=colour, fontsize=13, fontweight="bold", ha="center", va="center")
        axes.text(36, 22 + 16 * i, text, color=INK, fontsize=11.5, va="center")
    axes.add_patch(Polygon([(16, 81), (28, 81), (28, 91), (16, 91)], facecolor=RANGE, edgecolor="0.8"))
    axes.text(36, 86, "the range of the angle", color=INK, fontsize=11.5, va="center")
    axes.text(15, 104, "x is to the right and y is down, as in images.", color=GREY, fontsize=11, va="center")


def _canvas(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[], xlim=(0, 120), ylim=(120, 0), aspect="equal", facecolor="white")
    axes.spines[:].set_color("0.85")


if __name__ == "__main__":
    main()
