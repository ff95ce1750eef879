"""What is measured of PIoU: tasks, cases and their data."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .. import boxes as upright
from ..boxes import SEED
from ..rotated import boxes as rotated

#: Tasks, and how tables call them.
TASKS = {"rotated": "rotated", "upright": "upright", "pairwise": "pairwise"}
#: Lengths of sides in pixels, and how many pairs the peers and fastiou alone take, on the CPU and on a GPU.
SIDES = {
    "16-64": ((16, 64), 1000, {"cpu": 100_000, "cuda": 1_000_000}),
    "64-200": ((64, 200), 200, {"cpu": 20_000, "cuda": 100_000}),
    "500-2000": ((500, 2000), 4, {"cpu": 1000, "cuda": 10_000}),
}
PILE = "20-100"  # of rotated.boxes.pile
PAIRWISE = (500, 500)
MORE = 4  # times as many pairs: whether memory grows with their number


class Case(NamedTuple):
    """Everything but the provider."""

    device: str
    threads: int
    task: str
    union: str
    sides: str
    dtype: str
    n: int
    m: int | None
    mode: str = "full"

    @property
    def kind(self) -> str:
        """Providers have all unions."""
        return ""

    @property
    def pairs(self) -> int:
        """Pairs of boxes whose PIoU is asked for."""
        return self.n * (self.m or 1)

    @property
    def pixels(self) -> int:
        """Pixels of the largest boxes, in all pairs: no more than that many are of use."""
        return self.pairs * int(self.sides.split("-")[1]) ** 2

    @property
    def sizes(self) -> str:
        """For a table: 500 x 500."""
        return f"{self.n:,}" if self.m is None else f"{self.n:,} x {self.m:,}"

    @property
    def name(self) -> str:
        """For a table: what is done."""
        union = ", area union" * (self.union == "area")
        workers = f", {self.threads} thread{'s' * (self.threads > 1)}" if self.device == "cpu" else ""
        return f"{TASKS[self.task]}, {self.sides} px{union}{', forward' * (self.mode == 'forward')}{workers}"

    def tiny(self) -> Case:
        """The same with a few boxes."""
        return self._replace(n=min(self.n, 4), m=self.m and min(self.m, 4))


class Data(NamedTuple):
    """The boxes, and the incoming gradient."""

    arguments: tuple[Tensor, Tensor]
    grad: Tensor | None


def cases(device: str, threads: int, tasks: list[str], quick: bool = False) -> list[Case]:
    """What is measured on a device: so many pairs as a peer can take, and more of them for fastiou alone."""
    single = 1 if device == "cpu" else threads

    def one(task: str, sides: str, n: int, m=None, union="exact", mode="full", workers=threads) -> Case:
        return Case(device, workers, task, union, sides, "float32", n, m, mode)

    few = {sides: count for sides, (_, count, _) in SIDES.items()}
    many = {sides: counts[device] for sides, (_, _, counts) in SIDES.items()}
    first = next(iter(SIDES))
    found = [
        *(one("rotated", sides, n) for sides, n in few.items()),
        *(one("rotated", sides, n, union="area") for sides, n in few.items()),
        *(one("rotated", sides, n, workers=single) for sides, n in few.items()),
        one("rotated", first, MORE * few[first]),
        *(one("rotated", sides, n) for sides, n in many.items()),
        *(one("rotated", sides, n, union="area") for sides, n in many.items()),
        one("rotated", first, MORE * many[first]),
        *(one("upright", sides, n) for sides, n in few.items()),
        *(one("upright", sides, n) for sides, n in many.items()),
        *(one("pairwise", PILE, *PAIRWISE, mode=mode) for mode in ("forward", "full")),
    ]
    found = list(dict.fromkeys(found))  # on one core, or on a GPU, some are the same
    if quick:  # the first case of every task and union, in small
        small = {(case.task, case.union): case for case in reversed(found) if case.sides in (first, PILE)}
        found = [case._replace(n=20, m=case.m and 10) for case in reversed(small.values())]
    return [case for case in found if case.task in tasks]


def make_data(case: Case) -> Data:
    """The same boxes every time: targets, and as predictions those of a fair detector, which take the gradient."""
    generator = torch.Generator().manual_seed(SEED)
    if case.task == "pairwise":
        pred, target = (rotated.pile(count, generator) for count in (case.n, case.m))
    else:
        target = rotated.between(case.n, *SIDES[case.sides][0], generator)
        if case.task == "upright":
            target = torch.cat([target[:, :2] - target[:, 2:4] / 2, target[:, :2] + target[:, 2:4] / 2], -1)
        pred = (upright if case.task == "upright" else rotated).jitter(target, generator)
    shape = (case.n, case.m) if case.m else (case.n,)
    grad = torch.rand(shape, generator=generator).to(case.device) if case.mode == "full" else None
    return Data((pred.to(case.device).requires_grad_(grad is not None), target.to(case.device)), grad)
