"""PIoU: providers x cases, with the memory that a call needs and the pixels that a pair takes."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ..progress import Progress
from ..suite import Option, Options, Suite, check_names, names
from ..tasks import available, measure_case
from . import report
from .agreement import check_agreement
from .case import TASKS, Case, cases, make_data
from .counts import image_width, pixels_per_pair
from .providers import PROVIDERS, prepared_call
from .results import WAYS
from .rows import Row
from .tables import all_tables

OPTIONS = [
    Option("--pixel-tasks", list(TASKS), {"type": names, "help": f"of {','.join(TASKS)} (default: all)"}),
]


def _check(options: Options) -> None:
    check_names("--pixel-tasks", options.pixel_tasks, TASKS)


def _measure(options: Options, device: str) -> Iterator[list[Row]]:
    """Rows, case by case."""
    providers = available(PROVIDERS, options.providers, options.pixel_tasks, device)
    todo = cases(device, options.threads, options.pixel_tasks, options.quick)
    progress = Progress(len(todo))
    for case in todo:
        progress.step(f"{case.device} {case.name} {case.sizes}")
        torch.set_num_threads(case.threads)
        check_agreement(case, providers)
        rows = measure_case(case, providers, make_data, prepared_call, options.seconds_per_case)
        counts = _counts(case)
        yield [Row(**row, **counts) for row in rows]
    torch.set_num_threads(options.threads)
    progress.finish()


def _counts(case: Case) -> dict[str, float | None]:
    """Soft pixels; of upright boxes there are none, and of sets those of one box are shared by all its pairs."""
    if case.task != "rotated":
        return dict.fromkeys(f"pixels_{way}" for way in WAYS)
    return pixels_per_pair(*make_data(case).arguments, case.union, image_width(case.sides))


SUITE = Suite(
    title=report.TITLE,
    suffix="_pixels",
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
