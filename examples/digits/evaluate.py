"""Turns the head into detections and scores them with pycocotools."""

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from data import Canvases
from model import Detector
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor
from tqdm import tqdm

import fastiou

BATCH = 32
MIN_SCORE = 0.05
MAX_CANDIDATES = 100
NMS_IOU = 0.5

Spelling = Callable[[list[float]], list[float]]  # a box for COCO, its size in third and fourth place


@dataclass(frozen=True)
class Detections:
    """Detections of one canvas, best first."""

    boxes: Tensor  # (N, 4) x1, y1, x2, y2 in pixels, or as the canvases have them
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
def detect(model: Detector, canvases: Canvases, title: str, nms: Callable = fastiou.nms) -> list[Detections]:
    """Detections on every canvas; `nms` is called with boxes, scores and threshold, whatever the class."""
    model.eval()
    found = []
    starts = range(0, len(canvases), BATCH)
    for start in tqdm(starts, desc=title, unit="batch"):
        logits, head = model(canvases.batch(slice(start, start + BATCH))[0])
        found += [_decode(*pair, nms) for pair in zip(logits.sigmoid(), model.decode(head), strict=True)]
    return found


def xywh(box: list[float]) -> list[float]:
    """COCO's x, y, width, height of a box x1, y1, x2, y2."""
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1, y2 - y1]


def score(
    canvases: Canvases, found: list[Detections], spell: Spelling = xywh, judge: type[COCOeval] = COCOeval
) -> Precision:
    """Average precision of the detections, one entry for each canvas, by a judge who reads boxes in that spelling."""
    results = [
        {"image_id": image, "category_id": label, "bbox": spell(box), "score": confidence}
        for image, detections in enumerate(found)
        for box, confidence, label in detections.rows()
    ]
    if not results:
        return Precision(0.0, 0.0, 0.0)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = _ground_truth(canvases, spell)
        verdict = judge(truth, truth.loadRes(results), "bbox")
        verdict.evaluate()
        verdict.accumulate()
        verdict.summarize()
    return Precision(*(float(value) for value in verdict.stats[:3]))


def _decode(scores: Tensor, boxes: Tensor, nms: Callable) -> Detections:
    """Detections of one canvas from scores (10, H, W) and boxes (H, W, K)."""
    top = scores.flatten().topk(MAX_CANDIDATES)
    keep = top.values > MIN_SCORE
    score, index = top.values[keep], top.indices[keep]
    label, location = index // scores[0].numel(), index % scores[0].numel()
    candidates = boxes.flatten(0, 1)[location]
    kept = nms(candidates, score, NMS_IOU)
    return Detections(candidates[kept], score[kept], label[kept])


def _ground_truth(canvases: Canvases, spell: Spelling) -> COCO:
    """The canvases' digits as a COCO data set."""
    image, slot = (canvases.labels >= 0).nonzero(as_tuple=True)
    annotations = zip(
        image.tolist(),
        canvases.labels[image, slot].tolist(),
        map(spell, canvases.boxes[image, slot].tolist()),
        strict=True,
    )
    coco = COCO()
    coco.dataset = {
        "info": {},
        "images": [{"id": i} for i in range(len(canvases))],
        "categories": [{"id": digit} for digit in range(10)],
        "annotations": [
            {"id": i, "image_id": where, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            for i, (where, label, box) in enumerate(annotations, start=1)
        ],
    }
    coco.createIndex()
    return coco
