"""Rows of PIoU by case and provider."""

from __future__ import annotations

from ..sets import results
from .case import Case

WAYS = ("official", "grid", "clipped", "edge")


class Results(results.Results):
    """Measurements of one or more CSV files."""

    case = Case

    def title(self) -> str:
        """What the numbers were measured on; each case has its own number of threads."""
        row = next(iter(self._rows.values()))
        return f"{row.device_name}, torch {row.torch.split('+')[0]}, random boxes"

    def rate(self, case: Case) -> float | None:
        """Pairs that fastiou does in a second."""
        micros = self.micros(case, "fastiou")
        return 1e6 * case.pairs / micros if micros else None

    def pair_bytes(self, case: Case, provider: str) -> float | None:
        """Peak memory beyond the inputs, by the number of pairs."""
        peak = self.peak(case, provider)
        return None if peak is None else peak / case.pairs

    def soft_pixels(self) -> dict[tuple[str, str], list[float]]:
        """Of each way, by sides and union."""
        found: dict[tuple[str, str], list[float]] = {}
        for (case, _), row in self._rows.items():
            counts = [getattr(row, f"pixels_{way}") for way in WAYS]
            if None not in counts:
                found.setdefault((case.sides, case.union), counts)
        return found
