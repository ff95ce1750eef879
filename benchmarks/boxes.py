"""The boxes that the benchmark runs on: random ones, or real ones from a COCO file."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import torch
from torch import Tensor

RANDOM = "random"
IMAGE_SIDE = 640.0  # pixels
SEED = 0


def make_pairs(boxes: str, n: int) -> tuple[Tensor, Tensor]:
    """Predictions and targets ``(n, 4)``, corners in pixels, float32 on the CPU; the same ones every time.

    Args:
        boxes: ``"random"``, or the path of a COCO file whose boxes are the targets, repeated up to ``n``. Predictions
            are jittered targets in both cases: a result file does not say which box an object should have had.
    """
    generator = torch.Generator().manual_seed(SEED)
    if boxes == RANDOM:
        targets = random_boxes(n, generator)
    else:
        real = load_boxes(Path(boxes))
        targets = real[torch.arange(n) % len(real)]
    return jitter(targets, generator), targets


def random_boxes(n: int, generator: torch.Generator) -> Tensor:
    """Boxes ``(n, 4)`` with sides that vary like those of COCO objects: log-normal, 50 pixels in the middle."""
    sides = (50 * torch.randn(n, 2, generator=generator).exp()).clamp(2, IMAGE_SIDE)
    corner = torch.rand(n, 2, generator=generator) * (IMAGE_SIDE - sides)
    return torch.cat([corner, corner + sides], -1)


def jitter(boxes: Tensor, generator: torch.Generator) -> Tensor:
    """Boxes of a fair detector for these objects: centres off by 15 % of the sides, sides by 20 %. Most overlap."""
    sides = boxes[:, 2:] - boxes[:, :2]
    centres = (boxes[:, 2:] + boxes[:, :2]) / 2
    centres = centres + 0.15 * sides * torch.randn(sides.shape, generator=generator)
    half = sides / 2 * (0.2 * torch.randn(sides.shape, generator=generator)).exp()
    return torch.cat([centres - half, centres + half], -1)


@functools.cache
def load_boxes(path: Path) -> Tensor:
    """All boxes of a COCO annotation file or a COCO result file, ``(boxes, 4)`` as corners.

    Raises:
        ValueError: the file is missing, is no JSON, or holds no boxes.
    """
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise ValueError(f"--boxes {path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"--boxes {path}: not a JSON file: {error}") from error
    entries = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise ValueError(
            f'--boxes {path}: expected a COCO annotation file ({{"annotations": [...]}}) or a result file (a list)'
        )
    boxes = [entry["bbox"] for entry in entries if isinstance(entry, dict) and _is_box(entry.get("bbox"))]
    if not boxes:
        raise ValueError(f'--boxes {path}: none of its {len(entries)} entries has a "bbox": [x, y, width, height]')
    xywh = torch.tensor(boxes, dtype=torch.float32)
    return torch.cat([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], -1)


def name_of(boxes: str) -> str:
    """How the CSV calls these boxes."""
    return boxes if boxes == RANDOM else Path(boxes).stem


def _is_box(value: object) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(isinstance(x, int | float) for x in value)
