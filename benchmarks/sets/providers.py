"""Who is measured on sets of boxes: fastiou, its fallback, its peers, and one limit: writing the output once."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import fastiou
from fastiou import _native

from .. import clean
from ..packages import version_of, why_missing
from ..steps import DTYPES, Steps
from . import arrays
from .case import Case, Data, make_data

Make = Callable[[Case], Callable]  # the function that does the task of a case on its arguments

#: The functions by kind, in fastiou and in torchvision.
PAIRWISE = {
    "iou": "box_iou",
    "giou": "generalized_box_iou",
    "diou": "distance_box_iou",
    "ciou": "complete_box_iou",
}
#: The fallback keeps dozens of matrices at a time; others say nothing beyond this that torchvision does not say, too.
MOST_PAIRS = 2 * 10**7


@dataclass(frozen=True)
class Provider:
    """A name, the tasks that it can do, and what has to be imported for them.

    Attributes:
        module: what has to be importable; the CSV names the version of its package.
        kinds: the only ones it has; None for all.
        modes: the modes that mean something.
        most_pairs: it is not measured on more.
        compiles: a new process would have to compile a case again.
        prepare: what its user does to the arguments beforehand.
    """

    name: str
    module: str
    tasks: dict[str, Make]
    kinds: tuple[str, ...] | None = None
    modes: tuple[str, ...] = ("forward", "full")
    most_pairs: int | None = None
    compiles: bool = False
    prepare: Callable[..., tuple[Any, ...]] = lambda *arguments: arguments

    @property
    def version(self) -> str:
        """Version of the package."""
        return version_of(self.module.partition(".")[0])

    def missing(self, device: str) -> str | None:
        """The reason why it cannot be measured on a device, or None if it can."""
        if self.name == "fastiou" and fastiou.backend(device) != "native":
            return f"fastiou has no compiled kernels for {device} here"
        return why_missing(self.module)

    def has(self, case: Case) -> bool:
        """Whether it is measured on this case."""
        return (
            case.task in self.tasks
            and (not self.kinds or not case.kind or case.kind in self.kinds)
            and case.mode in self.modes
            and (self.most_pairs is None or case.pairs <= self.most_pairs)
        )

    def steps(self, case: Case, data: Data) -> Steps:
        """The passes of a case; the gradient goes to both sets."""
        try:
            function = self.tasks[case.task](case)
        except (ImportError, AttributeError) as error:  # another version, which lacks it: fails when it is called
            function = _failing(error)
        arguments = self.prepare(*data.arguments)
        return Steps(
            lambda: function(*arguments), lambda value: torch.autograd.grad(value, data.arguments[:2], data.grad)
        )


def prepared_call(name: str, case: Case) -> Callable[[], Any]:
    """One call of a case for a fresh process, after one with a few boxes has loaded what is loaded once."""
    provider = PROVIDERS[name]
    small = case.tiny()
    provider.steps(small, make_data(small)).call(case.mode)()
    return provider.steps(case, make_data(case)).call(case.mode)


def _failing(error: Exception) -> Callable:
    def fail(*arguments):
        raise error

    return fail


def _compiled(make: Make) -> Make:
    """Compiled for one size, which is the fastest that torch.compile does."""

    def make_compiled(case: Case) -> Callable:
        torch.compiler.reset()  # else sizes measured before count towards the limit of recompilations
        return torch.compile(make(case), dynamic=False)

    return make_compiled


def _of(module: str, name: str) -> Make:
    """A function of a module."""
    return lambda case: getattr(importlib.import_module(module), name)


def _pairwise_of(module: str) -> Make:
    return lambda case: getattr(importlib.import_module(module), PAIRWISE[case.kind])


def _fastiou_arrays(case: Case) -> Callable:
    """fastiou.numpy on as many threads as the others may use: it does not know torch's setting."""
    box_iou = importlib.import_module("fastiou.numpy").box_iou
    threads = torch.get_num_threads()
    return lambda boxes1, boxes2: box_iou(boxes1, boxes2, case.kind, threads=threads)


def _clean_pairwise(case: Case) -> Callable:
    return clean.pairwise(case.kind)


def _matched(make: Make) -> Make:
    """max_iou by way of the matrix."""
    return lambda case: clean.max_iou(make(case))


def _fallback(make: Make) -> Make:
    """fastiou's function, as if nothing was compiled for torch."""

    def make_fallback(case: Case) -> Callable:
        function = make(case)
        with warnings.catch_warnings():  # it warns once that there are no kernels
            warnings.simplefilter("ignore")
            _native.warn_fallback(case.device)

        def fallback(*arguments):
            compiled, _native.devices = _native.devices, set()
            try:
                return function(*arguments)
            finally:
                _native.devices = compiled

        return fallback

    return make_fallback


def _write(case: Case) -> Callable:
    """One number into a matrix of all pairs."""
    return lambda *_: torch.full((case.n, case.m), 0.5, device=case.device, dtype=DTYPES[case.dtype])


def _write_array(case: Case) -> Callable:
    return lambda *_: np.full((case.n, case.m), 0.5, dtype=case.dtype)


_FASTIOU: dict[str, Make] = {
    "pairwise": _pairwise_of("fastiou"),
    **{name: _of("fastiou", name) for name in ("max_iou", "nms", "batched_nms", "soft_nms", "matrix_nms")},
}
_TORCHVISION = _pairwise_of("torchvision.ops")
_ULTRALYTICS = _of("ultralytics.utils.metrics", "box_iou")

PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("fastiou", "fastiou", {**_FASTIOU, "numpy": _fastiou_arrays}),
        Provider("write", "torch", {"pairwise": _write, "max_iou": _write, "numpy": _write_array}, modes=("forward",)),
        Provider(
            "compile",
            "torch",
            {"pairwise": _compiled(_clean_pairwise), "max_iou": _compiled(_matched(_clean_pairwise))},
            compiles=True,
        ),
        Provider(
            "clean",
            "torch",
            {"pairwise": _clean_pairwise, "max_iou": _matched(_clean_pairwise), "nms": lambda case: clean.nms},
            most_pairs=MOST_PAIRS,
        ),
        Provider(
            "fallback",
            "fastiou",
            {task: _fallback(make) for task, make in _FASTIOU.items()},
            most_pairs=MOST_PAIRS,
        ),
        Provider(
            "torchvision",
            "torchvision.ops",
            {
                "pairwise": _TORCHVISION,
                "max_iou": _matched(_TORCHVISION),
                "nms": _of("torchvision.ops", "nms"),
                "batched_nms": _of("torchvision.ops", "batched_nms"),
            },
        ),
        Provider(
            "ultralytics",
            "ultralytics.utils.nms",
            {
                "pairwise": _ULTRALYTICS,
                "max_iou": _matched(_ULTRALYTICS),
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
