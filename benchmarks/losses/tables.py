"""Tables of the losses: one line per number of pairs."""

from __future__ import annotations

from collections.abc import Iterable

from ..formatting import NAMES, duration, markdown_table, times
from .results import Group, Results
from .rows import Row

#: Providers in the order of a table.
PEERS = ("torchvision", "ultralytics", "clean", "compile", "fallback", "compile-fallback")
LIMITS = {"copy": "over copy", "autograd-node": "over bare node", "operator": "over bare operator"}


def speed_table(results: Results, group: Group, mode: str) -> str:
    """One line per size: fastiou's time and bandwidth, how many times as long the peers take, fastiou over the limits.

    Without fastiou's own times, all columns are times.
    """
    measured = results.providers(group)
    peers = [name for name in PEERS if name in measured]
    limits = [name for name in LIMITS if name in measured]
    own = "fastiou" in measured
    lines = []
    for n in results.sizes(group):
        row = results.row(group, mode, n, "fastiou")
        if own:
            line = [duration(row and row.p50_us), f"{row.gb_per_s:.3g}" if row and row.gb_per_s else "–"]
            line += [times(results.ratio(group, mode, n, name, "fastiou")) for name in peers]
            line += [times(results.ratio(group, mode, n, "fastiou", name)) for name in limits]
        else:
            line = [duration(results.micros(group, mode, n, name)) for name in (*peers, *limits)]
        lines.append([f"{n:,}", *line])
    names = [NAMES[name] for name in peers] + [LIMITS[name] if own else name for name in limits]
    return markdown_table(["pairs", *(["fastiou", "GB/s"] if own else []), *names], lines)


def all_modes(rows: Iterable[Row]) -> str:
    """What the terminal shows at the end: a table per group and mode."""
    results = Results(rows)
    parts = [
        f"{group.title()}: {mode}\n\n{speed_table(results, group, mode)}"
        for group in results.groups()
        for mode in results.modes(group)
    ]
    return "\n" + "\n".join(parts)
