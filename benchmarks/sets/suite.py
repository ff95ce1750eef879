"""Functions on sets of boxes: providers x cases, with the memory that a call needs."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import torch

from .. import gpu
from ..clocks import CLOCKS
from ..memory import cpu_peak, cuda_peak, growth_of
from ..progress import Progress
from ..rows import measured
from ..steps import Steps
from ..suite import Option, Options, Suite, check_names, names
from ..timing import measure
from . import report
from .case import TASKS, Case, cases, make_data
from .providers import PROVIDERS, Provider, prepared_call
from .rows import Row
from .tables import all_tables

SLOW = 2.0  # seconds: a call that takes longer is measured once

OPTIONS = [
    Option("--tasks", list(TASKS), {"type": names, "help": f"of {','.join(TASKS)} (default: all)"}),
]


def _check(options: Options) -> None:
    check_names("--tasks", options.tasks, TASKS)


def _measure(options: Options, device: str) -> Iterator[list[Row]]:
    """Rows, case by case."""
    providers = _available(options, device)
    torch.set_num_threads(options.threads)  # after the imports above: some packages set it, too
    todo = cases(device, options.tasks, options.quick)
    progress = Progress(len(todo))
    for case in todo:
        progress.step(f"{case.device} {case.name} {case.sizes}")
        yield _measure_case(case, [one for one in providers if one.has(case)], options.seconds_per_case)
    progress.finish()


def _available(options: Options, device: str) -> list[Provider]:
    """Says what is left out and why."""
    available = []
    for provider in (PROVIDERS[name] for name in options.providers if name in PROVIDERS):
        reason = provider.missing(device) if set(provider.tasks) & set(options.tasks) else "it has none of these tasks"
        if reason is None:
            available.append(provider)
        else:
            print(f"{provider.name} is left out: {reason}", file=sys.stderr)
    return available


def _measure_case(case: Case, providers: list[Provider], seconds: float) -> list[Row]:
    """Rows of all providers."""
    data = make_data(case)
    steps = {provider.name: provider.steps(case, data) for provider in providers}
    series = measure(steps, case.mode, CLOCKS[case.device], case.n, seconds, SLOW)
    rows = []
    for provider in providers:
        one = series[provider.name]
        kernels, peak = (None, None) if one.error else _count(case, provider, steps[provider.name])
        columns = case._asdict() | measured(case.device, provider.name, provider.version, one)
        rows.append(Row(**columns, kernels=kernels, peak_bytes=peak))
    return rows


def _count(case: Case, provider: Provider, steps: Steps) -> tuple[int | None, int | None]:
    """Launched kernels and peak memory of one call."""
    call = steps.call(case.mode)
    if case.device == "cpu":
        return None, growth_of(call) if provider.compiles else cpu_peak(prepared_call, provider.name, case)
    return gpu.count_kernels(call), cuda_peak(call)


SUITE = Suite(
    title="Sets of boxes",
    suffix="_sets",
    row=Row,
    providers=list(PROVIDERS),
    options=OPTIONS,
    check=_check,
    measure=_measure,
    tables=all_tables,
    section=report.section,
    draw=report.draw,
)
