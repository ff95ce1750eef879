"""Two boxes as soft pixels: what PIoU adds up, and which pixels its gradient comes from.

The maps are computed here, from the definition (Chen et al., ECCV 2020); that they add up to what `fastiou.pixel_iou`
and its gradient say is checked.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor

import fastiou
from fastiou.benchmarks.plot_style import INK

PRED, TARGET = (12.2, 9.6, 13.0, 7.0, 0.35), (15.4, 8.9, 14.0, 9.0, -0.15)  # cx, cy, w, h, angle clockwise
K = 4.0  # softer than the default of 10, to be seen
COLUMNS, ROWS = 27, 18  # pixels that are shown; all others together are worth less than 1e-7
NUMBERS = ("cx", "cy", "w", "h", "angle")
SHOWN = (("angle", "∂PIoU / ∂angle"), ("w", "∂PIoU / ∂w"))
BLUE, ORANGE, RED, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"  # of Okabe and Ito, as in the benchmarks
SIGNED = LinearSegmentedColormap.from_list("signed", [RED, "white", BLUE])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/piou_pixels.png"))
    out = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    picture().savefig(out, dpi=110)
    print(out)


def soft_pixels(box: Tensor) -> Tensor:
    """F ``(ROWS, COLUMNS)`` of a box: how much of each pixel is between its edges (Eq. 9 and 10)."""
    cx, cy, w, h, angle = box
    dx = torch.arange(COLUMNS, dtype=box.dtype) + 0.5 - cx
    dy = torch.arange(ROWS, dtype=box.dtype)[:, None] + 0.5 - cy
    u, v = dx * angle.cos() + dy * angle.sin(), dy * angle.cos() - dx * angle.sin()
    return torch.sigmoid(K * (w / 2 - u.abs())) * torch.sigmoid(K * (h / 2 - v.abs()))


class Maps(NamedTuple):
    """F of both boxes, PIoU, and what each pixel contributes to the prediction's gradient: ``(5, ROWS, COLUMNS)``."""

    pred: Tensor
    target: Tensor
    piou: Tensor
    gradient: Tensor


def make_maps(pred: Tensor, target: Tensor) -> Maps:
    """Pixel by pixel: d (I / U) = sum of dF (F' (1 + PIoU) - PIoU) / U, for U = sum of F + F' - F F'."""
    own, other = soft_pixels(pred), soft_pixels(target)
    union = (own + other - own * other).sum()
    piou = (own * other).sum() / union
    slopes = torch.autograd.functional.jacobian(soft_pixels, pred).movedim(-1, 0)
    return Maps(own, other, piou, slopes * (other * (1 + piou) - piou) / union)


def check(maps: Maps, pred: Tensor, target: Tensor) -> dict[str, Tensor]:
    """PIoU and exact IoU, each with its gradient ``(6,)``; an AssertionError if the maps add up to another PIoU."""
    pred = pred.clone().requires_grad_()
    found = {}
    for name, score in (
        ("PIoU", fastiou.pixel_iou(pred, target, k=K)),
        ("exact IoU", 1 - fastiou.rotated_iou_loss(pred, target)),
    ):
        found[name] = torch.cat([score.detach()[None], *torch.autograd.grad(score, pred)])
    sums = torch.cat([maps.piou[None], maps.gradient.sum((1, 2))])
    torch.testing.assert_close(found["PIoU"], sums, rtol=0, atol=1e-6)
    return found


def picture() -> Figure:
    pred, target = (torch.tensor(box, dtype=torch.float64) for box in (PRED, TARGET))
    maps = make_maps(pred, target)
    numbers = check(maps, pred, target)

    figure = Figure(figsize=(16, 8.6), facecolor="white")
    figure.text(0.02, 0.962, "PIoU: two boxes as soft pixels", fontsize=17, weight="bold", va="center")
    note = f"F of a pixel is 1 in a box, 0 outside, and in between along its edges; k = {K:g}. Broken line: the target."
    figure.text(0.02, 0.92, note, fontsize=10.5, color=INK, va="center")
    grid = figure.add_gridspec(2, 3, left=0.02, right=0.98, bottom=0.035, top=0.85, wspace=0.06, hspace=0.2)
    axes = [figure.add_subplot(cell) for cell in grid]

    shared = maps.pred * maps.target
    _draw(axes[0], _mixed((maps.pred, BLUE), (maps.target, ORANGE)), "F of the prediction (blue), F′ of the target")
    _draw(axes[1], _mixed((shared, GREEN)), f"Intersection: sum of F F′ = {shared.sum():.2f}")
    union = maps.pred + maps.target - shared
    _draw(axes[2], _mixed((union, "0.25")), f"Union: sum of F + F′ − F F′ = {union.sum():.2f}")
    for place, (name, title) in zip(axes[3:], SHOWN, strict=False):
        own = maps.gradient[NUMBERS.index(name)]
        reach = own.abs().max()
        _draw(
            place, SIGNED(((own / reach + 1) / 2).numpy())[..., :3], f"{title} = {_signed(own.sum())}, pixel by pixel"
        )
    _write(axes[5], numbers)
    return figure


def _mixed(*layers: tuple[Tensor, str]) -> np.ndarray:
    """Colours on white, each as strong as its map, like ink on ink."""
    image = np.ones((ROWS, COLUMNS, 3))
    for strength, colour in layers:
        image *= 1 - strength.numpy()[..., None] * (1 - np.array(to_rgb(colour))) * 0.8
    return image


def _draw(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image, extent=(0, COLUMNS, ROWS, 0), interpolation="nearest")
    axes.hlines(range(ROWS + 1), 0, COLUMNS, color="0.85", linewidth=0.5)
    axes.vlines(range(COLUMNS + 1), 0, ROWS, color="0.85", linewidth=0.5)
    for box, line in ((PRED, "-"), (TARGET, (0, (4, 2)))):
        corners = fastiou.convert_rotated(torch.tensor(box), "cxcywhr", "polygon").reshape(4, 2)
        axes.add_patch(Polygon(corners, fill=False, linewidth=1.4, linestyle=line, edgecolor="black", zorder=3))
    axes.set(xticks=[], yticks=[], xlim=(0, COLUMNS), ylim=(ROWS, 0))
    axes.spines[:].set_color("0.85")
    axes.set_title(title, fontsize=12.5, loc="left", pad=8)


def _write(axes: Axes, numbers: dict[str, Tensor]) -> None:
    """A table of what the maps add up to, and the exact numbers beside it."""
    axes.set(xlim=(0, 1), ylim=(1, 0))
    axes.axis("off")
    for column, name in enumerate(numbers):
        axes.text(0.55 + 0.35 * column, 0.05, name, fontsize=12.5, weight="bold", ha="right", va="center")
    rows = ("value", *(f"∂ / ∂{name}" for name in NUMBERS))
    for i, row in enumerate(rows):
        y = 0.16 + 0.09 * i
        axes.text(0.05, y, row, fontsize=12, color=INK, va="center")
        for column, values in enumerate(numbers.values()):
            text = _signed(values[i]) if i else f"{values[i]:.4f}"
            axes.text(0.55 + 0.35 * column, y, text, fontsize=12, ha="right", va="center", family="monospace")
    text = (
        "Blue pixels push the number up, orange ones down: one that\n"
        "joins the prediction earns 1 / U on the target, costs PIoU / U\n"
        "off it, and only those along its edges can join or leave."
    )
    axes.text(0.05, 0.87, text, fontsize=10.5, color=INK, va="center", linespacing=1.5)


def _signed(x: Tensor) -> str:
    return f"{x:+.4f}".replace("-", "−")


if __name__ == "__main__":
    main()
