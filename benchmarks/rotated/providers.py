"""Who is measured on rotated boxes: fastiou, its fallback, losses composed of PyTorch operations, and its peers."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from torch import Tensor

import fastiou

from .. import clean, tasks
from ..provider import Make, Provider, compiled, fallback, matched
from . import composed
from .case import EXACT, Case, make_data

MOST_PAIRS = 5 * 10**6  # of the fallback, which keeps a hundred matrices at a time


def prepared_call(name: str, case: Case) -> Callable[[], Any]:
    """One call of a case for a fresh process."""
    return tasks.prepared_call(PROVIDERS[name], case, make_data)


def _scores(case: Case) -> Callable:
    options = {"enclosing": case.enclosing} if case.enclosing else {}
    return lambda boxes1, boxes2: fastiou.rotated_box_iou(boxes1, boxes2, case.kind, **options)


def _loss(case: Case) -> Callable:
    if case.kind not in EXACT:
        return lambda pred, target: fastiou.gaussian_loss(pred, target, case.kind)
    options = {"enclosing": case.enclosing} if case.enclosing else {}
    return lambda pred, target: fastiou.rotated_iou_loss(pred, target, case.kind, **options)


def _max_iou(case: Case) -> Callable:
    return lambda boxes, gts: fastiou.max_iou(boxes, gts, fmt="cxcywhr")


def _nms(case: Case) -> Callable:
    return fastiou.nms_rotated


def _composed_loss(case: Case) -> Callable:
    return composed.LOSSES[case.kind, case.enclosing]


def _torchvision_iou(case: Case) -> Callable:
    box_iou = importlib.import_module("torchvision.ops").box_iou
    return lambda boxes1, boxes2: box_iou(boxes1, boxes2, fmt="cxcywhr")


def _torchvision_nms(case: Case) -> Callable:
    """torchvision has no NMS of rotated boxes: greedily, one row of the matrix for each box that is kept."""
    iou = _torchvision_iou(case)
    return lambda boxes, scores, threshold: clean.nms(boxes, scores, threshold, lambda a, b: iou(a, b)[0])


def _to_torchvision(*arguments) -> tuple[Any, ...]:
    """Boxes in degrees, counter-clockwise."""
    return tuple(
        fastiou.convert_rotated(x, "cxcywhr", "torchvision_cxcywhr") if isinstance(x, Tensor) and x.ndim == 2 else x
        for x in arguments
    )


def _ultralytics_scores(case: Case) -> Callable:
    return importlib.import_module("ultralytics.utils.metrics").batch_probiou


def _ultralytics_loss(case: Case) -> Callable:
    probiou = importlib.import_module("ultralytics.utils.metrics").probiou
    return lambda pred, target: 1 - probiou(pred, target).squeeze(-1)


def _has_composed(case: Case) -> bool:
    return (case.kind, case.enclosing) in composed.LOSSES


_FASTIOU: dict[str, Make] = {"pile": _scores, "scene": _scores, "loss": _loss, "max_iou": _max_iou, "nms": _nms}

PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("fastiou", "fastiou", _FASTIOU),
        Provider(
            "torchvision",
            "torchvision.ops",
            {
                "pile": _torchvision_iou,
                "scene": _torchvision_iou,
                "max_iou": matched(_torchvision_iou),
                "nms": _torchvision_nms,
            },
            kinds=("iou",),
            prepare=_to_torchvision,
        ),
        Provider(
            "ultralytics",
            "ultralytics.utils.metrics",
            {"pile": _ultralytics_scores, "loss": _ultralytics_loss},
            kinds=("probiou",),
        ),
        Provider("clean", "torch", {"loss": _composed_loss}, can=_has_composed),
        Provider("compile", "torch", {"loss": compiled(_composed_loss)}, can=_has_composed, compiles=True),
        Provider(
            "fallback",
            "fastiou",
            {task: fallback(make) for task, make in _FASTIOU.items()},
            most_pairs=MOST_PAIRS,
        ),
    )
}
