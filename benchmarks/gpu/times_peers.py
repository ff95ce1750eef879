"""Times of what fastiou replaces: torchvision as it is, and a compiled loss."""

from __future__ import annotations

import importlib
from functools import partial

import torch

from .. import clean
from ..packages import why_missing
from . import inputs
from .bench import Bench
from .times_losses import REDUCTIONS, SIZES, step


def torchvision(bench: Bench) -> None:
    """torchvision's functions; ``ratio`` is their time over fastiou's."""
    reason = why_missing("torchvision.ops")
    if reason:
        return bench.add("torchvision", note=reason)
    ops = importlib.import_module("torchvision.ops")
    for name, n in reversed(SIZES.items()):  # first the size that a goal is about
        pred, target = inputs.pairs(bench.size(n), 0, bench.device)
        pred.requires_grad_()
        for reduction in REDUCTIONS:
            call = partial(ops.complete_box_iou_loss, reduction=reduction)
            ones = torch.ones_like(call(pred, target)).detach()
            bench.time(f"torchvision ciou {reduction} {name} step", [partial(step, call, pred, target, ones)],
                       than=f"loss ciou {reduction} {name} step", waits=True)  # fmt: skip
    _sets(bench, ops)
    return None


def _sets(bench: Bench, ops) -> None:
    n, m = bench.size(200_000), bench.size(5000, 50)
    boxes, gts = inputs.pairs(n, 0, bench.device)[0], inputs.pairs(m, 1, bench.device)[1]
    some, few = boxes[: bench.size(20_000)], gts[: bench.size(500, 50)]
    bench.time("torchvision box_iou 20000x5000", [partial(ops.box_iou, some, gts)], than="pairwise iou 20000x5000")
    bench.time("torchvision box_iou and max 200000x500", [lambda: _best(ops.box_iou(boxes, few))],
               than="max_iou 200000x500 shuffled")  # fmt: skip
    for count in (2000, 20_000, 100_000):
        found = inputs.detections(bench.size(count), 3, bench.device)
        bench.time(f"torchvision nms {count}", [partial(ops.nms, *found, 0.5)], than=f"nms {count}", waits=True)


def _best(matrix):
    return matrix.max(1), matrix.max(0)


def compiled(bench: Bench) -> None:
    """torch.compile of a plain PyTorch CIoU, if there is time to compile it."""
    for name in ("1e6", "1.6e7"):
        row = f"compiled ciou mean {name} step"
        if bench.tiny or bench.left() < 45:
            bench.add(row, note="left out in a rehearsal" if bench.tiny else "no time left to compile")
            continue
        pred, target = inputs.pairs(bench.size(SIZES[name]), 0, bench.device)
        pred.requires_grad_()
        loss = clean.loss("ciou")
        call = torch.compile(lambda p, t, loss=loss: loss(p, t).mean(), dynamic=False)
        ones = torch.ones((), device=bench.device)
        bench.time(row, [partial(step, call, pred, target, ones)], than=f"loss ciou mean {name} step", waits=True)
