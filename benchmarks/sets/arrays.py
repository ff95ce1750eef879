"""IoU of NumPy arrays by others than fastiou."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np

from .case import Case


def to_xywh(*sets: np.ndarray) -> tuple[np.ndarray, ...]:
    """Corners -> corner and sides, COCO's boxes."""
    return tuple(np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1) for boxes in sets)


def pycocotools_iou(case: Case) -> Callable:
    """COCO's own, of boxes as `to_xywh` makes them; float64, to which it casts by itself."""
    iou = importlib.import_module("pycocotools.mask").iou
    crowd = np.zeros(case.m, np.uint8)  # a list instead of an array takes it three times as long
    return lambda boxes1, boxes2: iou(boxes1, boxes2, crowd)


def cython_bbox_iou(case: Case) -> Callable:
    """That of the trackers, which counts a pixel more per side; float64, to which its callers cast."""
    bbox_overlaps = importlib.import_module("cython_bbox").bbox_overlaps
    if case.dtype == "float64":
        return bbox_overlaps
    return lambda boxes1, boxes2: bbox_overlaps(boxes1.astype(np.float64), boxes2.astype(np.float64))


def broadcast_iou(case: Case) -> Callable:
    """Plain NumPy, in the dtype of the boxes."""

    def iou(boxes1: np.ndarray, boxes2: np.ndarray) -> np.ndarray:
        corner1 = np.maximum(boxes1[:, None, :2], boxes2[:, :2])
        corner2 = np.minimum(boxes1[:, None, 2:], boxes2[:, 2:])
        sides = (corner2 - corner1).clip(min=0)
        intersection = sides[..., 0] * sides[..., 1]
        area1, area2 = ((boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (boxes1, boxes2))
        return intersection / (area1[:, None] + area2 - intersection)

    return iou
