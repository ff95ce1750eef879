"""Tables for a README and plots, from the CSV files of `fastiou bench`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .rows import read_rows
from .suite import Suite
from .suites import SUITES

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
    everything = {path: read_rows(path, *(suite.row for suite in SUITES.values())) for path in paths}
    sections = []
    for suite in SUITES.values():
        own = {path: rows for path, rows in everything.items() if rows and isinstance(rows[0], suite.row)}
        if plots:
            for path, rows in own.items():
                _draw(suite, path, rows)
        if own:
            sections.append(f"### {suite.title}\n\n{suite.section(own, readme.parent if readme else Path())}")
    text = "\n".join(sections)
    if readme is None:
        print(text)
    else:
        _replace_section(readme, text)
        print(f"wrote {readme}", file=sys.stderr)


def _draw(suite: Suite, path: Path, rows: list[Any]) -> None:
    try:
        pictures = suite.draw(path, rows)
    except ImportError as error:
        raise ValueError(f"plots need matplotlib (pip install matplotlib): {error}") from error
    for picture in pictures:
        print(f"wrote {picture}", file=sys.stderr)


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
