"""Turns the head into detections and scores them with pycocotools."""

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from data import Canvases
from model import Detector, grid_points
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor
from tqdm import tqdm

BATCH = 32
MIN_SCORE = 0.05
MAX_CANDIDATES = 100
NMS_IOU = 0.5


@dataclass(frozen=True)
class Detections:
    """Detections of one canvas, best first."""

    boxes: Tensor  # (N, 4) x1, y1, x2, y2 in pixels
    scores: Tensor  # (N,) in 0..1
    labels: Tensor  # (N,) int64 in 0..9

    def rows(self) -> Iterator[tuple[list[float], float, int]]:
        """Box, score and label of each detection."""
        return zip(self.boxes.tolist(), self.scores.tolist(), self.labels.tolist(), strict=True)


@dataclass(frozen=True)
class Precision:
    """COCO average precisions in 0..1."""

    ap: float
    ap50: float
    ap75: float


@torch.no_grad()
def detect(model: Detector, canvases: Canvases, title: str) -> list[Detections]:
    """Detections on every canvas."""
    model.eval()
    found = []
    starts = range(0, len(canvases), BATCH)
    for start in tqdm(starts, desc=title, unit="batch"):
        logits, sides = model(canvases.batch(slice(start, start + BATCH))[0])
        found += [_decode(*pair) for pair in zip(logits.sigmoid(), sides, strict=True)]
    return found


def score(canvases: Canvases, found: list[Detections]) -> Precision:
    """Average precision of the detections, one entry for each canvas."""
    results = [
        {"image_id": image, "category_id": label, "bbox": _xywh(box), "score": confidence}
        for image, detections in enumerate(found)
        for box, confidence, label in detections.rows()
    ]
    if not results:
        return Precision(0.0, 0.0, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = _ground_truth(canvases)
        judge = COCOeval(truth, truth.loadRes(results), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return Precision(*(float(value) for value in judge.stats[:3]))


def _decode(scores: Tensor, sides: Tensor) -> Detections:
    """Detections of one canvas from scores (10, H, W) and distances (4, H, W) in pixels."""
    top = scores.flatten().topk(MAX_CANDIDATES)
    keep = top.values > MIN_SCORE
    score, index = top.values[keep], top.indices[keep]
    label, location = index // scores[0].numel(), index % scores[0].numel()
    point = grid_points(*sides.shape[1:]).flatten(0, 1)[location]
    side = sides.flatten(1).T[location]
    boxes = torch.cat([point - side[:, :2], point + side[:, 2:]], dim=1)
    kept = _nms(boxes)
    return Detections(boxes[kept], score[kept], label[kept])


def _nms(boxes: Tensor) -> Tensor:
    """Indices that survive greedy suppression, whatever the class; boxes (N, 4) come best first."""
    clash = _pairwise_iou(boxes) > NMS_IOU
    alive = torch.ones(len(boxes), dtype=torch.bool)
    for i in range(len(boxes)):
        if alive[i]:
            alive[i + 1 :] &= ~clash[i, i + 1 :]
    return alive.nonzero()[:, 0]


def _pairwise_iou(boxes: Tensor) -> Tensor:
    """IoU (N, N) of boxes (N, 4) x1, y1, x2, y2."""
    low = torch.max(boxes[:, None, :2], boxes[:, :2])
    high = torch.min(boxes[:, None, 2:], boxes[:, 2:])
    inter = (high - low).clamp(min=0).prod(dim=-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(dim=-1)
    return inter / (area[:, None] + area - inter)


def _ground_truth(canvases: Canvases) -> COCO:
    """The canvases' digits as a COCO data set."""
    image, slot = (canvases.labels >= 0).nonzero(as_tuple=True)
    boxes = canvases.boxes[image, slot]
    annotations = zip(
        image.tolist(),
        canvases.labels[image, slot].tolist(),
        [_xywh(box) for box in boxes.tolist()],
        (boxes[:, 2:] - boxes[:, :2]).prod(dim=1).tolist(),
        strict=True,
    )
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(canvases))],
        "categories": [{"id": digit} for digit in range(10)],
        "annotations": [
            {"id": i, "image_id": where, "category_id": label, "bbox": box, "area": area, "iscrowd": 0}
            for i, (where, label, box, area) in enumerate(annotations, start=1)
        ],
    }
    coco.createIndex()
    return coco


def _xywh(box: list[float]) -> list[float]:
    """COCO's x, y, width, height of a box x1, y1, x2, y2."""
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1, y2 - y1]
