"""The goals for sets of boxes, and whether the measurements reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ..formatting import number, size
from ..goals import Finding, goals_table
from .case import ANCHORS, CROWD, HEAD, KIND_NAMES, Case
from .results import Results

ARRAY_PEERS = ("pycocotools", "cython_bbox", "numpy")

Measure = Callable[[Results, Case], float | None]


@dataclass(frozen=True)
class Target:
    """A goal: a number that `measure` finds for each of some cases, and the range it has to be in."""

    device: str
    text: str
    cases: dict[str, Case]  # by what sets them apart
    measure: Measure
    reached: Callable[[float], bool]
    show: Callable[[float], str] = number


def ratio(slow: str, fast: str) -> Measure:
    """How many times as long one provider takes as another."""
    return lambda results, case: results.ratio(case, slow, fast)


def _best_peer(results: Results, case: Case) -> float | None:
    """How many times as long as fastiou the fastest one takes."""
    return min((x for name in ARRAY_PEERS if (x := results.ratio(case, name, "fastiou"))), default=None)


def _peak(results: Results, case: Case) -> float | None:
    return results.peak(case, "fastiou")


def _pairwise(device: str, sizes: tuple[int, int], *kinds: str) -> dict[str, Case]:
    cases = {KIND_NAMES[kind]: Case(device, "pairwise", kind, "float32", *sizes) for kind in kinds}
    return cases if len(cases) > 1 else {"": cases.popitem()[1]}


def _max_iou(device: str) -> dict[str, Case]:
    return {"": Case(device, "max_iou", "iou", "float32", *ANCHORS)}


TARGETS = [
    Target("cpu", "IoU, 8,400 x 100: at least 15 times as fast as torchvision",
           _pairwise("cpu", HEAD, "iou"), ratio("torchvision", "fastiou"), lambda x: x >= 15),
    Target("cpu", "GIoU and CIoU, 8,400 x 100: at least 25 times as fast as torchvision",
           _pairwise("cpu", HEAD, "giou", "ciou"), ratio("torchvision", "fastiou"), lambda x: x >= 25),
    Target("cpu", "8,400 x 100, output in the cache: at most 1.5 times the time of writing it",
           _pairwise("cpu", HEAD, "iou", "giou", "ciou"), ratio("fastiou", "write"), lambda x: x <= 1.5),
    Target("cpu", "20,000 x 5,000, output in fresh memory: at most 1.5 times the time of writing it",
           _pairwise("cpu", CROWD, "iou", "giou", "ciou"), ratio("fastiou", "write"), lambda x: x <= 1.5),
    Target("cpu", "max_iou, 200,000 x 500: at least 20 times as fast as torchvision's box_iou and max both ways",
           _max_iou("cpu"), ratio("torchvision", "fastiou"), lambda x: x >= 20),
    Target("cpu", "max_iou, 200,000 x 500: under 50 MB of memory beyond the inputs",
           _max_iou("cpu"), _peak, lambda x: x < 50e6, size),
    Target("cpu", "NMS, 2,000 and 20,000 boxes: faster than torchvision",
           {f"{n:,}": Case("cpu", "nms", "", "float32", n, None) for n in (2000, 20_000)},
           ratio("torchvision", "fastiou"), lambda x: x > 1),
    Target("cpu", "NumPy IoU, 1,000 x 1,000: at least 3 times as fast as pycocotools, cython_bbox and plain NumPy",
           {dtype: Case("cpu", "numpy", "iou", dtype, 1000, 1000) for dtype in ("float64", "float32")},
           _best_peer, lambda x: x >= 3),
    Target("cuda", "20,000 x 5,000: at least 85 % of the bandwidth of writing the output",
           _pairwise("cuda", CROWD, "iou", "giou", "ciou"), ratio("write", "fastiou"), lambda x: x >= 0.85),
    Target("cuda", "max_iou, 200,000 x 500: faster than writing that matrix once",
           _max_iou("cuda"), ratio("write", "fastiou"), lambda x: x > 1),
]  # fmt: skip


def targets_table(results: Results, targets: Iterable[Target] = TARGETS) -> str:
    """Goal, measured numbers and verdict, for the devices that were measured; empty without such rows."""
    findings = [
        Finding(
            target.device,
            target.text,
            {name: target.measure(results, case) for name, case in target.cases.items()},
            target.reached,
            target.show,
        )
        for target in targets
        if results.cases(target.device)
    ]
    return goals_table(findings, "Goal", "Measured")
