"""Who is measured on PIoU: fastiou, its fallback, and PIoU composed of PyTorch operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from unittest import mock

import torch

import fastiou
from fastiou._ops import autograd, fallback

from .. import tasks
from ..provider import Make, Provider
from . import rasterised
from .case import Case, make_data

#: All but fastiou take seconds for more pixels.
MOST_PIXELS = {"cpu": 5 * 10**7, "cuda": 5 * 10**9}


def prepared_call(name: str, case: Case) -> Callable[[], Any]:
    """One call of a case for a fresh process."""
    return tasks.prepared_call(PROVIDERS[name], case, make_data)


def _loss(case: Case) -> Callable:
    return partial(fastiou.piou_loss, union=case.union, reduction="none")


def _scores(case: Case) -> Callable:
    return partial(fastiou.pixel_iou, union=case.union, pairwise=True)


def _composed(score: Callable) -> Make:
    return lambda case: rasterised.loss(partial(score, union=case.union))


def _composed_scores(case: Case) -> Callable:
    return partial(rasterised.pairwise, union=case.union)


def _compiled(case: Case) -> Callable:
    """Compiled for one size of grid, with the chunks of the composed one."""
    torch.compiler.reset()  # else sizes measured before count towards the limit of recompilations
    kernel = torch.compile(rasterised.rotated_kernel, dynamic=False)
    return rasterised.loss(partial(rasterised.rotated, union=case.union, kernel=kernel))


def _plain(make: Make) -> Make:
    """fastiou's function with the operators that devices without compiled kernels have."""

    def scores(boxes1, boxes2, format1, format2, area_union, k, scale):
        return fallback.pixel_pairwise(boxes1, boxes2, format1, format2, area_union, False, k, scale)

    operators = {
        "pixel_loss": autograd._differentiable(fallback.pixel_loss),
        "pixel_pairwise": autograd._differentiable_sets(scores, fallback.pixel_pairwise_backward, 0),
    }

    def make_plain(case: Case) -> Callable:
        function = make(case)

        def call(*arguments):
            with mock.patch.multiple(autograd, **operators):
                return function(*arguments)

        return call

    return make_plain


def _is_small(case: Case) -> bool:
    return case.pixels <= MOST_PIXELS[case.device]


_FASTIOU: dict[str, Make] = {"rotated": _loss, "upright": _loss, "pairwise": _scores}

PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("fastiou", "fastiou", _FASTIOU),
        Provider(
            "clean",
            "torch",
            {
                "rotated": _composed(rasterised.rotated),
                "upright": _composed(rasterised.upright),
                "pairwise": _composed_scores,
            },
            can=_is_small,
        ),
        Provider("compile", "torch", {"rotated": _compiled}, can=_is_small, compiles=True),
        Provider("fallback", "fastiou", {task: _plain(make) for task, make in _FASTIOU.items()}, can=_is_small),
    )
}
