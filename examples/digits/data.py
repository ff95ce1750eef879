"""Canvases with real handwritten digits pasted at random places and sizes."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import Tensor
from tqdm import tqdm

CANVAS = 128
MAX_DIGITS = 6
MIN_HEIGHT, MAX_HEIGHT = 16, 48  # pixels
MIN_WIDTH = 10  # pixels
MAX_OVERLAP = 0.15
TRAIN_SHARE = 0.8

Box = tuple[float, ...]
Region = tuple[slice, slice]  # rows, columns


@dataclass(frozen=True)
class Layout:
    """How digits lie on a canvas."""

    numbers: int  # of a box
    place: Callable[[Tensor, torch.Generator], Box]  # a random place and size for a digit
    draw: Callable[[Tensor, Box], tuple[Region, Tensor]]  # a digit fitted to a box: where, and its ink there
    iou: Callable[[Box, Box], float]


@dataclass(frozen=True)
class Canvases:
    """N canvases with their ground truth; unused box slots have label -1."""

    images: Tensor  # (N, 1, CANVAS, CANVAS) uint8, 0 = paper, 255 = ink
    boxes: Tensor  # (N, MAX_DIGITS, 4) float32 x1, y1, x2, y2 in pixels, or as the layout has them
    labels: Tensor  # (N, MAX_DIGITS) int64 in -1..9

    def __len__(self) -> int:
        """N."""
        return len(self.images)

    def batch(self, index: Tensor | slice) -> tuple[Tensor, Tensor, Tensor]:
        """Images as float32 in 0..1, boxes and labels of the chosen canvases."""
        return self.images[index].float() / 255, self.boxes[index], self.labels[index]


def load_scans() -> tuple[list[tuple[Tensor, int]], list[tuple[Tensor, int]]]:
    """Train and test scans: pairs of ink (h, w) in 0..1, cropped to the digit, and its class."""
    bunch = load_digits()
    inks = torch.from_numpy(bunch.images).float() / 16
    scans = [(_crop(ink), int(label)) for ink, label in zip(inks, bunch.target, strict=True)]
    split = int(TRAIN_SHARE * len(scans))
    return scans[:split], scans[split:]


def make_canvases(
    scans: list[tuple[Tensor, int]], count: int, seed: int, title: str, layout: Layout | None = None
) -> Canvases:
    """Draw `count` canvases from `scans`, digits upright by default; the same seed gives the same canvases."""
    layout = layout or UPRIGHT
    rng = torch.Generator().manual_seed(seed)
    images = torch.empty(count, 1, CANVAS, CANVAS, dtype=torch.uint8)
    boxes = torch.zeros(count, MAX_DIGITS, layout.numbers)
    labels = torch.full((count, MAX_DIGITS), -1)
    for i in tqdm(range(count), desc=title, unit="canvas"):
        image = _paper(rng)
        placed: list[Box] = []
        for _ in range(randint(1, MAX_DIGITS + 1, rng)):
            ink, label = scans[randint(0, len(scans), rng)]
            box = layout.place(ink, rng)
            if all(layout.iou(box, other) <= MAX_OVERLAP for other in placed):
                _paste(image, *layout.draw(ink, box), rng)
                boxes[i, len(placed)] = torch.tensor(box)
                labels[i, len(placed)] = label
                placed.append(box)
        image += 0.04 * torch.randn(image.shape, generator=rng)
        images[i, 0] = (image.clamp(0, 1) * 255).round().to(torch.uint8)
    return Canvases(images, boxes, labels)


def _crop(ink: Tensor) -> Tensor:
    """Cut away the empty rows and columns around a digit."""
    drawn = ink > 0.1
    rows, cols = drawn.any(1).nonzero(), drawn.any(0).nonzero()
    return ink[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]


def _paper(rng: torch.Generator) -> Tensor:
    """A (CANVAS, CANVAS) background with smooth stains of about 0 to 0.2."""
    stains = 0.2 * torch.rand(1, 1, 5, 5, generator=rng)
    return F.interpolate(stains, (CANVAS, CANVAS), mode="bicubic", align_corners=True)[0, 0]


def _place(ink: Tensor, rng: torch.Generator) -> Box:
    """A random place and size for a digit, its shape stretched by up to a quarter."""
    height = randint(MIN_HEIGHT, MAX_HEIGHT + 1, rng)
    stretch = 0.8 + 0.45 * torch.rand((), generator=rng).item()
    width = max(round(stretch * height * ink.shape[1] / ink.shape[0]), MIN_WIDTH)
    x, y = randint(0, CANVAS - width + 1, rng), randint(0, CANVAS - height + 1, rng)
    return x, y, x + width, y + height


def _draw(ink: Tensor, box: Box) -> tuple[Region, Tensor]:
    """A digit stretched to `box`."""
    x1, y1, x2, y2 = box
    stretched = F.interpolate(ink[None, None], (y2 - y1, x2 - x1), mode="bilinear")[0, 0]
    return (slice(y1, y2), slice(x1, x2)), stretched


def _paste(image: Tensor, region: Region, ink: Tensor, rng: torch.Generator) -> None:
    """Put a digit's ink on a region of `image` in place, in a random strength, the darker ink winning."""
    strength = 0.65 + 0.35 * torch.rand((), generator=rng)
    torch.maximum(image[region], strength * ink, out=image[region])


def _iou(a: Box, b: Box) -> float:
    """IoU of two boxes."""
    inter = max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area_a, area_b = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return inter / (area_a + area_b - inter)


def randint(low: int, high: int, rng: torch.Generator) -> int:
    """A random integer in low..high-1."""
    return int(torch.randint(low, high, (), generator=rng))


#: Boxes x1, y1, x2, y2 in whole pixels.
UPRIGHT = Layout(4, _place, _draw, _iou)
