"""Rotated boxes: providers x cases, with the memory that a call needs."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..progress import Progress
from ..suite import Option, Options, Suite, check_names, names
from ..tasks import available, measure_case
from . import report
from .case import TASKS, cases, make_data
from .providers import PROVIDERS, prepared_call
from .rows import Row
from .tables import all_tables

OPTIONS = [
    Option("--rotated-tasks", list(TASKS), {"type": names, "help": f"of {','.join(TASKS)} (default: all)"}),
]


def _check(options: Options) -> None:
    check_names("--rotated-tasks", options.rotated_tasks, TASKS)


def _measure(options: Options, device: str) -> Iterator[list[Row]]:
    """Rows, case by case."""
    providers = available(PROVIDERS, options.providers, options.rotated_tasks, device)
    todo = cases(device, options.threads, options.rotated_tasks, options.quick)
    progress = Progress(len(todo))
    for case in todo:
        progress.step(f"{case.device} {case.name} {case.sizes}")
        torch.set_num_threads(case.threads)
        rows = measure_case(case, providers, make_data, prepared_call, options.seconds_per_case)
        yield [Row(**row) for row in rows]
    torch.set_num_threads(options.threads)
    progress.finish()


SUITE = Suite(
    title=report.TITLE,
    suffix="_rotated",
    row=Row,
    providers=list(PROVIDERS),
    options=OPTIONS,
    check=_check,
    measure=_measure,
    tables=all_tables,
    goals=report.goals,
    section=report.section,
    draw=report.draw,
)
