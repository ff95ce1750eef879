"""Faults planted in copies of the project's own kernels: each must be caught.

A line of a header is changed and a kernel is compiled from the copy; the operator's host code launches it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cuda_builds
import pytest
from axes import random_boxes
from machine_compare import misaligned
from machine_operators import Operators, module
from test_code_losses import call as loss_call
from test_code_nms import detections
from test_code_sets import KINDS, options, sets


@dataclass(frozen=True)
class Code:
    """Kernels in a header, the operator that launches them, and its arguments."""

    headers: tuple[str, ...]
    kernels: tuple[str, ...]
    operator: str
    arguments: tuple


def loss(**chosen) -> Code:
    pred, target = random_boxes(1030)
    arguments = loss_call(pred, misaligned(target), wanted=(False, False), **chosen)
    headers = ("csrc/math/kinds.h", "csrc/kernels/pair_loss_cuda.cuh")
    return Code(headers, ("pair_loss_kernel<CIoU, Grad::none, float>",), "pair_loss", arguments)


def pairwise() -> Code:
    arguments = (*sets(70, 140), None, None, *options("iou"))
    return Code(("csrc/kernels/pairwise_cuda.cuh",), ("pairwise_kernel<IoU, float>",), "pairwise", arguments)


def max_iou() -> Code:
    kernels = "max_iou_kernel<IoU, float, 1, Offer::both>", "read_keys_kernel<Loaded<IoU, float>, float>"
    arguments = (*sets(300, 140), None, None, *options("iou"))
    return Code(("csrc/kernels/max_iou_cuda.cuh",), kernels, "max_iou", arguments)


def matrix_nms() -> Code:
    kernels = "rank_kernel<Box<float>>", *(f"matrix_nms_kernel<IoU, float, {decay}>" for decay in ("false", "true"))
    arguments = (*detections(520), False, 2.0, KINDS.index("iou"), 1.0, 0)
    return Code(("csrc/kernels/matrix_nms_cuda.cuh",), kernels, "matrix_nms", arguments)


LOSSES, LOADS, REDUCE, PAIRWISE, MAX_IOU, MATRIX = (
    f"csrc/kernels/{name}_cuda.cuh" for name in ("pair_loss", "loads", "reduce", "pairwise", "max_iou", "matrix_nms")
)

#: By name: code, the header that is changed, the text and what it becomes, and what is said.
FAULTS = {
    "missing barrier": (
        loss(reduction=1),
        REDUCE,
        "= x;\n  __syncthreads();\n",
        "= x;\n",
        "race|unwritten",
    ),
    "missing fence": (loss(reduction=1), REDUCE, "    __threadfence();\n    last", "    last", "race"),
    "ticket that is not put back": (
        loss(reduction=1),
        REDUCE,
        "  if (threadIdx.x == 0) tickets[scratch.ticket] = 0;\n",
        "",
        "not written",
    ),
    "one row too many": (loss(), LOSSES, "row < a.rows.count;", "row <= a.rows.count;", "out of bounds"),
    "one row too few": (loss(), LOSSES, "row < a.rows.count;", "row + 1 < a.rows.count;", "not written"),
    "vector load of rows that are not aligned": (
        loss(),
        LOADS,
        "      if (o.packed) {\n        const auto v",
        "      if (true) {\n        const auto v",
        "misaligned",
    ),
    "tile that is read before it is there": (
        pairwise(),
        PAIRWISE,
        "  __syncthreads();\n",
        "",
        "race|unwritten",
    ),
    "best box of a gt without an atomic": (
        max_iou(),
        MAX_IOU,
        "atomicMax(keys + at + k, best_key[k]);",
        "keys[at + k] = best_key[k];",
        "race",
    ),
    "tile that is overwritten while it is read": (
        matrix_nms(),
        MATRIX,
        "    __syncthreads();  // all threads are done with the tile before\n",
        "",
        "race",
    ),
}


class Changed(Operators):
    """Operators whose kernels come from a build of their own."""

    def __init__(self, name: str, build: cuda_builds.Build, seed: int):
        super().__init__(seed)
        self.name = name
        module().use(name)
        module().load(str(build.cubin), str(build.listing))

    def _prepare(self, operator: str) -> None:
        module().use(self.name)

    def _note(self, kernels: set[str]) -> None:
        pass


def run(code: Code, changed: str, old: str, new: str, machine: Operators) -> None:
    """Twice, so that what the first launch leaves is seen."""
    build = cuda_builds.build_changed(code.kernels, code.headers, changed, old, new)
    operators = Changed(f"{build.folder.name} {machine.seed}", build, machine.seed)
    for _ in range(2):
        getattr(operators, code.operator)(*code.arguments)


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_caught(machine, name):
    code, changed, old, new, said = FAULTS[name]
    with pytest.raises((RuntimeError, AssertionError), match=said) as caught:
        run(code, changed, old, new, machine)
    assert said == "not written" or issubclass(caught.type, module().Fault)


@pytest.mark.parametrize(
    "code", [loss(reduction=1), pairwise(), max_iou(), matrix_nms()], ids=lambda code: code.operator
)
def test_without_a_fault_nothing_is_said(machine, code):
    """The same kernels, from a copy that a comment was added to."""
    run(code, LOADS, "#pragma once", "#pragma once  // unchanged", machine)
