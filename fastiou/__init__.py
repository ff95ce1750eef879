"""fastiou: fused IoU losses for object detection, forward and backward, on CPU and CUDA."""

from . import reference
from .functional import (
    backend,
    complete_box_iou_loss,
    distance_box_iou_loss,
    formats,
    generalized_box_iou_loss,
    iou_loss,
    kinds,
)
from .modules import CIoULoss, DIoULoss, GIoULoss, IoULoss

__version__ = "0.1.0"

__all__ = [
    "CIoULoss",
    "DIoULoss",
    "GIoULoss",
    "IoULoss",
    "backend",
    "complete_box_iou_loss",
    "distance_box_iou_loss",
    "formats",
    "generalized_box_iou_loss",
    "iou_loss",
    "kinds",
    "reference",
]
