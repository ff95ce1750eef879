"""Who is measured on sets of boxes: fastiou, its fallback, its peers, and one limit: writing the output once."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from .. import clean, tasks
from ..provider import Make, Provider, compiled, fallback, matched, of
from ..steps import DTYPES
from . import arrays
from .case import Case, make_data

#: The functions by kind, in fastiou and in torchvision.
PAIRWISE = {
    "iou": "box_iou",
    "giou": "generalized_box_iou",
    "diou": "distance_box_iou",
    "ciou": "complete_box_iou",
}
#: The fallback keeps dozens of matrices at a time; others say nothing beyond this that torchvision does not say, too.
MOST_PAIRS = 2 * 10**7


def prepared_call(name: str, case: Case) -> Callable[[], Any]:
    """One call of a case for a fresh process."""
    return tasks.prepared_call(PROVIDERS[name], case, make_data)


def _pairwise_of(module: str) -> Make:
    return lambda case: getattr(importlib.import_module(module), PAIRWISE[case.kind])


def _fastiou_arrays(case: Case) -> Callable:
    """fastiou.numpy on as many threads as the others may use: it does not know torch's setting."""
    box_iou = importlib.import_module("fastiou.numpy").box_iou
    threads = torch.get_num_threads()
    return lambda boxes1, boxes2: box_iou(boxes1, boxes2, case.kind, threads=threads)


def _clean_pairwise(case: Case) -> Callable:
    return clean.pairwise(case.kind)


def _write(case: Case) -> Callable:
    """One number into a matrix of all pairs."""
    return lambda *_: torch.full((case.n, case.m), 0.5, device=case.device, dtype=DTYPES[case.dtype])


def _write_array(case: Case) -> Callable:
    return lambda *_: np.full((case.n, case.m), 0.5, dtype=case.dtype)


_FASTIOU: dict[str, Make] = {
    "pairwise": _pairwise_of("fastiou"),
    **{name: of("fastiou", name) for name in ("max_iou", "nms", "batched_nms", "soft_nms", "matrix_nms")},
}
_TORCHVISION = _pairwise_of("torchvision.ops")
_ULTRALYTICS = of("ultralytics.utils.metrics", "box_iou")

PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("fastiou", "fastiou", {**_FASTIOU, "numpy": _fastiou_arrays}),
        Provider("write", "torch", {"pairwise": _write, "max_iou": _write, "numpy": _write_array}, modes=("forward",)),
        Provider(
            "compile",
            "torch",
            {"pairwise": compiled(_clean_pairwise), "max_iou": compiled(matched(_clean_pairwise))},
            compiles=True,
        ),
        Provider(
            "clean",
            "torch",
            {"pairwise": _clean_pairwise, "max_iou": matched(_clean_pairwise), "nms": lambda case: clean.nms},
            most_pairs=MOST_PAIRS,
        ),
        Provider(
            "fallback",
            "fastiou",
            {task: fallback(make) for task, make in _FASTIOU.items()},
            most_pairs=MOST_PAIRS,
        ),
        Provider(
            "torchvision",
            "torchvision.ops",
            {
                "pairwise": _TORCHVISION,
                "max_iou": matched(_TORCHVISION),
                "nms": of("torchvision.ops", "nms"),
                "batched_nms": of("torchvision.ops", "batched_nms"),
            },
        ),
        Provider(
            "ultralytics",
            "ultralytics.utils.nms",
            {
                "pairwise": _ULTRALYTICS,
                "max_iou": matched(_ULTRALYTICS),
                "nms": lambda case: importlib.import_module("ultralytics.utils.nms").TorchNMS.nms,
            },
            kinds=("iou",),
            most_pairs=MOST_PAIRS,
        ),
        Provider("pycocotools", "pycocotools.mask", {"numpy": arrays.pycocotools_iou}, prepare=arrays.to_xywh),
        Provider("cython_bbox", "cython_bbox", {"numpy": arrays.cython_bbox_iou}),
        Provider("numpy", "numpy", {"numpy": arrays.broadcast_iou}),
    )
}
