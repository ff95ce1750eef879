"""The class loss, and the box loss twice: plain PyTorch and fastiou."""

import math

import torch
import torch.nn.functional as F
from targets import Targets
from torch import Tensor

import fastiou


def class_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Sigmoid focal loss of logits (B, 10, H, W), summed and divided by the number of positives."""
    wanted = F.one_hot(targets.labels + 1, logits.shape[1] + 1)[..., 1:].permute(0, 3, 1, 2).to(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    chance = logits.sigmoid()
    miss = torch.where(wanted > 0, 1 - chance, chance)
    balance = torch.where(wanted > 0, 0.25, 0.75)
    return (balance * miss.square() * entropy).sum() / targets.count


def box_loss_pytorch(sides: Tensor, targets: Targets) -> Tensor:
    """Mean CIoU loss of the positives of a head (B, 4, H, W): gather, decode, eager CIoU."""
    mask = targets.positive
    points = targets.points.expand(*mask.shape, 2)[mask]
    pred = _decode(sides.permute(0, 2, 3, 1)[mask], points)
    target = _decode(targets.boxes[mask], points)
    return _ciou_loss(pred, target).sum() / targets.count


def box_loss_fastiou(sides: Tensor, targets: Targets) -> Tensor:
    """The same loss in one call that reads the whole head in place, weighted by the mask."""
    return fastiou.iou_loss(
        sides.permute(0, 2, 3, 1),
        targets.boxes,
        kind="ciou",
        weight=targets.positive.to(sides.dtype),
        reduction="mean",
        avg_factor=targets.count,
        fmt="ltrb",
        points=targets.points,
    )


def _decode(sides: Tensor, points: Tensor) -> Tensor:
    """Boxes (N, 4) x1, y1, x2, y2 from distances (N, 4) to points (N, 2)."""
    return torch.cat([points - sides[:, :2], points + sides[:, 2:]], dim=1)


def _ciou_loss(pred: Tensor, target: Tensor, eps: float = 1e-7) -> Tensor:
    """Complete IoU loss (N,) of boxes (N, 4) x1, y1, x2, y2."""
    x1, y1, x2, y2 = pred.unbind(dim=-1)
    x1t, y1t, x2t, y2t = target.unbind(dim=-1)

    inter_w = (torch.min(x2, x2t) - torch.max(x1, x1t)).clamp(min=0)
    inter_h = (torch.min(y2, y2t) - torch.max(y1, y1t)).clamp(min=0)
    inter = inter_w * inter_h
    union = (x2 - x1) * (y2 - y1) + (x2t - x1t) * (y2t - y1t) - inter
    iou = inter / (union + eps)

    hull_w = torch.max(x2, x2t) - torch.min(x1, x1t)
    hull_h = torch.max(y2, y2t) - torch.min(y1, y1t)
    diagonal = hull_w**2 + hull_h**2 + eps
    distance = ((x1 + x2 - x1t - x2t) ** 2 + (y1 + y2 - y1t - y2t) ** 2) / 4

    angle = torch.atan((x2t - x1t) / (y2t - y1t)) - torch.atan((x2 - x1) / (y2 - y1))
    v = (4 / math.pi**2) * angle**2
    with torch.no_grad():
        alpha = v / (1 - iou + v + eps)
    return 1 - iou + distance / diagonal + alpha * v
