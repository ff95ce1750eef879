"""The box losses: one call each that reads the whole head in place, weighted by the mask of the positives."""

import torch.nn.functional as F
from model import STRIDE
from targets import Targets
from torch import Tensor

import fastiou


def giou(head: Tensor, targets: Targets) -> Tensor:
    """Mean rotated GIoU loss: the exact area of the intersection, and of the convex hull of both boxes."""
    return fastiou.rotated_iou_loss(*_pair(head, targets), kind="giou", **_mean(targets))


def kfiou(head: Tensor, targets: Targets) -> Tensor:
    """Mean KFIoU loss plus smooth L1 of the centres, which KFIoU does not know, as in MMRotate."""
    pred, target = _pair(head, targets)
    overlap = fastiou.gaussian_loss(pred, target, kind="kfiou", fun="ln", **_mean(targets))
    distance = F.smooth_l1_loss(pred[..., :2] / STRIDE, target[..., :2] / STRIDE, reduction="none").sum(dim=-1)
    return overlap + (distance * targets.positive).sum() / targets.count


def probiou(head: Tensor, targets: Targets) -> Tensor:
    """Mean ProbIoU loss: the Hellinger distance of the boxes as Gaussian distributions."""
    return fastiou.gaussian_loss(*_pair(head, targets), kind="probiou", **_mean(targets))


def mean_iou(head: Tensor, targets: Targets) -> Tensor:
    """Mean exact IoU of the positives with their digits: what the losses can be compared by."""
    return 1 - fastiou.rotated_iou_loss(*_pair(head, targets), kind="iou", **_mean(targets))


LOSSES = {"giou": giou, "kfiou": kfiou, "probiou": probiou}


def _pair(head: Tensor, targets: Targets) -> tuple[Tensor, Tensor]:
    """The head (B, 5, H, W) as boxes (B, H, W, 5), and what they should be."""
    return head.permute(0, 2, 3, 1), targets.boxes


def _mean(targets: Targets) -> dict:
    """The arguments that make a loss the mean of the positives."""
    return {"weight": targets.positive, "reduction": "mean", "avg_factor": targets.count}
