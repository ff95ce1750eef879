"""Tables of PIoU: one line per case, and what it takes in soft pixels."""

from __future__ import annotations

from collections.abc import Iterable

from ..formatting import NAMES, duration, markdown_table, number, size, times
from ..sets.tables import PEERS, memory_table, time_table
from .results import Results
from .rows import Row

WAYS = ["authors' loop", "grid around both", "row-clipped", "edges (fastiou)"]


def speed_table(results: Results) -> str:
    """fastiou's time, pairs per second, how many times as long the peers take, and the memory that fastiou needs."""
    cases = results.cases()
    measured = results.providers(cases)
    peers = [name for name in PEERS if name in measured]
    lines = []
    for case in cases:
        rate = results.rate(case)
        ratios = [times(results.ratio(case, name, "fastiou")) for name in peers]
        own, memory = duration(results.micros(case, "fastiou")), size(results.peak(case, "fastiou"))
        lines.append([case.name, case.sizes, own, "–" if rate is None else f"{rate:,.0f}", *ratios, memory])
    return markdown_table(["", "boxes", "fastiou", "pairs/s", *(NAMES[name] for name in peers), "memory"], lines)


def pixel_table(results: Results) -> str:
    """Soft pixels per pair, by sides and union; empty without such counts."""
    lines = [
        [f"{union} union, {sides} px", *map(number, counts), times(counts[0] / counts[-1])]
        for (sides, union), counts in results.soft_pixels().items()
    ]
    return markdown_table(["soft pixels per pair", *WAYS, "fewer than authors'"], lines) if lines else ""


def all_tables(rows: Iterable[Row]) -> str:
    """What the terminal shows at the end."""
    results = Results(rows)
    cases = results.cases()
    parts = (
        ("speed", speed_table(results)),
        ("pixels", pixel_table(results)),
        ("times", time_table(results, cases)),
        ("peak memory beyond the inputs", memory_table(results, cases)),
    )
    return "\n" + "\n".join(f"{results.title()}: {what}\n\n{table}" for what, table in parts if table)
