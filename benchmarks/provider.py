"""Who is measured on tasks: a name, and the functions that do the tasks."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

import fastiou
from fastiou._ops import kernels

from . import clean
from .packages import version_of, why_missing
from .steps import Steps


class TaskCase(Protocol):
    """What the cases of all suites of tasks have."""

    device: str
    task: str
    kind: str
    mode: str
    n: int

    @property
    def pairs(self) -> int:
        """Pairs of boxes that the task is about."""


class TaskData(Protocol):
    """The arguments of a task, and the incoming gradient of its result where there is a backward pass."""

    arguments: tuple[Any, ...]
    grad: Tensor | None


Make = Callable[[Any], Callable]  # the function that does the task of a case on its arguments


@dataclass(frozen=True)
class Provider:
    """A name, the tasks that it can do, and what has to be imported for them.

    Attributes:
        module: what has to be importable; the CSV names the version of its package.
        kinds: the only ones it has; None for all.
        modes: the modes that mean something.
        most_pairs: it is not measured on more.
        can: whether it does a case of one of its tasks and kinds at all.
        compiles: a new process would have to compile a case again.
        prepare: what its user does to the arguments beforehand.
    """

    name: str
    module: str
    tasks: dict[str, Make]
    kinds: tuple[str, ...] | None = None
    modes: tuple[str, ...] = ("forward", "full")
    most_pairs: int | None = None
    can: Callable[[Any], bool] = lambda case: True
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

    def has(self, case: TaskCase) -> bool:
        """Whether it is measured on this case."""
        return (
            case.task in self.tasks
            and (not self.kinds or not case.kind or case.kind in self.kinds)
            and case.mode in self.modes
            and (self.most_pairs is None or case.pairs <= self.most_pairs)
            and self.can(case)
        )

    def steps(self, case: TaskCase, data: TaskData) -> Steps:
        """The passes of a case; the gradient goes to the arguments that ask for one."""
        try:
            function = self.tasks[case.task](case)
        except (ImportError, AttributeError) as error:  # another version, which lacks it: fails when it is called
            function = _failing(error)
        arguments = self.prepare(*data.arguments)
        inputs = [x for x in data.arguments if isinstance(x, Tensor) and x.requires_grad]
        return Steps(lambda: function(*arguments), lambda value: torch.autograd.grad(value, inputs, data.grad))


def _failing(error: Exception) -> Callable:
    def fail(*arguments):
        raise error

    return fail


def of(module: str, name: str) -> Make:
    """A function of a module."""
    return lambda case: getattr(importlib.import_module(module), name)


def matched(make: Make) -> Make:
    """max_iou by way of the matrix."""
    return lambda case: clean.max_iou(make(case))


def compiled(make: Make) -> Make:
    """Compiled for one size, which is the fastest that torch.compile does."""

    def make_compiled(case: TaskCase) -> Callable:
        torch.compiler.reset()  # else sizes measured before count towards the limit of recompilations
        return torch.compile(make(case), dynamic=False)

    return make_compiled


def fallback(make: Make) -> Make:
    """fastiou's function, as if nothing was compiled for torch."""

    def make_fallback(case: TaskCase) -> Callable:
        function = make(case)
        with warnings.catch_warnings():  # it warns once that there are no kernels
            warnings.simplefilter("ignore")
            kernels.warn_fallback(case.device)

        def call(*arguments):
            devices, kernels.devices = kernels.devices, set()
            try:
                return function(*arguments)
            finally:
                kernels.devices = devices

        return call

    return make_fallback
