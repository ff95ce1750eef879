"""The goals for PIoU, and whether the measurements reach them."""

from __future__ import annotations

from ..sets import targets
from ..sets.targets import Target, ratio
from .case import MORE, SIDES, Case
from .results import Results

MOST_BYTES = 100  # of a pair, beyond its inputs: the loss, two gradients, and what blocks of memory round them up to


def _rotated(sides: str, n: int, threads: int, union: str = "exact") -> Case:
    return Case("cpu", threads, "rotated", union, sides, "float32", n, None)


def _few(sides: str, threads: int) -> dict[str, Case]:
    """Both unions, and one thread."""
    n = SIDES[sides][1]
    found = {"exact union": _rotated(sides, n, threads), "area union": _rotated(sides, n, threads, "area")}
    return found | ({"one thread": _rotated(sides, n, 1)} if threads > 1 else {})


def goals(threads: int) -> list[Target]:
    """The goals, measured with so many threads where it is not one."""
    first = next(iter(SIDES))
    many = SIDES[first][2]["cpu"]
    return [
        Target("cpu", "16-64 px, forward + backward: at least 50 times as fast as plain PyTorch",
               _few("16-64", threads), ratio("clean", "fastiou"), lambda x: x >= 50),
        Target("cpu", "64-200 px, forward + backward: at least 20 times as fast as plain PyTorch",
               _few("64-200", threads), ratio("clean", "fastiou"), lambda x: x >= 20),
        Target("cpu", f"Memory in proportion to the pairs: at most {MOST_BYTES} bytes for each",
               {f"{n:,}": _rotated(first, n, threads) for n in (many, MORE * many)},
               lambda results, case: results.pair_bytes(case, "fastiou"), lambda x: x <= MOST_BYTES,
               lambda x: f"{x:.0f}"),
    ]  # fmt: skip


def targets_table(results: Results) -> str:
    """Goal, measured numbers and verdict; empty without rows of the CPU."""
    threads = max((case.threads for case in results.cases("cpu")), default=1)
    return targets.targets_table(results, goals(threads))
