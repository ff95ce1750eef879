"""Rows by case and provider, and ratios between them."""

from __future__ import annotations

from collections.abc import Iterable

from .case import Case
from .rows import Row


class Results:
    """Measurements of one or more CSV files.

    Attributes:
        case: what sets cases apart, columns of the rows.
    """

    case = Case

    def __init__(self, rows: Iterable[Row]):
        self._rows: dict[tuple[Case, str], Row] = {}
        for row in rows:
            case = self.case(*(getattr(row, name) for name in self.case._fields))
            self._rows[case, row.provider] = row

    def title(self) -> str:
        """What the numbers were measured on."""
        row = next(iter(self._rows.values()))
        where = f"{row.device_name}, {row.threads} threads" if row.device == "cpu" else row.device_name
        return f"{where}, torch {row.torch.split('+')[0]}, random boxes"

    def cases(self, device: str | None = None) -> list[Case]:
        """In the order of the rows."""
        return list(dict.fromkeys(case for case, _ in self._rows if device in (None, case.device)))

    def providers(self, cases: Iterable[Case]) -> set[str]:
        """Those that have a time for any of these cases."""
        cases = set(cases)
        return {name for (case, name), row in self._rows.items() if case in cases and row.p50_us}

    def micros(self, case: Case, provider: str) -> float | None:
        """Median time of a call in microseconds."""
        row = self._rows.get((case, provider))
        return row.p50_us if row else None

    def peak(self, case: Case, provider: str) -> int | None:
        """Peak memory of a call in bytes, beyond its inputs."""
        row = self._rows.get((case, provider))
        return row.peak_bytes if row else None

    def ratio(self, case: Case, slow: str, fast: str) -> float | None:
        """How many times as long `slow` takes as `fast`."""
        over, under = (self.micros(case, provider) for provider in (slow, fast))
        return over / under if over and under else None
