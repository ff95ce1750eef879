"""Tables of rotated boxes: one line per case."""

from __future__ import annotations

from collections.abc import Iterable

from ..formatting import NAMES, duration, markdown_table, number, size, times
from ..sets.tables import PEERS, memory_table, time_table
from .results import Results
from .rows import Row


def speed_table(results: Results) -> str:
    """fastiou's time, that per pair, how many times as long the peers take, and the memory that fastiou needs."""
    cases = results.cases()
    measured = results.providers(cases)
    peers = [name for name in PEERS if name in measured]
    lines = []
    for case in cases:
        nanos = results.nanos(case)
        ratios = [times(results.ratio(case, name, "fastiou")) for name in peers]
        own, memory = duration(results.micros(case, "fastiou")), size(results.peak(case, "fastiou"))
        lines.append([case.name, case.sizes, own, "–" if nanos is None else f"{number(nanos)} ns", *ratios, memory])
    return markdown_table(["", "boxes", "fastiou", "per pair", *(NAMES[name] for name in peers), "memory"], lines)


def all_tables(rows: Iterable[Row]) -> str:
    """What the terminal shows at the end."""
    results = Results(rows)
    cases = results.cases()
    parts = (
        ("speed", speed_table(results)),
        ("times", time_table(results, cases)),
        ("peak memory beyond the inputs", memory_table(results, cases)),
    )
    return "\n" + "\n".join(f"{results.title()}: {what}\n\n{table}" for what, table in parts)
