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


def header(name: str) -> str:
    return f"csrc/kernels/{name}_cuda.cuh"


def plain_loss(reduction: int) -> Code:
    pred, target = random_boxes(1030)
    kernel = f"plain_loss_kernel<CIoU, Grad::none, {'true' if reduction else 'false'}>"
    arguments = loss_call(pred, target, wanted=(False, False), reduction=reduction)
    return Code(("csrc/math/kinds.h", header("plain_loss")), (kernel,), "pair_loss", arguments)


def any_loss() -> Code:
    pred, target = random_boxes(70)
    arguments = loss_call(pred, misaligned(target), wanted=(False, False))
    kernels = ("pair_loss_kernel<CIoU, Grad::none, float>",)
    return Code(("csrc/math/kinds.h", header("pair_loss")), kernels, "pair_loss", arguments)


def pairwise() -> Code:
    arguments = (*sets(70, 140), None, None, *options("iou"))
    return Code((header("pairwise"),), ("pairwise_kernel<IoU, float>",), "pairwise", arguments)


def max_iou() -> Code:
    boxes = "arrange_kernel<Box<float>, float>", "finish_matches_kernel<Box<float>, float>"
    kernels = *boxes, "max_iou_kernel<IoU, float, 1, Offer::both>"
    arguments = (*sets(300, 140), None, None, *options("iou"))
    return Code((header("max_iou"), header("arrange")), kernels, "max_iou", arguments)


def nms() -> Code:
    kernels = "rank_kernel<Box<float>>", "suppression_kernel<IoU, float>", "decide_kernel"
    arguments = (*detections(300, classes=0), 0.4, KINDS.index("iou"), 1.0, 0, False)
    return Code((header("nms"),), kernels, "nms", arguments)


def matrix_nms() -> Code:
    passes = (f"matrix_nms_kernel<IoU, float, MatrixPass::{name}>" for name in ("compensation", "linear_pull"))
    kernels = "rank_kernel<Box<float>>", *passes, "matrix_decay_kernel<float>"
    arguments = (*detections(520), False, 2.0, KINDS.index("iou"), 1.0, 0)
    return Code((header("matrix_nms"),), kernels, "matrix_nms", arguments)


#: By name: code, the header that is changed, the text and what it becomes, and what is said.
FAULTS = {
    "missing barrier": (
        plain_loss(1),
        header("reduce"),
        "  shown[threadIdx.x] = mine;\n  __syncthreads();\n",
        "  shown[threadIdx.x] = mine;\n",
        "race|unwritten",
    ),
    "partial sum that nobody need see": (
        plain_loss(1),
        header("reduce"),
        "atom.release.gpu.global.inc",
        "atom.relaxed.gpu.global.inc",
        "race",
    ),
    "last block that does not look": (
        plain_loss(1),
        header("reduce"),
        '  if (before == last) asm volatile("fence.acq_rel.gpu;" ::: "memory");\n',
        "",
        "race",
    ),
    "ticket that is not put back": (
        plain_loss(1),
        header("reduce"),
        "inc.u32 %0, [%1], %2;",
        "add.u32 %0, [%1], 1;",
        "not written",
    ),
    "one row too many": (
        plain_loss(0),
        header("plain_loss"),
        "if (row < a.count) a.loss",
        "if (row <= a.count) a.loss",
        "out of bounds",
    ),
    "one row too few": (
        plain_loss(0),
        header("plain_loss"),
        "if (row < a.count) a.loss",
        "if (row + 1 < a.count) a.loss",
        "not written",
    ),
    "vector load of rows that are not aligned": (
        any_loss(),
        header("loads"),
        "      if (o.packed) {\n        const auto v",
        "      if (true) {\n        const auto v",
        "misaligned",
    ),
    "column of a tile that is off by one": (
        pairwise(),
        header("pairwise"),
        "column[c] = columns.box[j],",
        "column[c] = columns.box[j + 1],",
        "unwritten|out of bounds",
    ),
    "gts that a warp has not finished to load": (
        max_iou(),
        header("match_warp"),
        "    shared[lane] = box;\n    __syncwarp();\n",
        "    shared[lane] = box;\n",
        "race|unwritten",
    ),
    "best box of a gt without an atomic": (
        max_iou(),
        header("match_keys"),
        "if (key > look(p)) atomicMax(p, key);",
        "if (key > look(p)) *p = key;",
        "race",
    ),
    "tile of better boxes that is not complete": (
        nms(),
        header("suppression"),
        "__syncthreads_and(suit && better.suits())",
        "suit && better.suits()",
        "race|unwritten",
    ),
    "decision that others do not wait for": (
        nms(),
        header("nms"),
        "      __syncthreads();\n",
        "",
        "race|unwritten",
    ),
    "tile that is overwritten while it is read": (
        matrix_nms(),
        header("matrix_nms"),
        "    __syncthreads();  // all threads are done with the tile\n",
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


CODES = [plain_loss(1), any_loss(), pairwise(), max_iou(), nms(), matrix_nms()]


@pytest.mark.parametrize("code", CODES, ids=lambda code: code.kernels[-1])
def test_without_a_fault_nothing_is_said(machine, code):
    """The same kernels, from a copy that a comment was added to."""
    run(code, header("loads"), "#pragma once", "#pragma once  // unchanged", machine)
