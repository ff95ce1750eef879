"""The kernels that goals are about, once each, on sizes that fill the card: what ncu looks at."""

from __future__ import annotations

import sys
from functools import partial

import torch

import fastiou

from . import context, inputs


def main() -> int:
    """Launches the kernels, the most important first."""
    here = context.read()
    device = here.device

    def size(n: int) -> int:
        return min(n, 100) if here.tiny else n

    for kind in ("ciou", "iou"):
        pred, target = inputs.pairs(size(8_000_000), 0, device)
        fastiou.iou_loss(pred, target, kind)
        pred.requires_grad_()
        for reduction in ("none", "mean"):
            _step(partial(fastiou.iou_loss, kind=kind, reduction=reduction), pred, target)
    boxes, gts = inputs.pairs(size(300_000), 0, device)[0], inputs.pairs(size(5000), 1, device)[1]
    for kind in ("iou", "ciou"):
        fastiou.pairwise_iou(boxes[: size(20_000)], gts, kind)
    fastiou.max_iou(boxes[: size(200_000)], gts[: size(500)])
    fastiou.max_iou(inputs.in_grid_order(boxes[: size(200_000)]), gts[: size(500)])
    fastiou.nms_mask(*inputs.detections(size(20_000), 3, device), 0.5)
    pred, target = inputs.rotated_pairs(size(1_000_000), 0, device)
    pred.requires_grad_()
    for loss in (fastiou.rotated_iou_loss, fastiou.gaussian_loss):
        _step(partial(loss, reduction="mean"), pred, target)
    with torch.no_grad():
        fastiou.rotated_box_iou(pred[: size(4000)], target[: size(2000)])
    small = [x[: size(50_000)].detach().clone() for x in (pred, target)]
    for own in small:
        own[:, 2:4] = 32
    _step(fastiou.piou_loss, small[0].requires_grad_(), small[1])
    if device == "cuda":
        torch.cuda.synchronize()
    print("the main kernels ran once each")
    return 0


def _step(loss, pred, target) -> None:
    value = loss(pred, target)
    torch.autograd.grad(value, pred, torch.ones_like(value))


if __name__ == "__main__":
    sys.exit(main())
