"""Whose errors are measured: fastiou's scores and losses, torchvision's IoU, and Gaussian distances with matrices."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import torch
from torch import Tensor

import fastiou

from ..packages import version_of, why_missing
from ..rotated import composed

BLOCK = 16  # boxes per side of the matrices of which only the diagonal counts

Values = Callable[[Tensor, Tensor, bool], Tensor]  # predictions, targets, whether in degrees -> (n,)


def _fastiou(pred: Tensor, target: Tensor, degrees: bool) -> Tensor:
    first, second = (boxes.view(-1, BLOCK, 5) for boxes in (pred, target))
    matrices = fastiou.rotated_box_iou(first, second, degrees=degrees, clockwise=not degrees)
    return matrices.diagonal(dim1=1, dim2=2).flatten()


def _fastiou_loss(pred: Tensor, target: Tensor, degrees: bool) -> Tensor:
    return 1 - fastiou.rotated_iou_loss(pred, target, degrees=degrees, clockwise=not degrees)


def _torchvision(pred: Tensor, target: Tensor, degrees: bool) -> Tensor:
    box_iou = importlib.import_module("torchvision.ops").box_iou
    blocks = zip(pred.view(-1, BLOCK, 5), target.view(-1, BLOCK, 5), strict=True)
    return torch.cat([box_iou(a, b, fmt="cxcywhr").diagonal() for a, b in blocks])


#: IoU by provider. torchvision reads degrees only.
VALUES: dict[str, Values] = {"fastiou": _fastiou, "fastiou-loss": _fastiou_loss, "torchvision": _torchvision}

#: Distances with matrices, in any dtype, and the options with which fastiou's loss is the same number.
GAUSSIANS: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], dict]] = {
    "gwd": (lambda pred, target: composed.gwd(pred, target, normalize=False), {"normalize": False}),
    "kld": (composed.kld, {}),
    "bcd": (composed.bcd, {}),
    "kfiou": (composed.kfiou, {}),
    "probiou": (composed.probiou, {}),
}


def fastiou_gaussian(kind: str, pred: Tensor, target: Tensor) -> Tensor:
    """The distance, or the similarity."""
    loss = fastiou.gaussian_loss(pred, target, kind, fun="none", tau=0.0, **GAUSSIANS[kind][1])
    return 1 - loss if kind in ("kfiou", "probiou") else loss


def ultralytics_probiou(pred: Tensor, target: Tensor) -> Tensor:
    """The similarity."""
    return importlib.import_module("ultralytics.utils.metrics").probiou(pred, target).squeeze(-1)


def gradients(kind: str, pred: Tensor, target: Tensor, degrees: bool) -> tuple[Tensor, Tensor]:
    """Of fastiou's loss with respect to both boxes."""
    boxes = [x.clone().requires_grad_() for x in (pred, target)]
    return torch.autograd.grad(
        fastiou.rotated_iou_loss(*boxes, kind, degrees=degrees, clockwise=not degrees).sum(), boxes
    )


#: What has to be importable, by provider.
MODULES = {
    "fastiou": "fastiou",
    "torchvision": "torchvision.ops",
    "ultralytics": "ultralytics.utils.metrics",
    "clean": "torch",
}


def module_of(provider: str) -> str:
    """Of a provider, or of one of the ways to call fastiou."""
    return MODULES[provider.partition("-")[0]]


def missing(provider: str) -> str | None:
    """The reason why it cannot be measured, or None if it can."""
    return why_missing(module_of(provider))


def version(provider: str, device: str) -> str:
    """Of its package; says if it was fastiou's fallback that was measured."""
    package = module_of(provider).partition(".")[0]
    fallback = package == "fastiou" and fastiou.backend(device) != "native"
    return f"{version_of(package)}{' (fallback)' * fallback}"
