"""CSV files that are written line by line, and read whatever state a run has left them in."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path


class Table:
    """A file to which lines are added; every one is on the disk when `add` returns."""

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._path, self._columns = path, list(columns)

    def start(self) -> None:
        """Leaves nothing in the file but its head."""
        self._path.unlink(missing_ok=True)
        self._write([])

    def add(self, cells: Sequence[object]) -> None:
        """Adds a line; None is an empty cell."""
        self._write([["" if cell is None else cell for cell in cells]])

    def _write(self, lines: list[list[object]]) -> None:
        is_new = not self._path.exists()
        with open(self._path, "a", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([self._columns] * is_new + lines)


def read(path: Path) -> list[dict[str, str]]:
    """The complete lines of a file, by column; none if there is no file."""
    try:
        text = path.read_bytes().decode(errors="replace").replace("\0", "")
    except OSError:
        return []
    head, *lines = list(csv.reader(text.splitlines())) or [[]]
    return [dict(zip(head, line, strict=True)) for line in lines if len(line) == len(head)]


def latest(rows: list[dict[str, str]], column: str) -> dict[str, dict[str, str]]:
    """The last line with each value of a column."""
    return {row[column]: row for row in rows}
