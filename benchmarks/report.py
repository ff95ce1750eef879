"""Tables for a README and plots, from the CSV files of `fastiou bench`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .results import Group, Results
from .rows import read_rows
from .tables import speed_table
from .targets import targets_table

LEGEND = """Median times; GB/s counts the bytes that a fused loss has to move. Peers: how many times as long as fastiou
they take. Over copy, over bare node: how many times as long fastiou takes as copying those bytes, and as an autograd
node that computes nothing.
"""
LEAD_MODE = "full"
MIN_SIZES = 4  # a plot of fewer shows nothing
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def main(argv: list[str] | None = None) -> int:
    """Entry point; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fastiou.benchmarks.report", description=__doc__)
    parser.add_argument("csv", nargs="+", type=Path, help="results of `fastiou bench`")
    parser.add_argument("--readme", type=Path, help=f"file to write the tables into, between {BEGIN} and {END}")
    options = parser.parse_args(argv)
    try:
        write(options.csv, plots=True, readme=options.readme)
    except ValueError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    return 0


def write(paths: list[Path], plots: bool, readme: Path | None) -> None:
    """Draws the plots of every CSV beside it, and writes the tables into a file or to stdout.

    Raises:
        ValueError: a CSV or the file cannot be used, or matplotlib is missing.
    """
    results = {path: Results(read_rows(path)) for path in paths}
    if plots:
        for path, own in results.items():
            _draw(path, own)
    everything = Results(row for path in paths for row in read_rows(path))
    text = _section(everything, results, readme)
    if readme is None:
        print(text)
    else:
        _replace_section(readme, text)
        print(f"wrote {readme}", file=sys.stderr)


def _draw(path: Path, results: Results) -> None:
    try:
        from .plots import draw
    except ImportError as error:
        raise ValueError(f"plots need matplotlib (pip install matplotlib): {error}") from error
    for group in _leads(results):
        if len(results.sizes(group)) < MIN_SIZES:
            continue
        picture = _picture(path, group)
        draw(results, group, picture)
        print(f"wrote {picture}", file=sys.stderr)


def _leads(results: Results) -> list[Group]:
    """What is shown first and drawn: of every kind, dtype and sort of boxes the first reduction that was measured."""
    first: dict[tuple[str, ...], Group] = {}
    for group in results.groups():
        if LEAD_MODE in results.modes(group):
            first.setdefault((group.device, group.boxes, group.kind, group.dtype), group)
    return list(first.values())


def _picture(path: Path, group: Group) -> Path:
    dtype = "" if group.dtype == "float32" else f"_{group.dtype}"
    return path.with_name(f"{path.stem}_{group.kind}{dtype}.png")


def _section(everything: Results, results: dict[Path, Results], readme: Path | None) -> str:
    """Goals, then for every CSV its pictures and tables, all but the first tables folded up."""
    parts = [targets_table(everything), LEGEND]
    for path, own in results.items():
        leads = _leads(own)
        for group in leads:
            parts.append(_titled_table(own, group, LEAD_MODE))
            picture = _picture(path, group)
            if picture.exists():
                link = Path(os.path.relpath(picture, readme.parent if readme else Path())).as_posix()
                parts.append(f"![Time per pair and speed-up, by number of pairs]({link})\n")
        folded = [
            _titled_table(own, group, mode)
            for group in own.groups()
            for mode in own.modes(group)
            if mode != LEAD_MODE or group not in leads
        ]
        if folded:
            tables = "\n".join(folded)
            parts.append(f"<details><summary>All tables of {path.name}</summary>\n\n{tables}\n</details>\n")
    return "\n".join(part for part in parts if part)


def _titled_table(results: Results, group: Group, mode: str) -> str:
    title = {"full": "forward + backward"}.get(mode, mode)
    return f"**{title.capitalize()}**: {group.title()}\n\n{speed_table(results, group, mode)}"


def _replace_section(readme: Path, text: str) -> None:
    try:
        content = readme.read_text()
    except OSError as error:
        raise ValueError(f"{readme}: {error.strerror}") from error
    before, begin, rest = content.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme}: expected the marks {BEGIN} and {END} in it")
    readme.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
