"""fastiou: fused IoU losses, pairwise IoU, matching and NMS for object detection, on CPU and CUDA.

``fastiou.numpy`` does without torch. So that importing it does not import torch, the names below are loaded when torch
is there already, or else when the first of them is asked for.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import reference
    from .angle_labels import circular_smooth_label, csl_angle
    from .functional import (
        backend,
        complete_box_iou_loss,
        distance_box_iou_loss,
        formats,
        generalized_box_iou_loss,
        iou_loss,
        kinds,
    )
    from .gaussian import gaussian_distance, gaussian_kinds, gaussian_loss
    from .matching import Assignment, Matcher, MaxIoU, MaxIoUAssigner, SSDMatcher, max_iou
    from .modules import CIoULoss, DIoULoss, GaussianLoss, GIoULoss, IoULoss, PIoULoss, RotatedIoULoss
    from .pairwise import (
        box_iou,
        complete_box_iou,
        distance_box_iou,
        generalized_box_iou,
        pairwise_iou,
        pairwise_kinds,
    )
    from .pixels import piou_loss, pixel_iou
    from .rotated import rotated_box_iou, rotated_iou_loss
    from .rotated_boxes import convert_rotated, rotated_conventions
    from .suppression import batched_nms, cluster_nms, matrix_nms, nms, nms_mask, nms_rotated, soft_nms

__version__ = "0.1.0"

_MODULES = {
    "angle_labels": ("circular_smooth_label", "csl_angle"),
    "functional": (
        "backend",
        "complete_box_iou_loss",
        "distance_box_iou_loss",
        "formats",
        "generalized_box_iou_loss",
        "iou_loss",
        "kinds",
    ),
    "gaussian": ("gaussian_distance", "gaussian_kinds", "gaussian_loss"),
    "rotated": ("rotated_box_iou", "rotated_iou_loss"),
    "matching": ("Assignment", "Matcher", "MaxIoU", "MaxIoUAssigner", "SSDMatcher", "max_iou"),
    "modules": ("CIoULoss", "DIoULoss", "GIoULoss", "GaussianLoss", "IoULoss", "PIoULoss", "RotatedIoULoss"),
    "pixels": ("piou_loss", "pixel_iou"),
    "rotated_boxes": ("convert_rotated", "rotated_conventions"),
    "suppression": ("batched_nms", "cluster_nms", "matrix_nms", "nms", "nms_mask", "nms_rotated", "soft_nms"),
    "pairwise": (
        "box_iou",
        "complete_box_iou",
        "distance_box_iou",
        "generalized_box_iou",
        "pairwise_iou",
        "pairwise_kinds",
    ),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Assignment",
    "CIoULoss",
    "DIoULoss",
    "GIoULoss",
    "GaussianLoss",
    "IoULoss",
    "Matcher",
    "MaxIoU",
    "MaxIoUAssigner",
    "PIoULoss",
    "RotatedIoULoss",
    "SSDMatcher",
    "backend",
    "batched_nms",
    "box_iou",
    "circular_smooth_label",
    "cluster_nms",
    "complete_box_iou",
    "complete_box_iou_loss",
    "convert_rotated",
    "csl_angle",
    "distance_box_iou",
    "distance_box_iou_loss",
    "formats",
    "gaussian_distance",
    "gaussian_kinds",
    "gaussian_loss",
    "generalized_box_iou",
    "generalized_box_iou_loss",
    "iou_loss",
    "kinds",
    "matrix_nms",
    "max_iou",
    "nms",
    "nms_mask",
    "nms_rotated",
    "pairwise_iou",
    "pairwise_kinds",
    "piou_loss",
    "pixel_iou",
    "reference",
    "rotated_box_iou",
    "rotated_conventions",
    "rotated_iou_loss",
    "soft_nms",
]


def _load_all() -> None:
    for module, names in _MODULES.items():
        loaded = import_module(f".{module}", __name__)
        globals().update({name: getattr(loaded, name) for name in names})
    globals()["reference"] = import_module(".reference", __name__)


def __getattr__(name: str):
    if name not in _HOME and name != "reference":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _load_all()
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "torch" in sys.modules:
    _load_all()
