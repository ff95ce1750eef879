"""The losses as detector code bases write them: plain PyTorch, no special handling. What torch.compile gets to see."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

EPS = 1e-7


def iou_loss(pred: Tensor, target: Tensor) -> Tensor:
    """1 - IoU of corners ``(n, 4)``."""
    return 1 - _overlap(pred, target)[0]


def giou_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Generalized IoU loss of corners ``(n, 4)``."""
    iou, union = _overlap(pred, target)
    width, height = _enclosing_sides(pred, target)
    hull = width * height + EPS
    return 1 - iou + (hull - union) / hull


def diou_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Distance IoU loss of corners ``(n, 4)``."""
    return 1 - _overlap(pred, target)[0] + _distance(pred, target)


def ciou_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Complete IoU loss of corners ``(n, 4)``."""
    iou, _ = _overlap(pred, target)
    px1, py1, px2, py2 = pred.unbind(-1)
    tx1, ty1, tx2, ty2 = target.unbind(-1)
    angle = torch.atan((tx2 - tx1) / (ty2 - ty1 + EPS)) - torch.atan((px2 - px1) / (py2 - py1 + EPS))
    v = 4 / math.pi**2 * angle**2
    with torch.no_grad():
        alpha = v / (1 - iou + v + EPS)
    return 1 - iou + _distance(pred, target) + alpha * v


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "iou": iou_loss,
    "giou": giou_loss,
    "diou": diou_loss,
    "ciou": ciou_loss,
}


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
