"""Rows of errors by what was measured."""

from __future__ import annotations

from collections.abc import Iterable

from .rows import Row


class Results:
    """Measurements of one or more CSV files."""

    def __init__(self, rows: Iterable[Row]):
        self.rows = list(rows)

    def title(self) -> str:
        """What was measured, and where."""
        row = self.rows[0]
        return f"{row.device_name}, torch {row.torch.split('+')[0]}, {row.pairs:,} pairs in each group"

    def select(self, **columns: str) -> list[Row]:
        """The rows that have these values."""
        return [row for row in self.rows if all(getattr(row, name) == value for name, value in columns.items())]

    def find(self, task: str, kind: str, group: str, provider: str, device: str = "cpu") -> Row | None:
        """The row, or None."""
        rows = self.select(task=task, kind=kind, group=group, provider=provider, device=device)
        return rows[0] if rows else None
