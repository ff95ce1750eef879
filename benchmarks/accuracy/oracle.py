"""IoU of rotated boxes by shapely (GEOS), in float64: general polygons, nothing in common with fastiou."""

from __future__ import annotations

import importlib
import math
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from torch import Tensor

CHUNK = 20_000


def exact_iou(boxes1: Tensor, boxes2: Tensor, degrees: bool) -> np.ndarray:
    """IoU ``(n,)`` of the float64 values of boxes ``(n, 5)``; degrees are counter-clockwise, radians clockwise."""
    first, second = (boxes.cpu().double().numpy() for boxes in (boxes1, boxes2))
    chunks = [slice(start, start + CHUNK) for start in range(0, len(first), CHUNK)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # shapely releases the GIL
        return np.concatenate(list(pool.map(lambda part: _iou(first[part], second[part], degrees), chunks)))


def _iou(boxes1: np.ndarray, boxes2: np.ndarray, degrees: bool) -> np.ndarray:
    shapely = importlib.import_module("shapely")
    centre = boxes2[:, :2]  # areas of coordinates far from 0 cancel
    first, second = (_corners(boxes, centre, degrees) for boxes in (boxes1, boxes2))
    overlap = shapely.area(shapely.intersection(shapely.polygons(first), shapely.polygons(second)))
    # GEOS loses the intersection of a few in 100,000 pairs whose edges coincide but for rounding.
    empty = np.flatnonzero(overlap == 0)
    middle = shapely.points((boxes1[:, :2] - centre)[empty])
    for i in empty[shapely.contains(shapely.polygons(second[empty]), middle)]:
        overlap[i] = _clipped_area(first[i], second[i])
    area1, area2 = (boxes[:, 2] * boxes[:, 3] for boxes in (boxes1, boxes2))
    return overlap / (area1 + area2 - overlap)


def _corners(boxes: np.ndarray, centre: np.ndarray, degrees: bool) -> np.ndarray:
    """``(n, 5)`` -> ``(n, 4, 2)``, from a centre."""
    angle = boxes[:, 4] * (-math.pi / 180 if degrees else 1)
    c, s = np.cos(angle), np.sin(angle)
    along = np.stack([c, s], -1) * boxes[:, 2:3] / 2
    across = np.stack([-s, c], -1) * boxes[:, 3:4] / 2
    middle = boxes[:, :2] - centre
    ring = -along - across, along - across, along + across, across - along
    return np.stack([middle + corner for corner in ring], 1)


def _clipped_area(polygon: np.ndarray, window: np.ndarray) -> float:
    """Area of a polygon within a convex one (Sutherland and Hodgman, 1974); both turn the same way."""
    ring = list(polygon)
    for start, end in zip(window, np.roll(window, -1, 0), strict=True):
        side = [_cross(end - start, point - start) for point in ring]
        clipped = []
        for i, point in enumerate(ring):
            if (side[i] < 0) != (side[i - 1] < 0):
                clipped.append(ring[i - 1] + (point - ring[i - 1]) * (side[i - 1] / (side[i - 1] - side[i])))
            if side[i] >= 0:
                clipped.append(point)
        ring = clipped
    return sum(_cross(ring[i - 1], point) for i, point in enumerate(ring)) / 2


def _cross(a: np.ndarray, b: np.ndarray) -> float:
    return a[0] * b[1] - a[1] * b[0]
