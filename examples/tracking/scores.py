"""GIoU of predicted boxes with detections: the part to read. Once with fastiou, once as people write it in NumPy."""

import time
from collections.abc import Callable

import numpy as np

import fastiou.numpy as fn

#: (n, 4) centres and sizes, (m, 4) corners -> (n, m).
Score = Callable[[np.ndarray, np.ndarray], np.ndarray]


def giou_fastiou(predicted: np.ndarray, detected: np.ndarray) -> np.ndarray:
    """One call; the centres and sizes are read as they are."""
    return fn.box_iou(predicted, detected, "giou", fmt=("cxcywh", "xyxy"))


def giou_numpy(predicted: np.ndarray, detected: np.ndarray) -> np.ndarray:
    """The same by broadcasting, one coordinate at a time, which is the quickest way to write it."""
    x, y, w, h = (c[:, None] for c in predicted.T)
    ax1, ay1, ax2, ay2 = x - w / 2, y - h / 2, x + w / 2, y + h / 2
    bx1, by1, bx2, by2 = detected.T
    overlap_w = np.maximum(np.minimum(ax2, bx2) - np.maximum(ax1, bx1), 0)
    overlap_h = np.maximum(np.minimum(ay2, by2) - np.maximum(ay1, by1), 0)
    overlap = overlap_w * overlap_h
    union = w * h + (bx2 - bx1) * (by2 - by1) - overlap
    enclosing = (np.maximum(ax2, bx2) - np.minimum(ax1, bx1)) * (np.maximum(ay2, by2) - np.minimum(ay1, by1))
    return overlap / union - (enclosing - union) / enclosing


class Stopwatch:
    """A score that remembers the time of each of its calls."""

    def __init__(self, score: Score):
        self.score = score
        self.seconds: list[float] = []

    def __call__(self, predicted: np.ndarray, detected: np.ndarray) -> np.ndarray:
        """The scores."""
        start = time.perf_counter()
        scores = self.score(predicted, detected)
        self.seconds.append(time.perf_counter() - start)
        return scores

    @property
    def median_us(self) -> float:
        """Median microseconds of a call."""
        return 1e6 * float(np.median(self.seconds))
