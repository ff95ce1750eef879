"""Instructions of kernels per item, as sm_90 executes them, and how many they may take.

    python tests/machine_code/budgets.py --csv benchmarks/results/instructions.csv --page docs/cuda.md

counts them anew. Counts are exact for the boxes of a case: instructions that warps issue, times 32, by items; bytes
that threads ask for and 32-byte sectors that their warps touch, by items. They say nothing about time.
"""

from __future__ import annotations

import argparse
import csv
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

import fastiou
from fastiou import _names

sys.path.insert(0, str(Path(__file__).parent.parent))  # where this is run by itself

import cuda_builds
import instructions
from axes import KINDS, random_boxes
from machine_operators import Operators, source_of
from rotated_boxes import random_pairs

from machine_code import toolchain

PIPES = ("alu", "fma", "fma_heavy", "half", "fp64", "xu", "lsu", "uniform", "control")
SCORES = fastiou.pairwise_kinds()


@dataclass(frozen=True)
class Case:
    """A call, the kernel that is counted, in how many items, and its budget per item; float64 instructions apart."""

    operator: str
    arguments: Callable[[], tuple]
    kernel: str
    items: int
    most: float | None = None
    most_fp64: float = 0
    as_on_gpu: bool = True  # or with small limits, where it would take millions of pairs to fill a GPU


ROWS = 6144


def losses(kind: str, wanted=(False, False), reduction=0, rows=ROWS) -> Callable[[], tuple]:
    def arguments():
        pred, target = random_boxes(rows)
        return pred, target, None, None, None, KINDS.index(kind), 0, 0, reduction, None, 1e-7, 1e-7, *wanted

    return arguments


def rotated(kind: str, wanted=(True, False), rows=1024) -> Callable[[], tuple]:
    def arguments():
        pred, target = random_pairs(rows, dtype=torch.float32)
        code = _names.ROTATED_KINDS.index(kind) * 4
        return pred, target, None, None, code, 4, 1, 1.0, 0.0, 1e-6, 0, None, *wanted

    return arguments


def pixels(side: float, wanted=(True, False), rows=24) -> Callable[[], tuple]:
    def arguments():
        pred, target = random_pairs(rows, dtype=torch.float32)
        for boxes in (pred, target):
            boxes[:, 2], boxes[:, 3] = side, side / 2
        return pred, target, None, None, 4, 4, 0, False, False, 10.0, 1.0, 1e-6, 1.0, False, 0, None, *wanted

    return arguments


