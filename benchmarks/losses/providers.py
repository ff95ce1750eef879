"""Who is measured: fastiou, its fallback, its peers, and the limits."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

import fastiou
from fastiou import reference

from .. import clean
from ..packages import version_of, why_missing
from ..steps import Steps
from . import limits
from .case import Case, Data

Loss = Callable[[Tensor, Tensor], Tensor]
EPS = 1e-7
TORCHVISION = {"giou": "generalized_box_iou_loss", "diou": "distance_box_iou_loss", "ciou": "complete_box_iou_loss"}
ULTRALYTICS = {"iou": {}, "giou": {"GIoU": True}, "diou": {"DIoU": True}, "ciou": {"CIoU": True}}


@dataclass(frozen=True)
class Provider:
    """A name, how to take the two steps of a case, and why that is impossible where it is.

    Attributes:
        steps: the steps of a case.
        missing: the reason why a kind cannot be measured on a device, or None if it can.
        module: the package whose version the CSV names.
    """

    name: str
    steps: Callable[[Case, Data], Steps]
    missing: Callable[[str, str], str | None]
    module: str = "torch"

    @property
    def version(self) -> str:
        """Version of the package behind this provider."""
        return version_of(self.module)


def _always(kind: str, device: str) -> None:
    return None


def _steps_of(make_loss: Callable[[Case], Loss]) -> Callable[[Case, Data], Steps]:
    """Steps of an ordinary differentiable loss; the gradient goes to the prediction."""

    def steps(case: Case, data: Data) -> Steps:
        loss = make_loss(case)
        pred, target, grad = data
        return Steps(lambda: loss(pred, target), lambda value: torch.autograd.grad(value, pred, grad))

    return steps


def _reduced(row_loss: Loss, case: Case) -> Loss:
    """The loss per pair, or its mean; half precision goes to float32 first, as training code does it."""
    upcast = case.dtype in ("float16", "bfloat16")

    def loss(pred: Tensor, target: Tensor) -> Tensor:
        if upcast:
            pred, target = pred.float(), target.float()
        rows = row_loss(pred, target)
        return rows if case.reduction == "none" else rows.mean()

    return loss


def _fastiou_loss(case: Case) -> Loss:
    return lambda pred, target: fastiou.iou_loss(pred, target, case.kind, reduction=case.reduction)


def _no_kernels(kind: str, device: str) -> str | None:
    return None if fastiou.backend(device) == "native" else f"fastiou has no compiled kernels for {device} here"


def _fallback_loss(case: Case) -> Loss:
    return _reduced(lambda pred, target: reference.row_loss(pred, target, case.kind, EPS), case)


def _clean_loss(case: Case) -> Loss:
    return _reduced(clean.loss(case.kind), case)


def _not_clean(kind: str, device: str) -> str | None:
    return None if kind in clean.SCORES else f"not written for {kind}"


def _compiled(make_loss: Callable[[Case], Loss]) -> Callable[[Case], Loss]:
    """Compiled for one size, which is the fastest that torch.compile does."""

    def make_compiled_loss(case: Case) -> Loss:
        torch.compiler.reset()  # else sizes measured before count towards the limit of recompilations
        return torch.compile(make_loss(case), dynamic=False)

    return make_compiled_loss


def _torchvision_loss(case: Case) -> Loss:
    function = getattr(importlib.import_module("torchvision.ops"), TORCHVISION[case.kind])
    return lambda pred, target: function(pred, target, reduction=case.reduction)


def _no_torchvision(kind: str, device: str) -> str | None:
    return why_missing("torchvision.ops") or (None if kind in TORCHVISION else f"torchvision has no {kind} loss")


def _ultralytics_loss(case: Case) -> Loss:
    bbox_iou = importlib.import_module("ultralytics.utils.metrics").bbox_iou
    options = ULTRALYTICS[case.kind]
    return _reduced(lambda pred, target: 1 - bbox_iou(pred, target, xywh=False, **options).squeeze(-1), case)


def _no_ultralytics(kind: str, device: str) -> str | None:
    if kind not in ULTRALYTICS:
        return f"Ultralytics has no {kind}"
    return why_missing("ultralytics.utils.metrics")


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("fastiou", _steps_of(_fastiou_loss), _no_kernels, "fastiou"),
        Provider("copy", limits.copy_steps, _always),
        Provider("operator", limits.operator_steps, _no_kernels, "fastiou"),
        Provider("autograd-node", limits.bare_node_steps, _always),
        Provider("compile", _steps_of(_compiled(_clean_loss)), _not_clean),
        Provider("compile-fallback", _steps_of(_compiled(_fallback_loss)), _always),
        Provider("fallback", _steps_of(_fallback_loss), _always, "fastiou"),
        Provider("clean", _steps_of(_clean_loss), _not_clean),
        Provider("torchvision", _steps_of(_torchvision_loss), _no_torchvision, "torchvision"),
        Provider("ultralytics", _steps_of(_ultralytics_loss), _no_ultralytics, "ultralytics"),
    )
}
