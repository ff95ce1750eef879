"""A few lines of all suites, for a page that has no room for tables: one case each, beside its peers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .formatting import NAMES, duration, markdown_table, times


class Line(NamedTuple):
    """What is done, and the suite and the columns by which its rows are found."""

    text: str
    suite: str
    columns: dict[str, Any]


LINES = (
    Line("CIoU loss of 1,000,000 pairs, forward + backward", "losses",
         {"boxes": "random", "kind": "ciou", "reduction": "mean", "dtype": "float32", "n": 10**6, "mode": "full"}),
    Line("GIoU of 8,400 x 100 boxes", "sets", {"task": "pairwise", "kind": "giou", "n": 8400, "mode": "forward"}),
    Line("best matches both ways, 200,000 x 500 boxes", "sets", {"task": "max_iou", "n": 200_000}),
    Line("NMS of 20,000 boxes", "sets", {"task": "nms", "n": 20_000}),
    Line("IoU of 1,000 x 1,000 boxes in NumPy", "sets", {"task": "numpy", "dtype": "float64"}),
    Line("rotated IoU loss of 100,000 pairs, forward + backward", "rotated", {"task": "loss", "kind": "iou"}),
    Line("rotated IoU of 2,000 x 2,000 boxes of a scene", "rotated", {"task": "scene"}),
    Line("PIoU of 1,000 rotated pairs, forward + backward", "pixels",
         {"task": "rotated", "union": "exact", "sides": "16-64", "n": 1000}),
)  # fmt: skip
PEERS = ("torchvision", "clean", "compile", "cython_bbox")


def summary(rows: Mapping[str, list[Any]]) -> str:
    """The table of a device after the other, of rows by suite; empty if none of the lines was measured."""
    devices = dict.fromkeys(row.device for own in rows.values() for row in own)
    return "\n".join(table for device in devices if (table := _table(rows, device)))


def _table(rows: Mapping[str, list[Any]], device: str) -> str:
    found = {line.text: _by_provider(line, rows.get(line.suite, []), device) for line in LINES}
    found = {text: own for text, own in found.items() if "fastiou" in own}
    peers = [name for name in PEERS if any(name in own for own in found.values())]
    lines = [
        [text, duration(own["fastiou"].p50_us), *(_ratio(own, name) for name in peers)] for text, own in found.items()
    ]
    if not lines:
        return ""
    table = markdown_table(["", "fastiou", *(NAMES[name] for name in peers)], lines)
    where = _where(row for own in found.values() for row in own.values())
    return f"{where}. Median times; peers: how many times as long as fastiou they take.\n\n{table}"


def _by_provider(line: Line, rows: list[Any], device: str) -> dict[str, Any]:
    """The rows of a line that have a time, with as many threads as were measured."""
    wanted = {"device": device, **line.columns}
    own = [row for row in rows if row.p50_us and all(getattr(row, name) == x for name, x in wanted.items())]
    most = max((row.threads for row in own), default=None)
    return {row.provider: row for row in own if row.threads == most}


def _ratio(own: dict[str, Any], name: str) -> str:
    return times(own[name].p50_us / own["fastiou"].p50_us if name in own else None)


def _where(rows: Iterable[Any]) -> str:
    """What the rows were measured on."""
    rows = list(rows)
    machines = dict.fromkeys(row.device_name for row in rows)
    versions = dict.fromkeys(row.torch.split("+")[0] for row in rows)
    return f"{', '.join(machines)}, torch {' and '.join(versions)}"
