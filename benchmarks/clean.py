"""The scores as detector code bases write them: plain PyTorch, no special handling. What torch.compile gets to see."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

EPS = 1e-7

Score = Callable[[Tensor, Tensor], Tensor]


def iou(pred: Tensor, target: Tensor) -> Tensor:
    """IoU of corners ``(..., 4)``."""
    return _overlap(pred, target)[0]


def giou(pred: Tensor, target: Tensor) -> Tensor:
    """Generalized IoU of corners ``(..., 4)``."""
    overlap, union = _overlap(pred, target)
    width, height = _enclosing_sides(pred, target)
    hull = width * height + EPS
    return overlap - (hull - union) / hull


def diou(pred: Tensor, target: Tensor) -> Tensor:
    """Distance IoU of corners ``(..., 4)``."""
    return _overlap(pred, target)[0] - _distance(pred, target)


def ciou(pred: Tensor, target: Tensor) -> Tensor:
    """Complete IoU of corners ``(..., 4)``."""
    overlap, _ = _overlap(pred, target)
    px1, py1, px2, py2 = pred.unbind(-1)
    tx1, ty1, tx2, ty2 = target.unbind(-1)
    angle = torch.atan((tx2 - tx1) / (ty2 - ty1 + EPS)) - torch.atan((px2 - px1) / (py2 - py1 + EPS))
    v = 4 / math.pi**2 * angle**2
    with torch.no_grad():
        alpha = v / (1 - overlap + v + EPS)
    return overlap - _distance(pred, target) - alpha * v


SCORES: dict[str, Score] = {"iou": iou, "giou": giou, "diou": diou, "ciou": ciou}


def loss(kind: str) -> Score:
    """1 - score, pair by pair: ``(n, 4) x (n, 4) -> (n,)``."""
    score = SCORES[kind]
    return lambda pred, target: 1 - score(pred, target)


def pairwise(kind: str) -> Score:
    """Every box with every box, by broadcasting: ``(n, 4) x (m, 4) -> (n, m)``."""
    score = SCORES[kind]
    return lambda boxes1, boxes2: score(boxes1[:, None], boxes2)


def max_iou(iou: Score) -> Callable[[Tensor, Tensor], tuple[Tensor, ...]]:
    """Best partner of every box on both sides, from the matrix of a function: values and indices, and again."""

    def matched(boxes: Tensor, gts: Tensor) -> tuple[Tensor, ...]:
        matrix = iou(boxes, gts)
        return *matrix.max(1), *matrix.max(0)

    return matched


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float, iou: Score = iou) -> Tensor:
    """Greedy NMS, one kept box at a time: indices of what is kept, best first."""
    keep = []
    order = scores.argsort(descending=True)
    while order.numel() > 0:
        keep.append(order[0])
        overlap = iou(boxes[order[:1]], boxes[order[1:]])
        order = order[1:][overlap <= iou_threshold]
    return torch.stack(keep) if keep else order


def _overlap(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and union."""
    px1, py1, px2, py2 = pred.unbind(-1)
    tx1, ty1, tx2, ty2 = target.unbind(-1)
    width = (torch.minimum(px2, tx2) - torch.maximum(px1, tx1)).clamp(min=0)
    height = (torch.minimum(py2, ty2) - torch.maximum(py1, ty1)).clamp(min=0)
    intersection = width * height
    union = (px2 - px1) * (py2 - py1) + (tx2 - tx1) * (ty2 - ty1) - intersection + EPS
    return intersection / union, union


def _enclosing_sides(pred: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Width and height of the smallest box around both."""
    px1, py1, px2, py2 = pred.unbind(-1)
    tx1, ty1, tx2, ty2 = target.unbind(-1)
    return torch.maximum(px2, tx2) - torch.minimum(px1, tx1), torch.maximum(py2, ty2) - torch.minimum(py1, ty1)


def _distance(pred: Tensor, target: Tensor) -> Tensor:
    """Squared distance of the centres over the squared diagonal of the enclosing box."""
    px1, py1, px2, py2 = pred.unbind(-1)
    tx1, ty1, tx2, ty2 = target.unbind(-1)
    width, height = _enclosing_sides(pred, target)
    return ((tx1 + tx2 - px1 - px2) ** 2 + (ty1 + ty2 - py1 - py2) ** 2) / 4 / (width**2 + height**2 + EPS)
