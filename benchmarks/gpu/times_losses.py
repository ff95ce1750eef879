"""Times of the aligned losses beside what this very card can do at most."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

import fastiou

from . import inputs
from .bench import Bench

#: The rows of the largest copy and fill, whose bytes per second are this card's ceilings.
COPY, FILL = "copy 512 MiB", "fill 512 MiB"

SIZES = {"1.6e7": 16_000_000, "1e6": 1_000_000, "1e5": 100_000, "1e3": 1000}
KINDS = ("ciou", "iou", "giou")
CACHES = 2**27  # bytes: more than caches hold
REDUCTIONS = ("none", "mean")
Loss = Callable[[Tensor, Tensor], Tensor]


def ceilings(bench: Bench) -> None:
    """The most that there is: copies and fills, large and of the sizes of the losses, and launches of nothing."""
    elements = bench.size(2**27)
    sources = [torch.rand(elements, device=bench.device) for _ in range(2)]
    sink = torch.empty_like(sources[0])
    for _ in range(2 if bench.tiny else 200):  # the clocks rise under load
        sink.copy_(sources[0])
    bench.time(COPY, [partial(sink.copy_, source) for source in sources], moved=8 * elements)
    bench.time(FILL, [partial(sink.fill_, 1.5)], moved=4 * elements, note="writing alone")
    for name, n in SIZES.items():
        count = min(9 * n // 2, elements // 2)  # floats of 18 bytes a pair, which are read and written
        spans = [slice(i, i + count) for i in range(0, elements - count + 1, count)[:4]]
        calls = [partial(sink[span].copy_, source[span]) for span in spans for source in sources]
        bench.time(f"copy of the bytes of {name} pairs", calls, moved=8 * count, ceiling=COPY)
    one = torch.zeros(1, device=bench.device)
    bench.time("launch of one element's fill", [partial(one.fill_, 1.0)])
    bench.host("host: one element's fill", partial(one.fill_, 1.0))


def losses(bench: Bench) -> None:
    """Forward without gradient, forward with partials, backward, and a whole step as a program sees it."""
    for name, n in SIZES.items():
        n = bench.size(n)
        count = 2 if bench.tiny else min(max(2, CACHES // (32 * n)), 32)
        sets = [inputs.pairs(n, seed, bench.device) for seed in range(count)]
        for kind in KINDS:
            for reduction in REDUCTIONS:
                call = partial(fastiou.iou_loss, kind=kind, reduction=reduction)
                _loss(bench, f"loss {kind} {reduction} {name}", call, sets, 4 if reduction == "none" else 0)


def _loss(bench: Bench, name: str, call: Loss, sets: list[tuple[Tensor, Tensor]], own: int) -> None:
    """The rows of a loss of which a pair has ``own`` bytes."""
    n = len(sets[0][0])
    plain = [partial(call, *pair) for pair in sets]
    bench.time(f"{name} forward", plain, moved=n * (32 + own), ceiling=COPY)
    learning = [(pred.clone().requires_grad_(), target) for pred, target in sets]
    bench.time(f"{name} partials", [partial(call, *pair) for pair in learning], moved=n * (48 + own), ceiling=COPY)
    done = [(call(*pair), pair[0]) for pair in learning]
    ones = torch.ones_like(done[0][0])
    back = [partial(torch.autograd.grad, loss, pred, ones, retain_graph=True) for loss, pred in done]
    bench.time(f"{name} backward", back, moved=n * (32 + own), ceiling=COPY)
    del done, back
    steps = [partial(step, call, *pair, ones) for pair in learning]
    bench.time(f"{name} step", steps, moved=n * (80 + 2 * own), ceiling=COPY, waits=True)


def step(call: Loss, pred: Tensor, target: Tensor, ones: Tensor) -> Tensor:
    """Forward and backward: the gradient of the prediction."""
    return torch.autograd.grad(call(pred, target), pred, ones)[0]
