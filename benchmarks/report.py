"""Tables for pages and plots, from the CSV files of `fastiou bench`.

A page says by its marks what it shows: every goal and table, or a summary.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from .rows import read_rows
from .suite import Suite
from .suites import SUITES
from .summary import summary

#: Rows by their CSV file, by the name of their suite.
Measured = dict[str, dict[Path, list[Any]]]


def main(argv: list[str] | None = None) -> int:
    """Entry point; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m fastiou.benchmarks.report", description=__doc__)
    parser.add_argument("csv", nargs="+", type=Path, help="results of `fastiou bench`")
    add_page_option(parser)
    options = parser.parse_args(argv)
    try:
        write(options.csv, plots=True, pages=options.page)
    except ValueError as error:
        print(f"report: {error}", file=sys.stderr)
        return 2
    return 0


def add_page_option(parser: argparse.ArgumentParser) -> None:
    """`--page`, which can be given several times."""
    kinds = " or ".join(" and ".join(marks(name)) for name in PARTS)
    help = f"page to write the tables into, between its marks: {kinds}"
    parser.add_argument("--page", action="append", default=[], type=Path, help=help)


def write(paths: list[Path], plots: bool, pages: list[Path]) -> None:
    """Draws the plots of every CSV beside it, and writes the tables into pages, or to stdout if there are none.

    Raises:
        ValueError: a CSV or a page cannot be used, or matplotlib is missing.
    """
    everything = {path: read_rows(path, *(suite.row for suite in SUITES.values())) for path in paths}
    measured: Measured = {
        name: {path: rows for path, rows in everything.items() if rows and isinstance(rows[0], suite.row)}
        for name, suite in SUITES.items()
    }
    if plots:
        for name, own in measured.items():
            for path, rows in own.items():
                _draw(SUITES[name], path, rows)
    if not pages:
        print(_tables(measured, Path()))
    for page in pages:
        _fill(page, measured)
        print(f"wrote {page}", file=sys.stderr)


def _draw(suite: Suite, path: Path, rows: list[Any]) -> None:
    try:
        pictures = suite.draw(path, rows)
    except ImportError as error:
        raise ValueError(f"plots need matplotlib (pip install matplotlib): {error}") from error
    for picture in pictures:
        print(f"wrote {picture}", file=sys.stderr)


def _tables(measured: Measured, folder: Path) -> str:
    """All goals, then all tables, of a page in a folder."""
    goals, sections = [], []
    for name, own in measured.items():
        if not own:
            continue
        suite = SUITES[name]
        table = suite.goals(_all_rows(own))
        if table:
            goals.append(f"**{suite.title}**\n\n{table}")
        sections.append(f"## {suite.title}\n\n{suite.section(own, folder)}")
    return "\n".join([*(["## Goals\n"] if goals else []), *goals, *sections])


def _summary(measured: Measured, folder: Path) -> str:
    return summary({name: _all_rows(own) for name, own in measured.items()})


def _all_rows(own: dict[Path, list[Any]]) -> list[Any]:
    return [row for rows in own.values() for row in rows]


#: What can stand between marks, by their name.
PARTS = {"bench": _tables, "summary": _summary}


def marks(name: str) -> tuple[str, str]:
    """Between which lines of a page a part stands."""
    return f"<!-- {name}:begin -->", f"<!-- {name}:end -->"


def _fill(page: Path, measured: Measured) -> None:
    """Writes every part whose marks the page has."""
    try:
        content = page.read_text()
    except OSError as error:
        raise ValueError(f"{page}: {error.strerror}") from error
    found = [name for name in PARTS if all(mark in content for mark in marks(name))]
    if not found:
        expected = " or ".join(" and ".join(marks(name)) for name in PARTS)
        raise ValueError(f"{page}: expected the marks {expected} in it")
    for name in found:
        begin, end = marks(name)
        before, _, rest = content.partition(begin)
        _, _, after = rest.partition(end)
        content = f"{before}{begin}\n{PARTS[name](measured, page.parent)}\n{end}{after}"
    page.write_text(content)


if __name__ == "__main__":
    sys.exit(main())
