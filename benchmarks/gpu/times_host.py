"""What the host spends on a call, and how many kernels a call launches."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch.utils._python_dispatch import TorchDispatchMode

import fastiou

from .. import launches
from ..losses import limits
from . import inputs
from .bench import Bench
from .times_losses import step

BARE, NODE = "host: the bare operator, mean", "host: a step of a bare autograd node, 128"


def host(bench: Bench) -> None:
    """A reduced loss beside the operator alone, and a whole step beside a node that computes nothing."""
    pred, target = inputs.pairs(128, 0, bench.device)
    mean = partial(fastiou.iou_loss, reduction="mean")
    bench.host(BARE, operator_of(partial(mean, pred, target)))
    bench.host("host: iou_loss mean", partial(mean, pred, target), than=BARE)
    bench.host("host: iou_loss none", partial(fastiou.iou_loss, pred, target))
    pred = pred.clone().requires_grad_()
    one = torch.ones((), device=bench.device)
    bare = limits.bare_node_steps(None, (pred, target, one))  # it does not look at the case
    bench.host(NODE, lambda: bare.backward(bare.forward()))
    bench.host("host: a step of iou_loss mean, 128", partial(step, mean, pred, target, one), than=NODE)
    bench.host("host: iou_loss mean, with partials", partial(mean, pred, target))
    boxes = pred.detach()
    bench.host("host: pairwise_iou", partial(fastiou.pairwise_iou, boxes, target))
    bench.host("host: max_iou", partial(fastiou.max_iou, boxes, target))
    bench.host("host: nms_mask", partial(fastiou.nms_mask, boxes, inputs.scores(128, 0, bench.device), 0.5))


class _FirstOperator(TorchDispatchMode):
    """Notes the first operator of fastiou that a call uses, with its arguments."""

    call: Callable[[], object] | None = None

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "fastiou" and self.call is None:
            self.call = partial(func, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def operator_of(call: Callable[[], object]) -> Callable[[], object]:
    """The call of the operator that a call makes, without what Python does around it."""
    with _FirstOperator() as mode:
        call()
    if mode.call is None:
        raise RuntimeError("the call uses no operator of fastiou")
    return mode.call


def launched(bench: Bench) -> None:
    """Kernels of a loss, of a reduced one, and of their backward passes."""
    note = "" if launches.can_count() else "the profiler sees no kernels here"
    for n in (1000, 1_000_000):
        pred, target = inputs.pairs(n, 0, bench.device)
        learning = pred.clone().requires_grad_()
        for reduction in ("none", "mean"):
            call = partial(fastiou.iou_loss, reduction=reduction)
            loss = call(learning, target)
            back = partial(torch.autograd.grad, loss, learning, torch.ones_like(loss), retain_graph=True)
            works = {
                "forward": partial(call, pred, target),
                "partials": partial(call, learning, target),
                "backward": back,
            }
            for mode, work in works.items():
                work()
                found = launches.count_kernels(work)
                bench.add(f"launches ciou {reduction} {n} {mode}", launches=found, note=note)
