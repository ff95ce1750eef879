"""What is measured on rotated boxes: tasks, cases and their data."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..boxes import SEED
from . import boxes

#: Tasks, and how tables call them.
TASKS = {"pile": "overlapping", "scene": "aerial scene", "loss": "loss", "max_iou": "max_iou", "nms": "NMS"}
KIND_NAMES = {
    "iou": "IoU", "giou": "GIoU", "diou": "DIoU", "ciou": "CIoU",
    "gwd": "GWD", "kld": "KLD", "kfiou": "KFIoU", "probiou": "ProbIoU",
}  # fmt: skip
EXACT = ("iou", "giou", "diou", "ciou")
PILE = (1000, 1000)
SCENE = (2000, 2000)
PAIRS = 100_000  # of a loss
ANCHORS = (20_000, 500)  # and objects
DETECTIONS = 20_000  # before NMS
COPIES = 10  # detections of one object
IOU_THRESHOLD = 0.5  # of NMS


class Case(NamedTuple):
    """Everything but the provider."""

    device: str
    threads: int
    task: str
    kind: str
    enclosing: str  # of GIoU, DIoU and CIoU
    dtype: str
    n: int
    m: int | None
    mode: str = "forward"

    @property
    def pairs(self) -> int:
        """Pairs of boxes whose score is asked for."""
        return self.n if self.task == "loss" else self.n * (self.m or self.n)

    @property
    def sizes(self) -> str:
        """For a table: 1,000 x 1,000."""
        return f"{self.n:,}" if self.m is None else f"{self.n:,} x {self.m:,}"

    @property
    def name(self) -> str:
        """For a table: what is done."""
        kind = KIND_NAMES.get(self.kind, "")
        shape = f" ({self.enclosing})" if self.enclosing else ""
        what = {"pile": f"{kind}{shape}, overlapping", "scene": f"{kind}{shape}, aerial scene",
                "loss": f"{kind}{shape} loss"}.get(self.task, TASKS[self.task])  # fmt: skip
        workers = f", {self.threads} thread{'s' * (self.threads > 1)}" if self.device == "cpu" else ""
        return f"{what}{' + gradient' * (self.mode == 'full')}{workers}"

    def tiny(self) -> Case:
        """The same with a few boxes."""
        return self._replace(n=min(self.n, 8), m=self.m and min(self.m, 8))


class Data(NamedTuple):
    """The arguments of a task, and the incoming gradient of its result where there is a backward pass."""

    arguments: tuple[Any, ...]
    grad: Tensor | None = None


def cases(device: str, threads: int, tasks: list[str], quick: bool = False) -> list[Case]:
    """What is measured on a device: pairs on one thread of the CPU, and what takes longer on all."""
    single = 1 if device == "cpu" else threads

    def one(task: str, kind: str, n: int, m: int | None, enclosing="", mode="forward", workers=threads) -> Case:
        if not enclosing and kind in ("giou", "diou", "ciou"):
            enclosing = "hull"
        return Case(device, workers, task, kind, enclosing, "float32", n, m, mode)

    found = [
        *(one("pile", kind, *PILE, workers=single) for kind in ("iou", "giou", "ciou", "kfiou", "probiou")),
        one("pile", "giou", *PILE, "min", workers=single),
        one("pile", "iou", *PILE),
        one("scene", "iou", *SCENE, workers=single),
        one("scene", "iou", *SCENE),
        *(one("loss", kind, PAIRS, None, mode="full") for kind in ("iou", "giou", "ciou")),
        one("loss", "giou", PAIRS, None, "aabb", mode="full"),
        *(one("loss", kind, PAIRS, None, mode="full") for kind in ("gwd", "kld", "kfiou", "probiou")),
        *(one("loss", kind, PAIRS, None, mode="full", workers=single) for kind in ("iou", "ciou", "gwd")),
        one("max_iou", "iou", *ANCHORS),
        one("nms", "", DETECTIONS, None),
    ]
    found = list(dict.fromkeys(found))  # on one core, or on a GPU, some are the same
    if quick:  # the first case of every task, in small
        first = {case.task: case for case in reversed(found)}
        found = [case._replace(n=200, m=case.m and 100) for case in reversed(first.values())]
    return [case for case in found if case.task in tasks]


def make_data(case: Case) -> Data:
    """The same boxes every time: centre, width, height in pixels, angle in radians, clockwise."""
    generator = torch.Generator().manual_seed(SEED)
    if case.task == "loss":
        target = boxes.scene(case.n, generator)
        pred = boxes.jitter(target, generator).to(case.device).requires_grad_()
        return Data((pred, target.to(case.device)), torch.rand(case.n, generator=generator).to(case.device))
    if case.task == "nms":
        objects = boxes.scene(-(-case.n // COPIES), generator)
        detections = boxes.jitter(objects.repeat(COPIES, 1)[: case.n], generator)
        scores = torch.rand(case.n, generator=generator)
        return Data((detections.to(case.device), scores.to(case.device), IOU_THRESHOLD))
    make = boxes.pile if case.task == "pile" else boxes.scene
    return Data(tuple(make(count, generator).to(case.device) for count in (case.n, case.m)))
