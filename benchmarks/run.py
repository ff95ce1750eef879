"""`fastiou bench`: measures the losses, their peers and the limits, and writes CSV files."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import fastiou

from . import boxes, gpu, report, tables
from .case import DTYPES, MODES, REDUCTIONS, Case, Steps, make_data
from .clocks import CLOCKS
from .machine import available_devices, device_name
from .progress import Progress
from .providers import PROVIDERS, Provider
from .rows import Row, write_rows
from .timing import Series, measure

SIZES = {"cpu": [16, 128, 1000, 10_000, 100_000, 1_000_000, 10_000_000]}
SIZES["cuda"] = [*SIZES["cpu"], 16_000_000]
QUICK_SIZES = [16, 1000]
QUICK_SECONDS = 0.01
SLOW_TO_START = ("compile", "compile-fallback")
DEFAULT_OUT = "benchmarks/results/{device}.csv"


def main(argv: list[str] | None = None) -> int:
    """Entry point; the exit status."""
    options = _parser().parse_args(argv)
    try:
        return _run(options)
    except ValueError as error:
        print(f"fastiou bench: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fastiou bench",
        description="Time the IoU losses, forward and backward, against their peers and against two limits: the bare "
        "cost of an autograd node, and copying the same number of bytes.",
    )
    add = parser.add_argument
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="default: auto, all that there are")
    add("--sizes", type=_sizes, help="numbers of pairs: 128,1e6 (default: 16 to 1e7, on a GPU also 1.6e7)")
    add("--kinds", type=_list, default=["ciou"], help="loss kinds: ciou,giou (default: ciou)")
    add("--modes", type=_list, default=list(MODES), help="of forward,backward,full (default: all)")
    add("--reductions", type=_list, default=list(REDUCTIONS), help="of none,mean (default: both)")
    add("--dtypes", type=_list, default=["float32"], help=f"of {','.join(DTYPES)} (default: float32)")
    add("--providers", type=_list, default=list(PROVIDERS), help=f"of {','.join(PROVIDERS)} (default: all)")
    add(
        "--boxes",
        default=boxes.RANDOM,
        metavar="FILE",
        help="boxes of a COCO annotation or result JSON (default: random ones)",
    )
    add("--threads", type=int, help="CPU threads (default: torch's)")
    add("--seconds-per-case", type=float, default=1.0, help="for each provider, mode and size (default: 1)")
    add("--quick", action="store_true", help="two sizes, no torch.compile, a few milliseconds each: to try it out")
    add(
        "--out",
        default=DEFAULT_OUT,
        metavar="CSV",
        help=f"where to write, {{device}} being cpu or cuda (default: {DEFAULT_OUT})",
    )
    add("--report", action="store_true", help="also draw the plots, beside the CSV; needs matplotlib")
    add("--readme", type=Path, help="also write the tables into this file, between the marks of `bench`")
    return parser


def _run(options: argparse.Namespace) -> int:
    devices = available_devices()
    if options.device != "auto":
        if options.device not in devices:
            raise ValueError(f"--device {options.device}: this torch sees no such device")
        devices = [options.device]
    if options.quick:
        options.sizes = options.sizes or QUICK_SIZES
        options.seconds_per_case = QUICK_SECONDS
        options.providers = [name for name in options.providers if name not in SLOW_TO_START]
    _check_names("--modes", options.modes, MODES)
    _check_names("--reductions", options.reductions, REDUCTIONS)
    _check_names("--dtypes", options.dtypes, DTYPES)
    _check_names("--providers", options.providers, PROVIDERS)
    _check_names("--kinds", options.kinds, fastiou.kinds())
    if len(devices) > 1 and "{device}" not in options.out:
        raise ValueError(f"--out {options.out}: put {{device}} into the name, there are several devices")
    threads = options.threads or torch.get_num_threads()
    paths = []
    for device in devices:
        paths.append(Path(options.out.format(device=device)))
        providers = _available(options, device)
        torch.set_num_threads(threads)  # after the imports above: some packages set it, too
        rows = []
        for new in _measure_all(options, device, providers):
            rows += new
            write_rows(paths[-1], rows)
        print(tables.all_modes(rows))
    for path in paths:
        print(f"wrote {path}", file=sys.stderr)
    if options.report or options.readme:
        report.write(paths, plots=options.report, readme=options.readme)
    return 0


def _available(options: argparse.Namespace, device: str) -> dict[str, list[Provider]]:
    """Providers by kind; says once what is left out and why."""
    available: dict[str, list[Provider]] = {kind: [] for kind in options.kinds}
    reasons = set()
    for kind in options.kinds:
        for provider in (PROVIDERS[name] for name in options.providers):
            reason = provider.missing(kind, device)
            if reason is None:
                available[kind].append(provider)
            else:
                reasons.add(f"{provider.name} is left out: {reason}")
    for reason in sorted(reasons):
        print(reason, file=sys.stderr)
    return available


def _measure_all(options: argparse.Namespace, device: str, providers: dict[str, list[Provider]]) -> Iterator[list[Row]]:
    """Rows, case by case."""
    sizes = options.sizes or SIZES[device]
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


def _measure_case(
    case: Case,
    pairs: tuple[Tensor, Tensor],
    providers: list[Provider],
    options: argparse.Namespace,
    progress: Progress,
) -> list[Row]:
    """Rows of all providers and modes of one case."""
    data = make_data(case, *pairs)
    steps = {provider.name: provider.steps(case, data) for provider in providers}
    found: list[tuple[Provider, str, Series]] = []
    for mode in options.modes:
        progress.step(f"{case.device} {case.kind} {case.reduction} {case.dtype} n={case.n:g} {mode}")
        series = measure(steps, mode, CLOCKS[case.device], case.n, options.seconds_per_case)
        found += [(provider, mode, series[provider.name]) for provider in providers]
    counts = {
        provider.name: _count(steps[provider.name])
        for provider in providers
        if case.device == "cuda" and not any(one.error for owner, _, one in found if owner is provider)
    }
    return [_row(case, provider, mode, one, counts.get(provider.name)) for provider, mode, one in found]


def _count(steps: Steps) -> tuple[int | None, int | None, int]:
    """Kernels forward and backward, and peak bytes."""
    return *gpu.count_kernels(steps), gpu.peak_bytes(steps)


def _row(
    case: Case, provider: Provider, mode: str, series: Series, counts: tuple[int | None, int | None, int] | None
) -> Row:
    micros = [round(1e6 * q, 3) for q in np.percentile(series.samples, [20, 50, 80])] if series.samples else [None] * 3
    forward, backward, peak = counts or (None, None, None)
    moved = case.bytes_of(mode)
    return Row(
        device=case.device,
        device_name=device_name(case.device),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        provider=provider.name,
        version=provider.version,
        boxes=case.boxes,
        kind=case.kind,
        reduction=case.reduction,
        dtype=case.dtype,
        n=case.n,
        mode=mode,
        samples=len(series.samples),
        p20_us=micros[0],
        p50_us=micros[1],
        p80_us=micros[2],
        bytes=moved,
        gb_per_s=round(moved / micros[1] / 1e3, 3) if micros[1] else None,
        page_faults=round(series.faults, 1) if case.device == "cpu" and series.samples else None,
        kernels_forward=forward,
        kernels_backward=backward,
        peak_bytes=peak,
        date=datetime.date.today().isoformat(),
        note=series.note(),
    )


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(float(part)) for part in _list(text)]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"expected numbers of pairs like 128,1e6, got {text!r}")
    return sizes


def _check_names(option: str, names: list[str], known) -> None:
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(f"{option}: expected some of {', '.join(known)}, got {', '.join(unknown) or 'none'}")


if __name__ == "__main__":
    sys.exit(main())
