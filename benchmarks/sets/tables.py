"""Tables of the functions on sets of boxes: one line per case."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..formatting import NAMES, duration, markdown_table, size, times
from .case import Case
from .results import Results
from .rows import Row

#: Providers in the order of a table; all but fastiou and the limit are its peers.
PEERS = ("torchvision", "ultralytics", "pycocotools", "cython_bbox", "numpy", "clean", "compile", "fallback")
LIMIT = "write"
COLUMNS = NAMES | {"fastiou": "fastiou", LIMIT: "writing"}


def speed_table(results: Results, cases: list[Case]) -> str:
    """fastiou's time, how many times as long the peers take, fastiou over the limit, and the memory it needs."""
    measured = results.providers(cases)
    peers = [name for name in PEERS if name in measured]
    lines = []
    for case in cases:
        ratios = [times(results.ratio(case, name, "fastiou")) for name in peers]
        if LIMIT in measured:
            ratios.append(times(results.ratio(case, "fastiou", LIMIT)))
        own, memory = duration(results.micros(case, "fastiou")), size(results.peak(case, "fastiou"))
        lines.append([*_head(case), own, *ratios, memory])
    limit = ["over writing"] if LIMIT in measured else []
    return markdown_table(["", "boxes", "fastiou", *(NAMES[name] for name in peers), *limit, "memory"], lines)


def time_table(results: Results, cases: list[Case]) -> str:
    """Median times of all."""
    return _table(results, cases, lambda case, name: duration(results.micros(case, name)))


def memory_table(results: Results, cases: list[Case]) -> str:
    """Peak memory of all."""
    return _table(results, cases, lambda case, name: size(results.peak(case, name)))


def all_tables(rows: Iterable[Row]) -> str:
    """What the terminal shows at the end."""
    results = Results(rows)
    cases = results.cases()
    parts = (("times", time_table), ("peak memory beyond the inputs", memory_table))
    return "\n" + "\n".join(f"{results.title()}: {what}\n\n{table(results, cases)}" for what, table in parts)


def front_doors(results: Results) -> list[list[Case]]:
    """The cases of torch and those of NumPy, which have other peers."""
    doors = [[case for case in results.cases() if (case.task == "numpy") == numpy] for numpy in (False, True)]
    return [cases for cases in doors if cases]


def _table(results: Results, cases: list[Case], cell: Callable[[Case, str], str]) -> str:
    measured = results.providers(cases)
    names = [name for name in ("fastiou", *PEERS, LIMIT) if name in measured]
    lines = [[*_head(case), *(cell(case, name) for name in names)] for case in cases]
    return markdown_table(["", "boxes", *(COLUMNS[name] for name in names)], lines)


def _head(case: Case) -> list[str]:
    return [case.name, case.sizes]
