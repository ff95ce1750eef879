"""Tables of errors on rotated boxes."""

from __future__ import annotations

from collections.abc import Iterable

from ..formatting import NAMES, markdown_table, number
from ..rotated.case import KIND_NAMES
from .groups import GROUPS
from .providers import VALUES
from .results import Results
from .rows import Row

OWN = {"fastiou": "fastiou", "fastiou-loss": "fastiou, loss", "clean": "matrices"}
COLUMNS = NAMES | OWN
KINDS = KIND_NAMES | {"bcd": "BCD"}


def short_table(results: Results) -> str:
    """One line per group: the largest errors, and how often torchvision's are large."""
    lines = []
    for group in dict.fromkeys(row.group for row in results.select(task="value")):
        own = {row.provider: row for row in results.select(task="value", group=group)}
        peer = own.get("torchvision")
        errors = (_error(own[name].max_error) if name in own else "–" for name in VALUES)
        shares = ("–", "–") if peer is None else (_share(peer.above_1e_3), _share(peer.above_1e_1))
        lines.append([GROUPS[group][0], *errors, *shares])
    head = ["largest error of the IoU", *(COLUMNS[name] for name in VALUES), "its above 1e-3", "its above 0.1"]
    return markdown_table(head, lines) if lines else ""


def value_table(results: Results) -> str:
    """All that is known: one line per group and provider."""
    lines = [
        [
            GROUPS[row.group][0],
            COLUMNS[row.provider],
            _error(row.max_error),
            _error(row.p9999_error),
            _share(row.above_1e_3),
            _share(row.above_1e_1),
            _share(row.outside + row.nan),
            _share(row.exact),
        ]
        for row in results.select(task="value")
    ]
    head = ["IoU", "", "largest error", "99.99 %", "above 1e-3", "above 0.1", "outside [0, 1]", "without error"]
    return markdown_table(head, lines) if lines else ""


def gradient_table(results: Results) -> str:
    """fastiou's gradients: one line per group, a column per kind."""
    rows = results.select(task="gradient")
    kinds = list(dict.fromkeys(row.kind for row in rows))
    lines = []
    for group in dict.fromkeys(row.group for row in rows):
        errors = {row.kind: row.p9999_error for row in rows if row.group == group}
        lines.append([GROUPS[group][0], *(_error(errors.get(kind)) for kind in kinds)])
    head = ["error of 99.99 % of the gradients", *(KINDS[kind] for kind in kinds)]
    return markdown_table(head, lines) if lines else ""


def gaussian_table(results: Results) -> str:
    """One line per kind, columns by provider."""
    rows = results.select(task="gaussian")
    found = list(dict.fromkeys(row.provider for row in rows))
    lines = []
    for kind in dict.fromkeys(row.kind for row in rows):
        own = {row.provider: row for row in rows if row.kind == kind}
        cells = (f"{_error(own[name].max_error)}{_nan(own[name])}" if name in own else "–" for name in found)
        lines.append([KINDS[kind], *cells])
    return markdown_table(["largest error of the distance", *(COLUMNS[name] for name in found)], lines) if lines else ""


def all_tables(rows: Iterable[Row]) -> str:
    """What the terminal shows at the end."""
    results = Results(rows)
    tables = value_table(results), gradient_table(results), gaussian_table(results)
    return f"\n{results.title()}\n\n" + "\n".join(table for table in tables if table)


def _error(x: float | None) -> str:
    return "–" if x is None else "0" if x == 0 else f"{x:.2g}"


def _share(x: float) -> str:
    return "0" if x == 0 else f"{number(100 * x)} %"


def _nan(row: Row) -> str:
    return f", NaN {_share(row.nan)}" if row.nan else ""
