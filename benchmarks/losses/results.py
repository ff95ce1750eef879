"""Rows by what they are about, and ratios between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from .rows import Row


class Group(NamedTuple):
    """What belongs into one table or plot: everything but the mode, the size and the provider."""

    device: str
    device_name: str
    threads: int
    torch: str
    boxes: str
    kind: str
    reduction: str
    dtype: str

    def title(self) -> str:
        """For a heading."""
        where = f"{self.device_name}, {self.threads} threads" if self.device == "cpu" else self.device_name
        boxes = "random boxes" if self.boxes == "random" else f"boxes of {self.boxes}"
        version = self.torch.split("+")[0]
        return f"{where}, torch {version}, {self.kind}, {self.dtype}, reduction {self.reduction}, {boxes}"


class Results:
    """Measurements of one or more CSV files."""

    def __init__(self, rows: Iterable[Row]):
        self._rows: dict[tuple[Group, str, int, str], Row] = {}
        for row in rows:
            group = Group(*(getattr(row, name) for name in Group._fields))
            self._rows[group, row.mode, row.n, row.provider] = row

    def groups(self) -> list[Group]:
        """In the order of the rows."""
        return list(dict.fromkeys(group for group, *_ in self._rows))

    def modes(self, group: Group) -> list[str]:
        """Measured modes of a group."""
        return list(dict.fromkeys(mode for own, mode, *_ in self._rows if own == group))

    def sizes(self, group: Group) -> list[int]:
        """Measured sizes of a group, ascending."""
        return sorted({n for own, _, n, _ in self._rows if own == group})

    def providers(self, group: Group) -> list[str]:
        """Providers that have a time somewhere in a group."""
        return list(dict.fromkeys(key[3] for key, row in self._rows.items() if key[0] == group and row.p50_us))

    def row(self, group: Group, mode: str, n: int, provider: str) -> Row | None:
        """One measurement, if there is one."""
        return self._rows.get((group, mode, n, provider))

    def micros(self, group: Group, mode: str, n: int, provider: str) -> float | None:
        """Median time of a call in microseconds."""
        row = self.row(group, mode, n, provider)
        return row.p50_us if row else None

    def ratio(self, group: Group, mode: str, n: int, slow: str, fast: str) -> float | None:
        """How many times as long `slow` takes as `fast`."""
        over, under = (self.micros(group, mode, n, provider) for provider in (slow, fast))
        return over / under if over and under else None
