"""A short run over every family of kernels, for compute-sanitizer: odd sizes, rows not packed, masks, small and huge.

    python -m fastiou.benchmarks.gpu.sanitize

What matters most comes first: the run ends between two parts if its time is up, and says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

import fastiou

from . import context

COUNTS = ((33, 5), (257, 130), (5, 1030))  # of the two sets


def main() -> int:
    """Runs the parts; 0 if time was enough for the first of them."""
    here = context.read()
    reason = context.why_not(here.device)
    if reason:
        print(reason)
        return 1
    torch.manual_seed(0)
    done = 0
    for name, part in PARTS.items():
        if done and here.left(margin=6.0) < 0:
            break
        part(here.device)
        if here.device == "cuda":
            torch.cuda.synchronize()
        done += 1
        print(f"{name} ran", flush=True)
    print("every family of kernels ran" if done == len(PARTS) else f"{done} of {len(PARTS)} families of kernels ran")
    return 0


def losses(device: str) -> None:
    """Aligned pairs of every kind, kept and reduced, weighted, more than a block holds."""
    for kind, n in product(fastiou.kinds(), (1, 2049)):
        pred, target = boxes(n, device).requires_grad_(), boxes(n, device)
        for reduction in ("none", "mean"):
            loss = fastiou.iou_loss(pred, target, kind, weight=torch.rand(n, device=device), reduction=reduction)
            torch.autograd.grad(loss.sum(), pred)


def layouts(device: str) -> None:
    """Rows that are not packed or not aligned, other formats and dtypes, both gradients."""
    pred, target = boxes(301, device).requires_grad_(), boxes(301, device).requires_grad_()
    shifted = torch.cat([pred.flatten()[:1], pred.flatten()])[1:].view(-1, 4)
    for own in (pred.t().contiguous().t(), shifted, pred.half(), pred.double()):
        torch.autograd.grad(fastiou.iou_loss(own, target, reduction="mean", fmt="cxcywh"), (pred, target))
        torch.autograd.grad(fastiou.iou_loss(own, target, "giou").sum(), pred)


def scores(device: str) -> None:
    """Pairwise scores with masks, forward and backward, in a batch, of integers."""
    for kind, (n, m) in product(("iou", "giou", "ciou"), COUNTS):
        first, second = boxes(n, device).requires_grad_(), boxes(m, device).requires_grad_()
        mask = torch.rand(m, device=device) < 0.7
        torch.autograd.grad(fastiou.pairwise_iou(first, second, kind, mask2=mask).sum(), (first, second))
    batch = boxes(3 * 33, device).view(3, 33, 4).double().requires_grad_()
    torch.autograd.grad(fastiou.pairwise_iou(batch, boxes(70, device), "iof", fmt=("xywh", "cxcywh")).sum(), batch)
    fastiou.box_iou(boxes(33, device).long(), boxes(70, device).long().flip(0))


def matches(device: str) -> None:
    """Best partners on both sides, and what is made of ties."""
    for kind, (n, m) in product(("iou", "ciou"), ((1, 1), *COUNTS)):
        fastiou.max_iou(boxes(n, device), boxes(m, device), kind)
    fastiou.max_iou(boxes(700, device).double(), boxes(9, device), boxes_mask=torch.rand(700, device=device) < 0.5)
    fastiou.Matcher(0.5, 0.3, True)(boxes(257, device), boxes(5, device))


def suppressions(device: str) -> None:
    """NMS and its variants."""
    for n in (1, 63, 1025):
        own, ranks = boxes(n, device), torch.rand(n, device=device)
        classes = torch.randint(3, (n,), device=device)
        fastiou.nms(own, ranks, 0.5)
        fastiou.batched_nms(own.double(), ranks, classes, 0.5, kind="diou")
        fastiou.soft_nms(own, ranks)
        fastiou.soft_nms(own, ranks, method="linear", idxs=classes)
        fastiou.matrix_nms(own, ranks, idxs=classes)
        fastiou.cluster_nms(own, ranks, 0.5)
        fastiou.nms_rotated(rotated(n, device), ranks, 0.5)


def rotated_losses(device: str) -> None:
    """Losses of rotated boxes by area and by distance."""
    for n in (1, 2049):
        pred, target = rotated(n, device).requires_grad_(), rotated(n, device).requires_grad_()
        calls = [fastiou.rotated_iou_loss(pred, target, "iou", reduction="mean")]
        calls += [fastiou.rotated_iou_loss(pred, target, "ciou", enclosing=e) for e in ("hull", "min", "aabb")]
        calls += [fastiou.gaussian_loss(pred, target, kind, reduction="mean") for kind in fastiou.gaussian_kinds()]
        calls += [fastiou.rotated_iou_loss(pred.t().contiguous().t(), target, "giou")]
        for loss in calls:
            torch.autograd.grad(loss.sum(), (pred, target), retain_graph=True)


def rotated_sets(device: str) -> None:
    """Scores and matches of rotated boxes."""
    for n, m in COUNTS[:2]:
        first, second = rotated(n, device).requires_grad_(), rotated(m, device).requires_grad_()
        for kind in ("iou", "giou", "probiou"):
            torch.autograd.grad(fastiou.rotated_box_iou(first, second, kind).sum(), (first, second))
        fastiou.max_iou(first, second, fmt="cxcywhr")


def pixels(device: str) -> None:
    """PIoU: soft, softer, hard, aligned and pairwise."""
    pred, target = rotated(37, device).requires_grad_(), rotated(37, device).requires_grad_()
    for options in ({}, {"k": 0.1, "straight_through": True}, {"union": "area", "scale": 2.0}):
        torch.autograd.grad(fastiou.piou_loss(pred, target, **options), (pred, target))
    torch.autograd.grad(fastiou.piou_loss(pred.t().contiguous().t(), target.double()), pred)
    upright = boxes(37, device).requires_grad_()
    torch.autograd.grad(fastiou.piou_loss(upright, target[:, :4].abs(), reduction="sum"), upright)
    for sets in ((pred, target), (upright, upright[:5])):
        torch.autograd.grad(fastiou.pixel_iou(*sets, pairwise=True).sum(), sets[0])
        fastiou.pixel_iou(*sets, pairwise=True, hard=True)


def odd_pixels(device: str) -> None:
    """PIoU of boxes that are tiny, huge or empty."""
    odd = [[5, 5, 0.5, 0.2, 1], [9, 9, 3e3, 2e3, 2], [0, 0, 9e3, 40, 3], [7, 7, 0, 9, 4]]
    own = torch.tensor(odd, device=device, dtype=torch.float32).requires_grad_()
    torch.autograd.grad(fastiou.piou_loss(own[:, None], own, straight_through=True), own)
    fastiou.pixel_iou(own[:, None], own, hard=True)


PARTS: dict[str, Callable[[str], None]] = {
    "losses": losses,
    "layouts": layouts,
    "scores": scores,
    "matches": matches,
    "suppressions": suppressions,
    "rotated losses": rotated_losses,
    "rotated sets": rotated_sets,
    "pixels": pixels,
    "odd pixels": odd_pixels,
}


def boxes(n: int, device: str) -> Tensor:
    """Boxes ``(n, 4)`` within 121 pixels: they fit into every dtype."""
    corner, size = torch.rand(2, n, 2, device=device)
    return torch.cat([corner * 60, corner * 60 + size * 60 + 1], -1)


def rotated(n: int, device: str) -> Tensor:
    """Rotated boxes ``(n, 5)`` within about as many."""
    own = boxes(n, device)
    angle = torch.rand(n, 1, device=device) * 6 - 3
    return torch.cat([own[:, :2], own[:, 2:] - own[:, :2], angle], -1)


if __name__ == "__main__":
    sys.exit(main())
