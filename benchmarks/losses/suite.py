"""The losses: providers x kinds x reductions x dtypes x sizes x modes."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

import torch
from torch import Tensor

import fastiou

from .. import boxes, launches
from ..clocks import CLOCKS
from ..memory import cuda_peak
from ..progress import Progress
from ..rows import measured
from ..steps import DTYPES, Steps
from ..suite import Option, Options, Suite, check_names, names
from ..timing import Series, measure
from . import report
from .case import MODES, NO_GRAD, REDUCTIONS, Case, Data, make_data
from .providers import PROVIDERS, Provider
from .rows import Row
from .tables import all_modes

SIZES = {"cpu": [16, 128, 1000, 10_000, 100_000, 1_000_000, 10_000_000]}
SIZES["cuda"] = [*SIZES["cpu"], 16_000_000]
QUICK_SIZES = [16, 1000]


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(float(part)) for part in names(text)]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers of pairs like 128,1e6, got {text!r}")
    return sizes


OPTIONS = [
    Option("--sizes", None,
           {"type": _sizes, "help": "numbers of pairs: 128,1e6 (default: 16 to 1e7, on a GPU also 1.6e7)"}),
    Option("--kinds", ["ciou"], {"type": names, "help": "loss kinds: ciou,giou (default: ciou)"}),
    Option("--modes", list(MODES), {"type": names, "help": f"of {','.join(MODES)} (default: all)"}),
    Option("--reductions", list(REDUCTIONS), {"type": names, "help": "of none,mean (default: both)"}),
    Option("--dtypes", ["float32"], {"type": names, "help": f"of {','.join(DTYPES)} (default: float32)"}),
    Option("--boxes", boxes.RANDOM,
           {"metavar": "FILE", "help": "boxes of a COCO annotation or result JSON (default: random ones)"}),
]  # fmt: skip


def _check(options: Options) -> None:
    check_names("--modes", options.modes, MODES)
    check_names("--reductions", options.reductions, REDUCTIONS)
    check_names("--dtypes", options.dtypes, DTYPES)
    check_names("--kinds", options.kinds, fastiou.kinds())


def _measure(options: Options, device: str) -> Iterator[list[Row]]:
    """Rows, case by case."""
    providers = _available(options, device)
    torch.set_num_threads(options.threads)  # after the imports above: some packages set it, too
    sizes = options.sizes or (QUICK_SIZES if options.quick else SIZES[device])
    cases = len(sizes) * len(options.kinds) * len(options.dtypes) * len(options.reductions)
    progress = Progress(cases * len(options.modes))
    for n in sizes:
        pairs = boxes.make_pairs(options.boxes, n)
        for kind in options.kinds:
            for dtype in options.dtypes:
                for reduction in options.reductions:
                    case = Case(device, boxes.name_of(options.boxes), kind, reduction, dtype, n)
                    yield _measure_case(case, pairs, providers[kind], options, progress)
    progress.finish()


def _available(options: Options, device: str) -> dict[str, list[Provider]]:
    """Providers by kind; says once what is left out and why."""
    available: dict[str, list[Provider]] = {kind: [] for kind in options.kinds}
    reasons = set()
    for kind in options.kinds:
        for provider in (PROVIDERS[name] for name in options.providers if name in PROVIDERS):
            reason = provider.missing(kind, device)
            if reason is None:
                available[kind].append(provider)
            else:
                reasons.add(f"{provider.name} is left out: {reason}")
    for reason in sorted(reasons):
        print(reason, file=sys.stderr)
    return available


def _measure_case(
    case: Case, pairs: tuple[Tensor, Tensor], providers: list[Provider], options: Options, progress: Progress
) -> list[Row]:
    """Rows of all providers and modes of one case."""
    data = make_data(case, *pairs)
    steps = {provider.name: provider.steps(case, data) for provider in providers}
    found: list[tuple[Provider, str, Series]] = []
    for mode in options.modes:
        progress.step(f"{case.device} {case.kind} {case.reduction} {case.dtype} n={case.n:g} {mode}")
        timed = _without_grad(case, data, providers) if mode == NO_GRAD else steps
        pass_ = "forward" if mode == NO_GRAD else mode
        series = measure(timed, pass_, CLOCKS[case.device], case.n, options.seconds_per_case)
        found += [(provider, mode, series[provider.name]) for provider in providers if provider.name in series]
    counts = {
        provider.name: _count(steps[provider.name])
        for provider in providers
        if case.device == "cuda" and not any(one.error for owner, _, one in found if owner is provider)
    }
    return [_row(case, provider, mode, one, counts.get(provider.name)) for provider, mode, one in found]


def _without_grad(case: Case, data: Data, providers: list[Provider]) -> dict[str, Steps]:
    """The steps of those who can do without a graph."""
    data = data.without_grad()
    return {provider.name: provider.steps(case, data) for provider in providers if provider.name != "autograd-node"}


def _count(steps: Steps) -> tuple[int | None, int | None, int]:
    """Kernels forward and backward, and peak bytes."""
    value = steps.forward()
    kernels = launches.count_kernels(steps.forward), launches.count_kernels(lambda: steps.backward(value))
    return *kernels, cuda_peak(steps.full)


def _row(
    case: Case, provider: Provider, mode: str, series: Series, counts: tuple[int | None, int | None, int] | None
) -> Row:
    common = measured(case.device, provider.name, provider.version, series)
    forward, backward, peak = counts or (None, None, None)
    moved = case.bytes_of(mode)
    return Row(
        **common,
        boxes=case.boxes,
        kind=case.kind,
        reduction=case.reduction,
        dtype=case.dtype,
        n=case.n,
        mode=mode,
        bytes=moved,
        gb_per_s=round(moved / common["p50_us"] / 1e3, 3) if common["p50_us"] else None,
        kernels_forward=forward,
        kernels_backward=backward,
        peak_bytes=peak,
    )


SUITE = Suite(
    title="Losses",
    suffix="",
    row=Row,
    providers=list(PROVIDERS),
    options=OPTIONS,
    check=_check,
    measure=_measure,
    tables=all_modes,
    goals=report.goals,
    section=report.section,
    draw=report.draw,
)
