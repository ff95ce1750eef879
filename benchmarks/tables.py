"""Tables of times and ratios, legible as text and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable

from .results import Group, Results
from .rows import Row

#: Providers in the order of a table, and what their columns are called.
PEERS = {
    "torchvision": "torchvision",
    "ultralytics": "Ultralytics",
    "clean": "plain PyTorch",
    "compile": "torch.compile",
    "fallback": "fallback",
    "compile-fallback": "compiled fallback",
}
LIMITS = {"copy": "over copy", "autograd-node": "over bare node"}


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
    names = [PEERS[name] for name in peers] + [LIMITS[name] if own else name for name in limits]
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


def markdown_table(head: list[str], lines: list[list[str]]) -> str:
    """A padded Markdown table; columns of numbers are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    right = [all(line[i][:1] in "0123456789–" for line in lines) for i in range(len(head))]

    def fill(cells: list[str]) -> str:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(cells, widths, right, strict=True))
        return "| " + " | ".join(padded) + " |\n"

    rule = "|" + "|".join("-" * (w + 1) + (":" if r else "-") for w, r in zip(widths, right, strict=True)) + "|\n"
    return fill(head) + rule + "".join(fill(line) for line in lines)


def number(x: float) -> str:
    """Three digits, without an exponent."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def times(ratio: float | None) -> str:
    """A ratio: 12.3x."""
    return "–" if ratio is None else f"{number(ratio)}x"


def duration(micros: float | None) -> str:
    """A time with its unit."""
    if micros is None:
        return "–"
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if micros >= size:
            return f"{number(micros / size)} {unit}"
    return f"{number(micros)} µs"
