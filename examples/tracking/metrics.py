"""How well tracks follow the truth: CLEAR MOT (Bernardin and Stiefelhagen, 2008) and IDF1 (Ristani et al., 2016)."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from tracker import Tracked

import fastiou.numpy as fn

LEAST_IOU = 0.5  # for a track to cover a thing


@dataclass(frozen=True)
class Metrics:
    """Counts over a video, and which track covered what."""

    identity: np.ndarray  # (T, N) int64: the track on thing j in frame i, -1 for none, -2 for no thing
    boxes: int  # of the truth
    missed: int
    false: int
    switches: int
    mean_iou: float  # of things with their tracks
    idf1: float

    @property
    def mota(self) -> float:
        """1 - (missed + false + switches) / boxes: 1 is perfect."""
        return 1 - (self.missed + self.false + self.switches) / self.boxes


def evaluate(truth: np.ndarray, tracked: list[Tracked]) -> Metrics:
    """The metrics of the reports of T frames against the truth (T, N, 4)."""
    there = ~np.isnan(truth[..., 0])
    identity = np.where(there, -1, -2)
    last = np.full(truth.shape[1], -1)  # the latest track of each thing
    ious: list[float] = []
    switches = 0
    for frame, report in enumerate(tracked):
        things = np.flatnonzero(there[frame])
        iou = fn.box_iou(truth[frame, things], report.boxes)
        # A track that still covers its thing stays with it.
        stays = 2 * (report.ids[None] == last[things, None])
        rows, columns = linear_sum_assignment(np.where(iou >= LEAST_IOU, 1 + stays + iou, 0), maximize=True)
        good = iou[rows, columns] >= LEAST_IOU
        rows, columns = rows[good], columns[good]
        now = report.ids[columns]
        switches += int(((last[things[rows]] >= 0) & (last[things[rows]] != now)).sum())
        last[things[rows]] = identity[frame, things[rows]] = now
        ious.extend(iou[rows, columns])
    covered, reported = int((identity >= 0).sum()), sum(len(report.ids) for report in tracked)
    boxes = int(there.sum())
    return Metrics(
        identity=identity,
        boxes=boxes,
        missed=boxes - covered,
        false=reported - covered,
        switches=switches,
        mean_iou=float(np.mean(ious)) if ious else 0.0,
        idf1=2 * _one_to_one(identity) / (boxes + reported),
    )


def _one_to_one(identity: np.ndarray) -> int:
    """Covered boxes, if every thing may have one track and every track one thing, over the whole video."""
    ids, columns = np.unique(identity, return_inverse=True)
    frames = np.zeros((identity.shape[1], len(ids)), np.int64)
    np.add.at(frames, (np.arange(identity.shape[1]), columns.reshape(identity.shape)), 1)
    frames[:, ids < 0] = 0
    return int(frames[linear_sum_assignment(frames, maximize=True)].sum())
