"""What is measured on sets of boxes: tasks, cases and their data."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..boxes import SEED, jitter, random_boxes
from ..steps import DTYPES

#: Tasks, and how tables call them.
TASKS = {
    "pairwise": "pairwise",
    "max_iou": "max_iou",
    "nms": "NMS",
    "batched_nms": "batched NMS",
    "soft_nms": "Soft-NMS",
    "matrix_nms": "Matrix NMS",
    "numpy": "NumPy",
}
KIND_NAMES = {"iou": "IoU", "giou": "GIoU", "diou": "DIoU", "ciou": "CIoU"}
HEAD = (8400, 100)  # predictions of a YOLO head, and objects
CROWD = (20_000, 5000)  # an aerial image
ANCHORS = (200_000, 500)  # of a Faster R-CNN, and objects
IOU_THRESHOLD = 0.5  # of NMS
CLASSES = 80  # of batched NMS
COPIES = 10  # detections of one object, before NMS


class Case(NamedTuple):
    """Everything but the provider."""

    device: str
    task: str
    kind: str
    dtype: str
    n: int
    m: int | None
    mode: str = "forward"

    @property
    def pairs(self) -> int:
        """Numbers in the matrix of all pairs."""
        return self.n * (self.m or self.n)

    @property
    def sizes(self) -> str:
        """For a table: 8,400 x 100."""
        return f"{self.n:,}" if self.m is None else f"{self.n:,} x {self.m:,}"

    @property
    def name(self) -> str:
        """For a table: what is done."""
        kind, mode = KIND_NAMES.get(self.kind, self.kind), ", forward + backward" if self.mode == "full" else ""
        dtype = "" if self.dtype == "float32" and self.task != "numpy" else f", {self.dtype}"
        what = {"pairwise": kind, "numpy": f"NumPy {kind}"}.get(self.task, TASKS[self.task])
        return f"{what}{dtype}{mode}"

    def tiny(self) -> Case:
        """The same with a few boxes."""
        return self._replace(n=min(self.n, 8), m=self.m and min(self.m, 8))


class Data(NamedTuple):
    """The arguments of a task, and the incoming gradient of its result where there is a backward pass."""

    arguments: tuple[Any, ...]
    grad: Tensor | None = None


def cases(device: str, tasks: list[str], quick: bool = False) -> list[Case]:
    """What is measured on a device."""

    def some(task: str, sizes, kinds=("iou",), mode="forward", dtypes=("float32",)) -> list[Case]:
        return [
            Case(device, task, kind, dtype, n, m, mode)
            for (n, m), kind, dtype in itertools.product(sizes, kinds, dtypes)
        ]

    found = [
        *some("pairwise", [HEAD, CROWD], ["iou", "giou", "ciou"]),
        *some("pairwise", [HEAD], ["giou"], mode="full"),
        *some("max_iou", [HEAD, ANCHORS]),
        *some("nms", [(2000, None), (20_000, None)], [""]),
        *some("batched_nms", [(20_000, None)], [""]),
        *some("soft_nms", [(2000, None)], [""]),
        *some("matrix_nms", [(2000, None)], [""]),
        *(some("numpy", [(1000, 1000)], dtypes=("float64", "float32")) if device == "cpu" else []),
    ]
    if quick:  # the first case of every task and mode, in small
        first = {(case.task, case.mode): case for case in reversed(found)}
        found = [case._replace(n=200, m=case.m and 100) for case in reversed(first.values())]
    return [case for case in found if case.task in tasks]


def make_data(case: Case) -> Data:
    """The same boxes every time: corners in pixels."""
    generator = torch.Generator().manual_seed(SEED)
    if case.m is not None:
        sets = [random_boxes(count, generator).to(case.device, DTYPES[case.dtype]) for count in (case.n, case.m)]
        if case.task == "numpy":
            return Data(tuple(boxes.numpy() for boxes in sets))
        if case.mode == "forward":
            return Data(tuple(sets))
        grad = torch.rand(case.n, case.m, generator=generator).to(sets[0])
        return Data(tuple(boxes.requires_grad_() for boxes in sets), grad)
    objects = random_boxes(-(-case.n // COPIES), generator)
    boxes = jitter(objects.repeat(COPIES, 1)[: case.n], generator)
    scores = torch.rand(case.n, generator=generator)
    classes = torch.randint(CLASSES, (case.n,), generator=generator)
    boxes, scores, classes = (x.to(case.device) for x in (boxes, scores, classes))
    return Data(
        {
            "nms": (boxes, scores, IOU_THRESHOLD),
            "batched_nms": (boxes, scores, classes, IOU_THRESHOLD),
            "soft_nms": (boxes, scores),
            "matrix_nms": (boxes, scores),
        }[case.task]
    )
