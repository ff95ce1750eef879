"""Stage "counters": time, bytes and instructions of the main kernels by Nsight Compute, where it may be used."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

from . import context
from .stages import SKIPPED
from .tools import find_tool

FILE = "counters.csv"
METRICS = {
    "gpu__time_duration.sum": "time",
    "dram__bytes_read.sum": "read",
    "dram__bytes_write.sum": "written",
    "smsp__inst_executed.sum": "instructions of warps",
    "smsp__issue_active.avg.pct_of_peak_sustained_active": "issue slots in %",
    "sm__warps_active.avg.pct_of_peak_sustained_active": "warps in %",
    "launch__registers_per_thread": "registers",
    "smsp__inst_executed_pipe_alu.sum": "alu",
    "smsp__inst_executed_pipe_fma.sum": "fma",
    "smsp__inst_executed_pipe_xu.sum": "xu",
    "l1tex__data_bank_conflicts_pipe_lsu.sum": "bank conflicts",
}


def main() -> int:
    """Runs the kernels under ncu, which writes counters.csv, and prints them one by one; the exit code of ncu."""
    here = context.read()
    run = [sys.executable, "-m", f"{__package__}.one_each"]
    if here.device == "cuda":
        ncu = find_tool("ncu")
        if ncu is None:
            print("ncu is not installed: it comes with the CUDA toolkit, or as Nsight Compute")
            return SKIPPED
        options = ["--csv", "--clock-control", "none", "--metrics", ",".join(METRICS)]
        options += ["--kernel-name-base", "demangled", "--kernel-name", "regex:fastiou", "--launch-count", "60"]
        run = [ncu, *options, "--log-file", str(here.out / FILE), *run]
    code = subprocess.run(run).returncode
    for kernel, values in digest(here.out / FILE):
        print(f"{kernel}: {values}")
    if code and here.device == "cuda":
        print(_complaint(here.out / FILE) or f"ncu ended with {code}")
    return code


def digest(path: Path) -> list[tuple[str, str]]:
    """Every launch that ncu has counted, with its figures; none if it has counted nothing."""
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), len(lines))
    launches: dict[str, tuple[str, list[str]]] = {}
    for row in csv.DictReader(lines[start:]):
        if row.get("Metric Value"):
            _, values = launches.setdefault(row["ID"], (row["Kernel Name"], []))
            label = METRICS.get(row["Metric Name"], row["Metric Name"])
            values.append(f"{label} {row['Metric Value']} {row['Metric Unit']}".rstrip())
    return [(name[:120], ", ".join(values)) for name, values in launches.values()]


def _complaint(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return next((line for line in lines if "==ERROR==" in line), "")


if __name__ == "__main__":
    sys.exit(main())
