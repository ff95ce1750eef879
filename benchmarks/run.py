"""`fastiou bench`: measures fastiou, its peers and the limits, and writes CSV files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from . import report
from .machine import available_devices
from .rows import write_rows
from .suite import Suite, check_names, names
from .suites import SUITES

PROVIDERS = list(dict.fromkeys(name for suite in SUITES.values() for name in suite.providers))
SLOW_TO_START = ("compile", "compile-fallback")
QUICK_SECONDS = 0.01
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
        description="Time the IoU losses, forward and backward, and the functions on sets of boxes, also rotated ones, "
        "and PIoU, against their peers and against limits: the bare cost of an autograd node, and moving the same "
        "number of bytes. Measure the errors on rotated boxes.",
    )
    add = parser.add_argument
    add("--suite", choices=[*SUITES, "all"], help="default: all, or those that have one of the options given")
    add("--device", choices=["auto", "cpu", "cuda"], default="auto", help="default: auto, all that there are")
    add("--providers", type=names, default=PROVIDERS, help=f"of {','.join(PROVIDERS)} (default: all)")
    add("--threads", type=int, help="CPU threads (default: torch's)")
    add("--seconds-per-case", type=float, default=1.0, help="for each provider, mode and size (default: 1)")
    add("--quick", action="store_true", help="small sizes, no torch.compile, a few milliseconds each: to try it out")
    add(
        "--out",
        default=DEFAULT_OUT,
        metavar="CSV",
        help=f"where to write, {{device}} being cpu or cuda (default: {DEFAULT_OUT}); sets go beside it: *_sets.csv",
    )
    add("--report", action="store_true", help="also draw the plots, beside the CSV; needs matplotlib")
    report.add_page_option(parser)
    for name, suite in SUITES.items():
        group = parser.add_argument_group(f"options of the suite `{name}`")
        for option in suite.options:
            group.add_argument(option.flag, default=None, **option.keywords)
    return parser


def _run(options: argparse.Namespace) -> int:
    devices = available_devices()
    if options.device != "auto":
        if options.device not in devices:
            raise ValueError(f"--device {options.device}: this torch sees no such device")
        devices = [options.device]
    if options.quick:
        options.seconds_per_case = QUICK_SECONDS
        options.providers = [name for name in options.providers if name not in SLOW_TO_START]
    check_names("--providers", options.providers, PROVIDERS)
    suites = _chosen(options)
    for suite in suites:
        suite.check(options)
    if len(devices) > 1 and "{device}" not in options.out:
        raise ValueError(f"--out {options.out}: put {{device}} into the name, there are several devices")
    options.threads = options.threads or torch.get_num_threads()
    paths = [path for suite in suites for device in devices if (path := _measure(suite, options, device))]
    for path in paths:
        print(f"wrote {path}", file=sys.stderr)
    if options.report or options.page:
        report.write(paths, plots=options.report, pages=options.page)
    return 0


def _chosen(options: argparse.Namespace) -> list[Suite]:
    """The suites to run; their options that were not given get their defaults."""
    given = []
    for suite in SUITES.values():
        if any(getattr(options, option.name) is not None for option in suite.options):
            given.append(suite)
        for option in suite.options:
            if getattr(options, option.name) is None:
                setattr(options, option.name, option.default)
    if options.suite is None:
        return given or list(SUITES.values())
    return list(SUITES.values()) if options.suite == "all" else [SUITES[options.suite]]


def _measure(suite: Suite, options: argparse.Namespace, device: str) -> Path | None:
    """Writes and shows what one suite finds on one device; the CSV, or None if there was nothing to measure."""
    path = Path(options.out.format(device=device))
    path = path.with_name(f"{path.stem}{suite.suffix}{path.suffix}")
    rows = []
    for new in suite.measure(options, device):
        rows += new
        if rows:
            write_rows(path, rows)
    if not rows:
        return None
    print(suite.tables(rows))
    return path


if __name__ == "__main__":
    sys.exit(main())
