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
        raise ValueError(f"plots need matplotlib (pip install 'fastiou[bench]'): {error}") from error
    for group in _plotted(results):
        picture = _picture(path, group)
        draw(results, group, picture)
        print(f"wrote {picture}", file=sys.stderr)


def _plotted(results: Results) -> list[Group]:
    """One plot per kind and dtype: of the first reduction, over more than one size."""
    first: dict[tuple[str, str, str], Group] = {}
    for group in results.groups():
        if len(results.sizes(group)) > 1 and "full" in results.modes(group):
            first.setdefault((group.boxes, group.kind, group.dtype), group)
    return list(first.values())


def _picture(path: Path, group: Group) -> Path:
    dtype = "" if group.dtype == "float32" else f"_{group.dtype}"
    return path.with_name(f"{path.stem}_{group.kind}{dtype}.png")


def _section(everything: Results, results: dict[Path, Results], readme: Path | None) -> str:
    """Goals, then tables, then pictures where they exist."""
    parts = [targets_table(everything)]
    for path, own in results.items():
        for group in own.groups():
            modes = own.modes(group)
            if "full" in modes:
                title = f"**{_sentence(group.title())}**, forward + backward"
                parts.append(f"{title}:\n\n{speed_table(own, group, 'full')}")
            rest = [mode for mode in modes if mode != "full"]
            if rest:
                tables = "\n".join(f"{_sentence(mode)}:\n\n{speed_table(own, group, mode)}" for mode in rest)
                parts.append(f"<details><summary>{' and '.join(rest)} alone</summary>\n\n{tables}\n</details>\n")
        for group in _plotted(own):
            picture = _picture(path, group)
            if picture.exists():
                link = os.path.relpath(picture, readme.parent if readme else Path())
                parts.append(f"![Time per pair and speed-up over N]({Path(link).as_posix()})\n")
    return "\n".join(part for part in parts if part)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


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
