"""A synthetic video: things that cross a canvas, and what a mediocre detector reports of them."""

from dataclasses import dataclass

import numpy as np

import fastiou.numpy as fn

MISS = 0.08  # share of things that the detector overlooks
FALSE_ALARMS = 0.03  # detections of nothing, per thing
NOISE = 0.05  # of corners, as a share of the sides
COVERED = 0.25  # share of the canvas that the things would cover side by side
HIDDEN = 0.65  # share of a thing behind nearer ones from which on the detector does not see it


@dataclass(frozen=True)
class Scene:
    """A video of T frames with N things."""

    size: tuple[int, int]  # width and height in pixels
    truth: np.ndarray  # (T, N, 4) float32 corners x1, y1, x2, y2; NaN where a thing is not in the picture
    detections: list[np.ndarray]  # T times (n, 4) float32 corners, in no order


def make_scene(things: int, frames: int, size: tuple[int, int], seed: int) -> Scene:
    """A video that is the same for the same arguments."""
    rng = np.random.default_rng(seed)
    truth = np.stack([_thing(i / things, things, frames, size, rng) for i in range(things)], axis=1)
    return Scene(size, truth, [_detect(boxes, size, rng) for boxes in truth])


def _thing(phase: float, things: int, frames: int, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Boxes (T, 4) of one thing: from one edge through the middle to the other, on a slightly winding path."""
    span = np.array(size, float)
    angle = 2 * np.pi * (phase + rng.uniform(0, 0.5))
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    middle = span * rng.uniform(0.3, 0.7, 2)
    duration = rng.uniform(0.55, 0.8) * frames
    start = rng.uniform(-0.1 * frames, frames - 0.85 * duration)
    time = (np.arange(frames) - start) / duration  # 0 to 1 on the way
    bend = 0.06 * span.min() * np.sin(2 * np.pi * (time * rng.uniform(0.5, 1) + rng.uniform()))
    centre = middle + (time - 0.5)[:, None] * 1.1 * span.max() * along + bend[:, None] * across
    side = (
        np.sqrt(COVERED * span.prod() / things) * np.exp(rng.normal(0, 0.15, 2)) * (1 + 0.1 * np.sin(4 * time))[:, None]
    )
    boxes = np.concatenate([centre - side / 2, centre + side / 2], 1)
    boxes[~((centre >= 0) & (centre <= span)).all(1)] = np.nan
    return boxes.astype(np.float32)


def _typical_side(things: int, size: tuple[int, int]) -> float:
    """Side of a square thing in pixels."""
    return float(np.sqrt(COVERED * np.prod(size) / things))


def _detect(boxes: np.ndarray, size: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """The detections of one frame: noisy, some missing, some of nothing."""
    false = rng.poisson(FALSE_ALARMS * len(boxes))
    corner = rng.uniform(0, 0.9, (false, 2)) * size
    false_boxes = np.concatenate(
        [corner, corner + rng.uniform(0.6, 1.4, corner.shape) * _typical_side(len(boxes), size)], 1
    )

    boxes = boxes[~np.isnan(boxes[:, 0])]
    # The nearer thing stands lower in the picture and hides what is behind it.
    nearer = boxes[None, :, 3] > boxes[:, None, 3]
    hidden = np.where(nearer, fn.box_iou(boxes, boxes, "iof"), 0).max(1, initial=0)
    seen = boxes[(hidden < HIDDEN) & (rng.random(len(boxes)) >= MISS)]
    noise = rng.normal(0, NOISE, seen.shape) * np.tile(seen[:, 2:] - seen[:, :2], 2)
    found = np.concatenate([seen + noise, false_boxes]).astype(np.float32)
    return found[rng.permutation(len(found))]
