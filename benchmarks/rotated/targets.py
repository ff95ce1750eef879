"""The goals for rotated boxes, and whether the measurements reach them."""

from __future__ import annotations

from ..sets import targets
from ..sets.targets import Target, ratio
from .case import KIND_NAMES, PAIRS, PILE, SCENE, Case
from .results import Results


def _pairwise(task: str, sizes: tuple[int, int], threads: int) -> Case:
    return Case("cpu", threads, task, "iou", "", "float32", *sizes)


def _losses(threads: int, *kinds: tuple[str, str]) -> dict[str, Case]:
    """Of kinds and what encloses the boxes."""
    return {
        f"{KIND_NAMES[kind]}{f' {shape}' if shape else ''}": Case(
            "cpu", threads, "loss", kind, shape, "float32", PAIRS, None, "full"
        )
        for kind, shape in kinds
    }


def goals(threads: int) -> list[Target]:
    """The goals, measured with so many threads where it is not one."""
    return [
        Target("cpu", "IoU of overlapping pairs, 1,000 x 1,000, one thread: at least 6 times as fast as torchvision",
               {"": _pairwise("pile", PILE, 1)}, ratio("torchvision", "fastiou"), lambda x: x >= 6),
        Target("cpu", "IoU in an aerial scene, 2,000 x 2,000: at least 30 times as fast as torchvision",
               {f"{n} thread{'s' * (n > 1)}": _pairwise("scene", SCENE, n) for n in sorted({1, threads})},
               ratio("torchvision", "fastiou"), lambda x: x >= 30),
        Target("cpu", "Exact loss of 100,000 pairs, forward + backward: at least 50 times as fast as plain PyTorch",
               _losses(threads, ("iou", ""), ("giou", "aabb"), ("ciou", "hull")),
               ratio("clean", "fastiou"), lambda x: x >= 50),
        Target("cpu", "The same, against fastiou's own formulas in PyTorch",
               _losses(threads, ("iou", ""), ("giou", "hull"), ("ciou", "hull")),
               ratio("fallback", "fastiou"), lambda x: x >= 50),
    ]  # fmt: skip


def targets_table(results: Results) -> str:
    """Goal, measured numbers and verdict; empty without rows of the CPU."""
    threads = max((case.threads for case in results.cases("cpu")), default=1)
    return targets.targets_table(results, goals(threads))
