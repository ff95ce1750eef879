"""What a suite of benchmarks is: losses, functions on sets of boxes, rotated boxes, and their errors."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

Options = argparse.Namespace


class Option(NamedTuple):
    """A command-line option of one suite. Naming it on the command line selects the suite."""

    flag: str
    default: Any
    keywords: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the attribute that holds it."""
        return self.flag.strip("-").replace("-", "_")


class Suite(NamedTuple):
    """Everything that `fastiou bench` and the report need to know about it.

    Attributes:
        suffix: what is added to the name of the CSV.
        row: dataclass of its rows.
        providers: their names.
        check: raises a ValueError if an option cannot be followed.
        measure: measures on a device; rows, case by case.
        tables: what the terminal shows at the end.
        goals: what was to be reached and whether it was, as a table; empty if these rows say nothing about it.
        section: what a page shows of some CSV files: their rows by their paths, and the page's folder.
        draw: draws the plots of one CSV beside it and returns their paths; an ImportError without matplotlib.
    """

    title: str
    suffix: str
    row: type
    providers: list[str]
    options: list[Option]
    check: Callable[[Options], None]
    measure: Callable[[Options, str], Iterator[list[Any]]]
    tables: Callable[[list[Any]], str]
    goals: Callable[[list[Any]], str]
    section: Callable[[dict[Path, list[Any]], Path], str]
    draw: Callable[[Path, list[Any]], list[Path]]


def names(text: str) -> list[str]:
    """A comma-separated list."""
    return [part.strip() for part in text.split(",") if part.strip()]


def check_names(option: str, chosen: list[str], known) -> None:
    """Raises a ValueError that names the option and what it knows."""
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        raise ValueError(f"{option}: expected some of {', '.join(known)}, got {', '.join(unknown) or 'none'}")


def folded(title: str, text: str) -> str:
    """Text that a page shows on demand."""
    return f"<details><summary>{title}</summary>\n\n{text}\n</details>\n"
