"""The rows of times.csv: a figure each, on the disk as soon as it is known, and beside its goal."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .context import Context
from .goals import judge
from .stopwatch import Call, Sample, Stopwatch
from .table import Table, read

COLUMNS = (
    "card", "name", "us", "us_min", "samples", "bytes", "gb_per_s", "share", "launches", "ratio", "reached", "note",
)  # fmt: skip
FILE = "times.csv"


class Bench:
    """Measures calls and writes what was found.

    Attributes:
        device: where boxes are to be made.
        tiny: whether sizes are to be cut.
        watch: the stopwatch.
        us: microseconds of the rows so far, by name, with those of an earlier process.
    """

    def __init__(self, here: Context) -> None:
        self._here = here
        self.device, self.tiny = here.device, here.tiny
        self.watch = Stopwatch(here.device, 0.001 if here.tiny else 0.12)
        self._table = Table(here.out / FILE, COLUMNS)
        self.card = torch.cuda.get_device_name() if here.device == "cuda" else "cpu, in small: no measurement"
        rows = read(here.out / FILE)
        self.us = {row["name"]: float(row["us"]) for row in rows if row["us"]}
        self._speed = {row["name"]: float(row["gb_per_s"]) for row in rows if row["gb_per_s"]}

    def left(self) -> float:
        """Seconds left for measuring."""
        return self._here.left()

    def size(self, n: int, most: int = 200) -> int:
        """A number of boxes, cut in a rehearsal."""
        return min(n, most) if self.tiny else n

    def time(
        self,
        name: str,
        calls: Sequence[Call],
        *,
        moved: float = 0.0,
        ceiling: str = "",
        than: str = "",
        waits: bool = False,
        note: str = "",
    ) -> None:
        """Measures a call and adds its row; what fails, or has no time left, leaves a note there.

        Args:
            name: the row.
            calls: see `Stopwatch.time`, and ``waits`` too.
            moved: bytes that a call has to read and write.
            ceiling: the row whose bytes per second are the most that there can be: ``share`` is the part reached.
            than: the row that this one is compared with: ``ratio`` is this time over that.
            note: what a reader should know.
        """
        if self.left() < 1.0:
            return self.add(name, note="out of time")
        try:
            sample = self.watch.time(calls, waits)
        except Exception as error:
            self.watch.wait()  # raises again if the device has faulted: then this process can do nothing more
            return self.add(name, note=_words(error))
        return self.add(name, sample, moved=moved, ceiling=ceiling, than=than, note=note)

    def host(self, name: str, call: Call, than: str = "") -> None:
        """Measures what the host takes for a call, and adds its row."""
        try:
            sample = self.watch.host(call, 20 if self.tiny else 300)
        except Exception as error:
            self.watch.wait()
            return self.add(name, note=_words(error))
        return self.add(name, sample, than=than, note="time of the host")

    def add(
        self,
        name: str,
        sample: Sample | None = None,
        *,
        moved: float = 0.0,
        ceiling: str = "",
        than: str = "",
        launches: int | None = None,
        note: str = "",
    ) -> None:
        """Adds a row: see `time`. ``launches`` are the kernels of a call."""
        figures: dict[str, str] = {"launches": "" if launches is None else str(launches)}
        if sample:
            self.us[name] = sample.median
            figures |= {"us": f"{sample.median:.3f}", "us_min": f"{sample.minimum:.3f}", "samples": str(sample.count)}
            if moved:
                speed = self._speed[name] = moved / sample.median / 1e3
                figures |= {"bytes": f"{moved:.0f}", "gb_per_s": f"{speed:.4g}"}
                if ceiling in self._speed:
                    figures["share"] = f"{speed / self._speed[ceiling]:.4f}"
            if than in self.us:
                figures["ratio"] = f"{sample.median / self.us[than]:.4f}"
        row = dict.fromkeys(COLUMNS, "") | figures | {"card": self.card, "name": name, "note": note}
        row["reached"] = "; ".join("yes" if f.reached else f"no: {f.goal.bound}" for f in judge(row))
        self._table.add([row[column] for column in COLUMNS])
        told = [f"{row['us'] or '–':>12s} us"]
        told += [f"{label} {row[c]}" for c, label in _TOLD.items() if row[c]]
        print(f"{name:44s} {'  '.join(told)}", flush=True)


_TOLD = {"gb_per_s": "GB/s", "share": "share", "ratio": "ratio", "launches": "launches", "reached": "goal", "note": ":"}


def _words(error: Exception) -> str:
    return f"failed: {type(error).__name__}: {error}".splitlines()[0][:160]
