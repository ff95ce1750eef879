"""CSV files of measurements: what their rows have in common, writing and reading."""

from __future__ import annotations

import csv
import datetime
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .machine import device_name
from .timing import Series


def measured(device: str, provider: str, version: str, series: Series) -> dict[str, Any]:
    """The columns that every row has beside those of its case: what was measured where, and what came out.

    Times are microseconds per call; a failed provider has none, and its note says why.
    """
    micros = [round(1e6 * q, 3) for q in np.percentile(series.samples, [20, 50, 80])] if series.samples else [None] * 3
    return {
        "device": device,
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "provider": provider,
        "version": version,
        "samples": len(series.samples),
        **dict(zip(("p20_us", "p50_us", "p80_us"), micros, strict=True)),
        "page_faults": round(series.faults, 1) if device == "cpu" and series.samples else None,
        "date": datetime.date.today().isoformat(),
        "note": series.note(),
    }


def columns(kind: type) -> list[str]:
    """The columns of a CSV of these rows."""
    return [field.name for field in fields(kind)]


def write_rows(path: Path, rows: Iterable[Any]) -> None:
    """Writes a CSV, folders included, of rows that are dataclasses of one kind; at least one."""
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns(type(rows[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)


def read_rows(path: Path, *kinds: type) -> list[Any]:
    """Reads what `write_rows` wrote, of any of these kinds of rows.

    Raises:
        ValueError: the file is missing or has other columns.
    """
    try:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            kind = next((kind for kind in kinds if columns(kind) == reader.fieldnames), None)
            if kind is None:
                expected = ", or ".join(", ".join(columns(kind)) for kind in kinds)
                raise ValueError(f"{path}: not a CSV of `fastiou bench`: expected the columns {expected}")
            return [_parse(kind, values) for values in reader]
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error


def _parse(kind: type, values: dict[str, str]) -> Any:
    """A row of text; what is empty is None where that is among the types of a column."""
    parsed: dict[str, Any] = {}
    for field in fields(kind):
        name, *others = str(field.type).split(" | ")
        text = values[field.name]
        parsed[field.name] = None if text == "" and others else {"int": int, "float": float}.get(name, str)(text)
    return kind(**parsed)