def sets(n: int, m: int, spread=1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Proper boxes of some tens of pixels; within 100 pixels, or that much farther apart."""
    first, second = (torch.cat([x[:, :2], x[:, 2:].maximum(x[:, :2] + 1)], 1) for x in random_boxes(max(n, m)))
    g = torch.Generator().manual_seed(0)
    away = torch.rand(max(n, m), 2, generator=g) * (spread - 1) * 100
    return tuple((x + away.repeat(1, 2))[:k].contiguous() for x, k in ((first, n), (second, m)))


def pairwise(kind: str, n=512, m=512) -> Callable[[], tuple]:
    return lambda: (*sets(n, m), None, None, SCORES.index(kind), 0, 0, 0.0, 0.0, 0.0)


def backward(kind: str, n=128, m=512) -> Callable[[], tuple]:
    return lambda: (torch.ones(n, m), *pairwise(kind, n, m)(), True, False)


def matching(ordered: bool, n=4096, m=128) -> Callable[[], tuple]:
    def arguments():
        boxes, gts = sets(n, m, spread=8)
        if ordered:  # as anchors lie: neighbours one after the other
            boxes = boxes[(boxes[:, 1] // 64 * 1e4 + boxes[:, 0]).argsort()].contiguous()
        return boxes, gts, None, None, SCORES.index("iou"), 0, 0, 0.0, 0.0, 0.0

    return arguments


def suppression(n=2048) -> Callable[[], tuple]:
    """So far apart that few are suppressed."""

    def arguments():
        boxes, _ = sets(n, n, spread=20)
        scores = torch.rand(n, generator=torch.Generator().manual_seed(1))
        return boxes, scores, None, 0.5, SCORES.index("iou"), 1.0, 0, False

    return arguments


PAIRS = 2048 * 2047 // 2
#: By name. What has no number is counted and not bounded.
CASES = {
    "CIoU forward": Case("pair_loss", losses("ciou"), "plain_loss_kernel", ROWS, 200),
    "CIoU forward with partials": Case("pair_loss", losses("ciou", (True, False)), "plain_loss_kernel", ROWS, 320),
    "CIoU both gradients": Case("pair_loss", losses("ciou", (True, True)), "plain_loss_kernel", ROWS),
    "CIoU mean with partials": Case("pair_loss", losses("ciou", (True, False), 1), "plain_loss_kernel", ROWS),
    "IoU forward": Case("pair_loss", losses("iou"), "plain_loss_kernel", ROWS),
    "GIoU forward": Case("pair_loss", losses("giou"), "plain_loss_kernel", ROWS),
    "pairwise IoU": Case("pairwise", pairwise("iou"), "pairwise_kernel", 512 * 512, 30, as_on_gpu=False),
    "pairwise GIoU": Case("pairwise", pairwise("giou"), "pairwise_kernel", 512 * 512, 50, as_on_gpu=False),
    "pairwise CIoU": Case("pairwise", pairwise("ciou"), "pairwise_kernel", 512 * 512, 80, as_on_gpu=False),
    "pairwise IoU backward": Case("pairwise_backward", backward("iou"), "pairwise_backward_kernel", 128 * 512),
    "pairwise CIoU backward": Case("pairwise_backward", backward("ciou"), "pairwise_backward_kernel", 128 * 512),
    "matching, boxes in order": Case("max_iou", matching(True), "max_iou_kernel", 4096 * 128, as_on_gpu=False),
    "matching, shuffled boxes": Case("max_iou", matching(False), "max_iou_kernel", 4096 * 128, as_on_gpu=False),
    "suppression per pair": Case("nms", suppression(), "suppression_kernel", PAIRS, 35),
    "suppression, decisions per box": Case("nms", suppression(), "decide_kernel", 2048),
    "rotated IoU with partials": Case("rotated_loss", rotated("iou"), "rotated_loss_kernel", 1024),
    "rotated CIoU with partials": Case("rotated_loss", rotated("ciou"), "rotated_loss_kernel", 1024),
    "PIoU of 16 pixels with partials": Case("pixel_loss", pixels(16), "pixel_loss_kernel", 24),
    "PIoU of 64 pixels with partials": Case("pixel_loss", pixels(64), "pixel_loss_kernel", 24),
}


def count(name: str) -> dict[str, float | str]:
    """What a case takes per item."""
    case = CASES[name]
    machine = Operators(as_on_gpu=case.as_on_gpu)
    getattr(machine, case.operator)(*case.arguments())
    known = {f.name: f for f in cuda_builds.build(source_of(case.operator)).functions if f.arch == "sm_90"}
    runs = [r for r in machine.runs if case.kernel in r["kernel"]]
    assert runs, f"{name}: no kernel has a name with {case.kernel}; there are {[r['kernel'] for r in machine.runs]}"
    total = {key: sum(r[key] for r in runs) for key in runs[0] if isinstance(runs[0][key], int)}
    pipes = {pipe: sum(r["by_pipe"].get(pipe, 0) for r in runs) * 32 / case.items for pipe in PIPES}
    moved = ("bytes_loaded", "sectors_loaded", "bytes_stored", "sectors_stored", "bytes_local")
    return {
        "case": name,
        "budget": case.most or "",
        "instructions": total["instructions"] * 32 / case.items,
        **pipes,
        **{key: total[key] / case.items for key in moved},
        "registers": max(known[r["kernel"]].registers for r in runs),
        "nvcc": re.search(r"release ([\d.]+)", toolchain.nvcc_version())[1],
    }


def written(row: dict[str, float | str]) -> dict[str, str]:
    return {key: f"{x:.4g}" if isinstance(x, float) else str(x) for key, x in row.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description="Counts instructions of kernels per item.")
    parser.add_argument("--csv", type=Path, help="a file to write")
    parser.add_argument("--page", type=Path, help="a page to write the table into, between its marks")
    options = parser.parse_args()
    rows = []
    for name in CASES:
        rows.append(written(count(name)))
        print(f"{name:34} {rows[-1]['instructions']:>7} of {rows[-1]['budget'] or '-':>3}", flush=True)
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    if options.page:
        options.page.write_text(instructions.fill(options.page.read_text(), rows))


if __name__ == "__main__":
    main()
