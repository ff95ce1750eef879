"""Tracking by detection: predict, assign by GIoU, correct. After SORT (Bewley et al., ICIP 2016), with an alpha-beta
filter in place of its Kalman filter."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scores import Score

MEMORY = 6  # detections that the filter remembers
LEAST_GIOU = -0.3  # for a detection to belong to a track
CONFIRMED = 3  # detections in a row that make a track
FORGOTTEN = 18  # frames without a detection that end it
SHOWN = 5  # frames without a detection in which it is still reported


@dataclass(frozen=True)
class Tracked:
    """What a tracker reports of one frame."""

    ids: np.ndarray  # (n,) int64
    boxes: np.ndarray  # (n, 4) corners


class Tracker:
    """Tracks as arrays, a row for each: all steps but the assignment are array operations."""

    def __init__(self, score: Score):
        self.score = score
        self.boxes = np.empty((0, 4), np.float32)  # centre and size
        self.velocity = np.empty((0, 4), np.float32)  # their change per frame
        self.ids = np.empty(0, np.int64)
        self.hits = np.empty(0, np.int64)
        self.misses = np.empty(0, np.int64)  # since the last hit
        self.born = 0

    def step(self, detections: np.ndarray) -> Tracked:
        """Takes the detections (m, 4) of the next frame, corners."""
        self.boxes = self.boxes + self.velocity
        tracks, found = self._assign(detections)
        self._correct(tracks, _centred(detections[found]))
        self._keep((self.misses == 0) | ((self.hits >= CONFIRMED) & (self.misses <= FORGOTTEN)))
        self._add(_centred(np.delete(detections, found, axis=0)))
        shown = (self.hits >= CONFIRMED) & (self.misses <= SHOWN)
        centre, half = self.boxes[shown, :2], self.boxes[shown, 2:] / 2
        return Tracked(self.ids[shown], np.concatenate([centre - half, centre + half], 1))

    def _assign(self, detections: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Indices of tracks and of the detections that belong to them."""
        scores = self.score(self.boxes, detections)
        tracks, found = linear_sum_assignment(np.maximum(scores, LEAST_GIOU), maximize=True)
        good = scores[tracks, found] > LEAST_GIOU
        return tracks[good], found[good]

    def _correct(self, tracks: np.ndarray, measured: np.ndarray) -> None:
        """The filter: each detection pulls position and velocity of its track."""
        error = measured - self.boxes[tracks]
        # The line of least squares through the first detections (growing memory, Brookner 1998), then constant gains.
        n = np.minimum(self.hits[tracks, None], MEMORY).astype(np.float32)
        self.boxes[tracks] += error * (4 * n + 2) / ((n + 1) * (n + 2))
        self.velocity[tracks] += error * 6 / ((n + 1) * (n + 2))
        self.velocity[:, 2:] *= 0.5  # sizes hardly change
        self.hits[tracks] += 1
        self.misses += 1
        self.misses[tracks] = 0

    def _keep(self, alive: np.ndarray) -> None:
        """Drops the other tracks."""
        for name in ("boxes", "velocity", "ids", "hits", "misses"):
            setattr(self, name, getattr(self, name)[alive])

    def _add(self, boxes: np.ndarray) -> None:
        """A new track for each box."""
        n = len(boxes)
        self.boxes = np.concatenate([self.boxes, boxes])
        self.velocity = np.concatenate([self.velocity, np.zeros_like(boxes)])
        self.ids = np.concatenate([self.ids, np.arange(self.born, self.born + n)])
        self.hits = np.concatenate([self.hits, np.ones(n, np.int64)])
        self.misses = np.concatenate([self.misses, np.zeros(n, np.int64)])
        self.born += n


def _centred(corners: np.ndarray) -> np.ndarray:
    """Corners -> centre and size."""
    return np.concatenate([(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], 1)
