"""Measures providers on the cases of a suite of tasks: their times, and the memory that a call needs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from . import launches
from .clocks import CLOCKS
from .memory import cpu_peak, cuda_peak, growth_of
from .provider import Provider, TaskCase
from .rows import measured
from .steps import Steps
from .timing import measure

SLOW = 2.0  # seconds: a call that takes longer is measured once

MakeData = Callable[[Any], Any]


def available(known: dict[str, Provider], chosen: Iterable[str], tasks: Iterable[str], device: str) -> list[Provider]:
    """The chosen ones that can be measured; says what is left out and why."""
    found = []
    for provider in (known[name] for name in chosen if name in known):
        reason = provider.missing(device) if set(provider.tasks) & set(tasks) else "it has none of these tasks"
        if reason is None:
            found.append(provider)
        else:
            print(f"{provider.name} is left out: {reason}", file=sys.stderr)
    return found


def measure_case(
    case: TaskCase,
    providers: Iterable[Provider],
    make_data: MakeData,
    prepared: Callable[[str, Any], Callable],
    seconds: float,
) -> list[dict[str, Any]]:
    """Rows of the providers that have this case; ``prepared`` makes one call of a case in a fresh process."""
    data = make_data(case)
    providers = [provider for provider in providers if provider.has(case)]
    steps = {provider.name: provider.steps(case, data) for provider in providers}
    series = measure(steps, case.mode, CLOCKS[case.device], case.n, seconds, SLOW)
    rows = []
    for provider in providers:
        one = series[provider.name]
        kernels, peak = (None, None) if one.error else _count(case, provider, steps[provider.name], prepared)
        common = measured(case.device, provider.name, provider.version, one)
        rows.append(case._asdict() | common | {"kernels": kernels, "peak_bytes": peak})
    return rows


def prepared_call(provider: Provider, case: Any, make_data: MakeData) -> Callable[[], Any]:
    """One call of a case, after one with a few boxes has loaded what is loaded once."""
    small = case.tiny()
    provider.steps(small, make_data(small)).call(case.mode)()
    return provider.steps(case, make_data(case)).call(case.mode)


def _count(case: TaskCase, provider: Provider, steps: Steps, prepared: Callable) -> tuple[int | None, int | None]:
    """Launched kernels and peak memory of one call."""
    call = steps.call(case.mode)
    if case.device == "cpu":
        return None, growth_of(call) if provider.compiles else cpu_peak(prepared, provider.name, case)
    return launches.count_kernels(call), cuda_peak(call)
