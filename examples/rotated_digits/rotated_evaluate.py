"""COCO's metrics by the IoU of rotated boxes, and how well the boxes of found digits fit."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from data import Canvases
from evaluate import Detections
from pycocotools.cocoeval import COCOeval
from torch import Tensor

import fastiou

MIN_SCORE = 0.3
MIN_IOU = 0.5


class RotatedCOCOeval(COCOeval):
    """COCO's evaluation with boxes cx, cy, w, h, r; ignores the areas at which COCO looks apart."""

    def computeIoU(self, image: int, category: int):  # noqa: N802
        """IoU (D, G) of the detections, best first, with the ground truth; empty if either is."""
        truth, found = self._gts[image, category], self._dts[image, category]
        if not truth or not found:
            return []
        found = sorted(found, key=lambda one: -one["score"])[: self.params.maxDets[-1]]
        boxes = (torch.tensor([one["bbox"] for one in side]) for side in (found, truth))
        return fastiou.rotated_box_iou(*boxes).numpy().astype(np.float64)


@dataclass(frozen=True)
class Matches:
    """The digits that were found, K of M: by a box of their class, score MIN_SCORE and IoU MIN_IOU at least."""

    iou: Tensor  # (K,)
    degrees: Tensor  # (K,) between the directions of the long sides, 0..90
    digits: int  # M


def match(canvases: Canvases, found: list[Detections]) -> Matches:
    """Every digit with the box that fits it best."""
    ious, angles = [], []
    for boxes, labels, detections in zip(canvases.boxes, canvases.labels, found, strict=True):
        truth, sure = boxes[labels >= 0], detections.scores >= MIN_SCORE
        pred, same = detections.boxes[sure], labels[labels >= 0, None] == detections.labels[sure]
        if not same.any():
            continue
        iou, best = torch.where(same, fastiou.rotated_box_iou(truth, pred), 0.0).max(dim=1)
        hit = iou >= MIN_IOU
        ious.append(iou[hit])
        angles.append(_between(pred[best[hit]], truth[hit]))
    none = torch.zeros(0)
    return Matches(torch.cat([none, *ious]), torch.cat([none, *angles]), int((canvases.labels >= 0).sum()))


def _between(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Angle in degrees between the long sides of boxes (K, 5)."""
    # le90 writes every rectangle with its long side as its width.
    r1, r2 = (fastiou.convert_rotated(boxes, "cxcywhr", "mmrotate_le90")[:, 4] for boxes in (boxes1, boxes2))
    return torch.rad2deg((torch.remainder(r1 - r2 + math.pi / 2, math.pi) - math.pi / 2).abs())
