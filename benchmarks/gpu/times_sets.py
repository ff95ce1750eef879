"""Times of pairwise scores, matching and NMS."""

from __future__ import annotations

from functools import partial

import torch

import fastiou

from . import inputs
from .bench import Bench
from .times_losses import FILL

WRITING = "writing a matrix 200000x500"


def pairwise(bench: Bench) -> None:
    """20,000 x 5,000 scores, beside writing as many numbers; and a small matrix."""
    n, m = bench.size(20_000), bench.size(5000, 50)
    boxes, gts = inputs.pairs(n, 0, bench.device)[0], inputs.pairs(m, 1, bench.device)[1]
    for kind in ("iou", "giou", "ciou"):
        call = partial(fastiou.pairwise_iou, boxes, gts, kind)
        bench.time(f"pairwise {kind} 20000x5000", [call], moved=4 * n * m, ceiling=FILL)
    few = bench.size(8400), bench.size(100, 50)
    small = partial(fastiou.pairwise_iou, boxes[: few[0]], gts[: few[1]])
    bench.time("pairwise iou 8400x100", [small], moved=4 * few[0] * few[1], ceiling=FILL)
    pair = [x[: bench.size(4000, 40)].clone().requires_grad_() for x in (boxes, gts)]
    scores = fastiou.pairwise_iou(*pair, "giou")
    back = partial(torch.autograd.grad, scores, pair, torch.ones_like(scores), retain_graph=True)
    bench.time("pairwise giou 4000x4000 backward", [back], moved=4 * scores.numel())


def matching(bench: Bench) -> None:
    """Best partners without the matrix, beside the time of writing it."""
    n, m = bench.size(200_000), bench.size(500, 50)
    boxes, gts = inputs.pairs(n, 0, bench.device)[0], inputs.pairs(m, 1, bench.device)[1]
    matrix = torch.empty(n, m, device=bench.device)
    bench.time(WRITING, [partial(matrix.fill_, 1.5)], moved=4 * n * m, ceiling=FILL)
    del matrix
    bench.time("max_iou 200000x500 shuffled", [partial(fastiou.max_iou, boxes, gts)], than=WRITING)
    ordered = inputs.in_grid_order(boxes)
    bench.time("max_iou 200000x500 grid", [partial(fastiou.max_iou, ordered, gts)], than=WRITING)
    bench.time("max_iou 500x200000", [partial(fastiou.max_iou, gts, ordered)], than=WRITING)
    few = boxes[: bench.size(8400)], gts[: bench.size(100, 50)]
    bench.time("max_iou 8400x100", [partial(fastiou.max_iou, *few)])


def suppression(bench: Bench) -> None:
    """NMS with its wait for the number of kept boxes, and without; its variants."""
    for n in (2000, 20_000, 100_000):
        boxes, scores = inputs.detections(bench.size(n), 3, bench.device)
        kept = len(fastiou.nms(boxes, scores, 0.5))
        bench.time(f"nms {n}", [partial(fastiou.nms, boxes, scores, 0.5)], waits=True, note=f"keeps {kept}")
        bench.time(f"nms_mask {n}", [partial(fastiou.nms_mask, boxes, scores, 0.5)])
    classes = (inputs.scores(bench.size(20_000), 4, bench.device) * 80).long()
    found = inputs.detections(bench.size(20_000), 3, bench.device)
    bench.time("batched_nms 20000, 80 classes", [partial(fastiou.batched_nms, *found, classes, 0.5)], waits=True)
    boxes, scores = inputs.detections(bench.size(2000), 3, bench.device)
    bench.time("soft_nms 2000", [partial(fastiou.soft_nms, boxes, scores)], waits=True)
    bench.time("matrix_nms 2000", [partial(fastiou.matrix_nms, boxes, scores)])
