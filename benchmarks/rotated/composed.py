"""Losses of rotated boxes composed of PyTorch operations, as detector code bases write them.

The exact ones find the corners of the intersection, sort them by angle, and add up the area: the way of MMCV's
``diff_iou_rotated_2d``, which differs by one kernel, for the sorting. The Gaussian ones take covariance matrices: the
way of MMRotate's ``GDLoss`` and ``KFLoss``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

EPS = 1e-7
MOST_CORNERS = 8  # of the intersection of two rectangles

Loss = Callable[[Tensor, Tensor], Tensor]


def corners(boxes: Tensor) -> Tensor:
    """``(n, 5)`` -> ``(n, 4, 2)``, around the box."""
    c, s = boxes[:, 4].cos(), boxes[:, 4].sin()
    turn = torch.stack([c, s, -s, c], -1).view(-1, 2, 2)  # rows: the axes of width and height
    signs = boxes.new_tensor([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    return boxes[:, None, :2] + (signs * boxes[:, None, 2:4]) @ turn


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _inside(points: Tensor, box: Tensor) -> Tensor:
    """Whether points ``(n, 4, 2)`` are inside the box with these corners."""
    start, width, height = box[:, :1], box[:, 1:2] - box[:, :1], box[:, 3:] - box[:, :1]
    found = torch.ones_like(points[..., 0], dtype=torch.bool)
    for side in (width, height):
        along = ((points - start) * side).sum(-1) / side.square().sum(-1)
        found &= (along > -1e-6) & (along < 1 + 1e-6)
    return found


def intersection(corners1: Tensor, corners2: Tensor) -> Tensor:
    """Area that boxes share, ``(n, 4, 2) x (n, 4, 2) -> (n,)``."""
    start1, start2 = corners1[:, :, None], corners2[:, None]
    edge1, edge2 = (x.roll(-1, 1) - x for x in (corners1, corners2))
    edge1, edge2 = edge1[:, :, None], edge2[:, None]
    det = _cross(edge1, edge2)
    det = torch.where(det == 0, EPS, det)
    t, u = _cross(start2 - start1, edge2) / det, _cross(start2 - start1, edge1) / det
    crossing = (t > 0) & (t < 1) & (u > 0) & (u < 1)
    points = torch.cat([corners1, corners2, (start1 + t[..., None] * edge1).flatten(1, 2)], 1)
    valid = torch.cat([_inside(corners1, corners2), _inside(corners2, corners1), crossing.flatten(1)], 1)

    count = valid.sum(1, keepdim=True)
    with torch.no_grad():  # the order has no gradient
        centre = (points * valid[..., None]).sum(1, keepdim=True) / count[..., None].clamp(min=1)
        angle = torch.atan2(*(points - centre).flip(-1).unbind(-1)).masked_fill(~valid, torch.inf)
        order = angle.argsort(1)[:, : MOST_CORNERS + 1]
        order = torch.where(torch.arange(order.shape[1], device=order.device) < count, order, order[:, :1])
    ring = points.gather(1, order[..., None].expand(-1, -1, 2))
    area = _cross(ring, ring.roll(-1, 1)).sum(1).abs() / 2
    return torch.where(count[:, 0] > 2, area, 0.0)


def exact(kind: str) -> Loss:
    """1 - score by the exact intersection; GIoU encloses the boxes upright, CIoU takes the diameter of the hull."""

    def loss(pred: Tensor, target: Tensor) -> Tensor:
        centre = target[:, :2].detach()  # areas of coordinates far from 0 cancel
        centred = [torch.cat([boxes[:, :2] - centre, boxes[:, 2:]], -1) for boxes in (pred, target)]
        corners1, corners2 = (corners(boxes) for boxes in centred)
        overlap = intersection(corners1, corners2)
        union = pred[:, 2] * pred[:, 3] + target[:, 2] * target[:, 3] - overlap + EPS
        iou = overlap / union
        both = torch.cat([corners1, corners2], 1)
        if kind == "giou":
            enclosing = (both.amax(1) - both.amin(1)).prod(-1) + EPS
            return 1 - iou + (enclosing - union) / enclosing
        if kind == "ciou":
            distance2 = (pred[:, :2] - target[:, :2]).square().sum(-1)
            diameter2 = (both[:, :, None] - both[:, None]).square().sum(-1).flatten(1).amax(1) + EPS
            angle = torch.atan(target[:, 2] / target[:, 3]) - torch.atan(pred[:, 2] / pred[:, 3])
            v = 4 / math.pi**2 * angle**2
            with torch.no_grad():
                alpha = v / (1 - iou + v + EPS)
            return 1 - iou + distance2 / diameter2 + alpha * v
        return 1 - iou

    return loss


def covariance(boxes: Tensor, divisor: float = 4.0) -> Tensor:
    """``(n, 5)`` -> ``(n, 2, 2)``."""
    sides = boxes[:, 2:4].clamp(1e-7, 1e7)
    c, s = boxes[:, 4].cos(), boxes[:, 4].sin()
    turn = torch.stack([c, -s, s, c], -1).view(-1, 2, 2)
    return turn @ torch.diag_embed(sides**2 / divisor) @ turn.mT


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1).sum(-1)


def gwd(pred: Tensor, target: Tensor, normalize: bool = True) -> Tensor:
    """Wasserstein distance; normalised, in units of the geometric mean of the sides."""
    sigma1, sigma2 = covariance(pred), covariance(target)
    det = (sigma1.det() * sigma2.det()).clamp(min=EPS).sqrt()
    cross = (_trace(sigma1 @ sigma2) + 2 * det).clamp(min=EPS).sqrt()
    shape = _trace(sigma1) + _trace(sigma2) - 2 * cross
    d = ((pred[:, :2] - target[:, :2]).square().sum(-1) + shape).clamp(min=EPS).sqrt()
    return d / (2 * det.sqrt().sqrt()).clamp(min=EPS) if normalize else d


def kld(pred: Tensor, target: Tensor) -> Tensor:
    """Root of KL(target || prediction)."""
    sigma1, sigma2 = covariance(pred), covariance(target)
    offset = (pred[:, :2] - target[:, :2]).unsqueeze(-1)
    inverse = sigma1.inverse()
    distance = 0.5 * (offset.mT @ inverse @ offset)[:, 0, 0]
    shape = 0.5 * (_trace(inverse @ sigma2) + sigma1.det().log() - sigma2.det().log()) - 1
    return (distance + shape).clamp(min=EPS).sqrt()


def kfiou(pred: Tensor, target: Tensor) -> Tensor:
    """Similarity by the product of the distributions, at most 1/3."""
    sigma1, sigma2 = covariance(pred), covariance(target)
    product = sigma1 - sigma1 @ (sigma1 + sigma2).inverse() @ sigma1
    area1, area2, overlap = (4 * sigma.det().clamp(min=0).sqrt() for sigma in (sigma1, sigma2, product))
    return overlap / (area1 + area2 - overlap + EPS)


def bcd(pred: Tensor, target: Tensor, divisor: float = 4.0) -> Tensor:
    """Bhattacharyya distance; with divisor 12, of the points of the boxes."""
    sigma1, sigma2 = covariance(pred, divisor), covariance(target, divisor)
    offset = (pred[:, :2] - target[:, :2]).unsqueeze(-1)
    mean = (sigma1 + sigma2) / 2
    distance = (offset.mT @ mean.inverse() @ offset)[:, 0, 0] / 8
    return distance + 0.5 * (mean.det() / (sigma1.det() * sigma2.det()).sqrt()).log()


def probiou(pred: Tensor, target: Tensor) -> Tensor:
    """1 - Hellinger distance."""
    return 1 - (1 - (-bcd(pred, target, 12.0)).exp() + EPS).sqrt()


def _bounded(distance: Loss) -> Loss:
    return lambda pred, target: 1 - 1 / (1 + distance(pred, target).log1p())


def _one_minus(similarity: Loss) -> Loss:
    return lambda pred, target: 1 - similarity(pred, target)


#: Losses by kind, and by what encloses both boxes; those of fastiou with its defaults, pair by pair.
LOSSES: dict[tuple[str, str], Loss] = {
    ("iou", ""): exact("iou"),
    ("giou", "aabb"): exact("giou"),
    ("ciou", "hull"): exact("ciou"),
    ("gwd", ""): _bounded(gwd),
    ("kld", ""): _bounded(kld),
    ("kfiou", ""): _one_minus(kfiou),
    ("probiou", ""): _one_minus(probiou),
}
