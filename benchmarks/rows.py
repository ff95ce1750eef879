"""The CSV: one row per measured case, provider and mode."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One measurement. Times are microseconds per call; a failed one has none, and its note says why."""

    device: str
    device_name: str
    threads: int  # of torch on the CPU
    torch: str
    provider: str
    version: str  # of the provider's package
    boxes: str
    kind: str
    reduction: str
    dtype: str
    n: int
    mode: str
    samples: int
    p20_us: float | None
    p50_us: float | None
    p80_us: float | None
    bytes: int  # that a fused loss has to move
    gb_per_s: float | None  # those bytes over the median time
    page_faults: float | None  # per call, on the CPU
    kernels_forward: int | None  # launches, on CUDA
    kernels_backward: int | None
    peak_bytes: int | None  # beyond the inputs, of a forward and a backward pass, on CUDA
    date: str
    note: str


COLUMNS = [field.name for field in fields(Row)]
_PARSERS = {field.name: {"int": int, "float": float}.get(str(field.type).split()[0], str) for field in fields(Row)}
_OPTIONAL = {field.name for field in fields(Row) if "None" in str(field.type)}


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Writes a CSV, folders included."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path) -> list[Row]:
    """Reads what `write_rows` wrote.

    Raises:
        ValueError: the file is missing or has other columns.
    """
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != COLUMNS:
                raise ValueError(f"{path}: not a CSV of `fastiou bench`: expected the columns {', '.join(COLUMNS)}")
            return [_parse(values) for values in reader]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def _parse(values: dict[str, str]) -> Row:
    return Row(
        **{name: None if value == "" and name in _OPTIONAL else _PARSERS[name](value) for name, value in values.items()}
    )
