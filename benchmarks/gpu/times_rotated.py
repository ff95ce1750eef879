"""Times of rotated boxes, by area, by distance and by pixels."""

from __future__ import annotations

from functools import partial

import fastiou

from . import inputs
from .bench import Bench
from .times_losses import COPY, FILL


def rotated(bench: Bench) -> None:
    """Losses of a million pairs with partials, scores, matching and NMS."""
    n = bench.size(1_000_000)
    sets = [inputs.rotated_pairs(n, seed, bench.device) for seed in range(2)]
    for pred, _ in sets:
        pred.requires_grad_()
    losses = {kind: partial(fastiou.rotated_iou_loss, kind=kind, reduction="mean") for kind in ("iou", "giou", "ciou")}
    losses |= {kind: partial(fastiou.gaussian_loss, kind=kind, reduction="mean") for kind in ("gwd", "kld", "probiou")}
    for kind, loss in losses.items():
        bench.time(f"rotated loss {kind} 1e6 partials", [partial(loss, *pair) for pair in sets],
                   moved=60 * n, ceiling=COPY)  # fmt: skip
    boxes, gts = (x.detach() for x in sets[0])
    few, gts = boxes[: bench.size(8400)], gts[: bench.size(500, 50)]
    bench.time("rotated pairwise iou 8400x500", [partial(fastiou.rotated_box_iou, few, gts)],
               moved=4 * len(few) * len(gts), ceiling=FILL)  # fmt: skip
    bench.time("rotated max_iou 8400x500", [partial(fastiou.max_iou, few, gts, fmt="cxcywhr")])
    found = boxes[: bench.size(20_000)]
    scores = inputs.scores(len(found), 3, bench.device)
    bench.time("nms_rotated 20000", [partial(fastiou.nms_rotated, found, scores, 0.5)], waits=True)


def pixels(bench: Bench) -> None:
    """PIoU of boxes of 16 and of 64 pixels, with partials."""
    n = bench.size(100_000)
    for size in (16, 64):
        sets = [inputs.rotated_pairs(n, seed, bench.device) for seed in range(2)]
        for pred, target in sets:
            pred[:, 2:4] = target[:, 2:4] = size
            pred.requires_grad_()
        bench.time(f"piou {size} px 1e5 partials", [partial(fastiou.piou_loss, *pair) for pair in sets],
                   moved=60 * n, ceiling=COPY)  # fmt: skip
