"""Stage "times": the ceilings of this card, then what fastiou reaches of them, then its peers; a line of CSV each.

python -m fastiou.benchmarks.gpu.times [SECTION]      from this section on, at the end of the same times.csv
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

import torch

from . import context, times_host, times_losses, times_peers, times_rotated, times_sets
from .bench import COLUMNS, FILE, Bench
from .table import Table, read

#: The parts, in the order in which time is spent on them.
SECTIONS: dict[str, Callable[[Bench], None]] = {
    "ceilings": times_losses.ceilings,
    "losses": times_losses.losses,
    "pairwise": times_sets.pairwise,
    "matching": times_sets.matching,
    "nms": times_sets.suppression,
    "rotated": times_rotated.rotated,
    "pixels": times_rotated.pixels,
    "host": times_host.host,
    "peers": times_peers.torchvision,
    "launches": times_host.launched,  # late: a profiler that has run once may slow down what follows
    "compiled": times_peers.compiled,
}


def main(first: str = "ceilings") -> int:
    """Measures the sections from the first on; 1 if one of them failed, or a row did."""
    here = context.read()
    if first == "ceilings":
        Table(here.out / FILE, COLUMNS).start()
    reason = context.why_not(here.device)
    if reason:
        print(reason)
        return 1
    bench = Bench(here)
    names = list(SECTIONS)
    for i, name in enumerate(names[names.index(first) :], names.index(first)):
        print(f"-- {name}: {bench.left():.0f} s left", flush=True)
        try:
            SECTIONS[name](bench)
        except Exception as error:
            traceback.print_exc()
            bench.add(f"section {name}", note=f"failed: {type(error).__name__}: {error}".splitlines()[0][:160])
            if here.device == "cuda" and i + 1 < len(names):  # whatever state the device is in
                context.start_over("times", names[i + 1])
        if here.device == "cuda":
            torch.cuda.empty_cache()
    return _conclude(read(here.out / FILE))


def _conclude(rows: list[dict[str, str]]) -> int:
    failed = [row for row in rows if row["note"].startswith("failed")]
    late = sum(row["note"] == "out of time" for row in rows)
    judged = [row for row in rows if row["reached"]]
    short = sum("no" in row["reached"] for row in judged)
    print(f"{len(rows)} rows, {len(failed)} failed, {late} out of time; {len(judged)} have a goal, {short} miss it")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
