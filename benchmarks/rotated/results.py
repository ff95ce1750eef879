"""Rows of rotated boxes by case and provider."""

from __future__ import annotations

from ..sets import results
from .case import Case


class Results(results.Results):
    """Measurements of one or more CSV files."""

    case = Case

    def title(self) -> str:
        """What the numbers were measured on; each case has its own number of threads."""
        row = next(iter(self._rows.values()))
        return f"{row.device_name}, torch {row.torch.split('+')[0]}, random rotated boxes"

    def nanos(self, case: Case) -> float | None:
        """fastiou's time per pair of boxes in nanoseconds; of NMS, which skips most pairs, none."""
        micros = self.micros(case, "fastiou")
        return 1e3 * micros / case.pairs if micros and case.task != "nms" else None
