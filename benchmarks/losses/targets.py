"""The goals of the project, and whether the measurements reach them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..goals import Finding, goals_table
from .case import NO_GRAD
from .results import Group, Results

KIND, DTYPE = "ciou", "float32"  # what the goals are about


@dataclass(frozen=True)
class Target:
    """A goal: a number that `measure` finds in the results, and the range it has to be in."""

    device: str
    text: str
    measure: Callable[[Results, Group], float | None]
    reached: Callable[[float], bool]
    reductions: tuple[str, ...] = ("none", "mean")


def _ratio(n: int, slow: str, fast: str, mode: str = "full") -> Callable[[Results, Group], float | None]:
    return lambda results, group: results.ratio(group, mode, n, slow, fast)


def _most_launches(results: Results, group: Group) -> float | None:
    """The largest number of kernels that one pass of any size launches."""
    rows = [results.row(group, "full", n, "fastiou") for n in results.sizes(group)]
    counts = [count for row in rows if row for count in (row.kernels_forward, row.kernels_backward)]
    return None if not counts or None in counts else max(counts)


TARGETS = [
    Target("cpu", "N = 1e6: at least 25 times as fast as torchvision",
           _ratio(10**6, "torchvision", "fastiou"), lambda x: x >= 25),
    Target("cpu", "N = 1e6: at least 10 times as fast as torch.compile of a clean PyTorch CIoU",
           _ratio(10**6, "compile", "fastiou"), lambda x: x >= 10),
    Target("cpu", "N = 1e6: at most 1.5 times the time of copying the bytes",
           _ratio(10**6, "fastiou", "copy"), lambda x: x <= 1.5),
    Target("cpu", "N = 128: at least 8 times as fast as torchvision",
           _ratio(128, "torchvision", "fastiou"), lambda x: x >= 8),
    Target("cpu", "N = 128: at most 1.4 times the time of a bare autograd node",
           _ratio(128, "fastiou", "autograd-node"), lambda x: x <= 1.4),
    Target("cpu", "N = 128, without gradient: at most 1.35 times the time of the bare operator",
           _ratio(128, "fastiou", "operator", NO_GRAD), lambda x: x <= 1.35),
    Target("cuda", "one kernel launch each way", _most_launches, lambda x: x == 1, ("mean",)),
    Target("cuda", "N = 1e3: at least 30 times as fast as torchvision",
           _ratio(10**3, "torchvision", "fastiou"), lambda x: x >= 30),
    Target("cuda", "N = 128: at most 1.4 times the time of a bare autograd node",
           _ratio(128, "fastiou", "autograd-node"), lambda x: x <= 1.4),
    Target("cuda", "N = 128, without gradient: at most 1.35 times the time of the bare operator",
           _ratio(128, "fastiou", "operator", NO_GRAD), lambda x: x <= 1.35),
    Target("cuda", "N = 1.6e7: at least 85 % of the copy bandwidth",
           _ratio(16 * 10**6, "copy", "fastiou"), lambda x: x >= 0.85),
]  # fmt: skip


def targets_table(results: Results) -> str:
    """Goal, measured numbers and verdict, for the devices that were measured; empty without such rows."""
    groups = [group for group in results.groups() if (group.kind, group.dtype, group.boxes) == (KIND, DTYPE, "random")]
    findings = []
    for target in TARGETS:
        own = [group for group in groups if group.device == target.device and group.reduction in target.reductions]
        found = {group.reduction: target.measure(results, group) for group in own}
        findings.append(Finding(target.device, target.text, found, target.reached))
    return goals_table(findings, "Goal, forward + backward unless it says otherwise", "Measured (reduction)")
