"""Builds the library that `make gpu` takes, on a machine with nvcc and a CUDA build of torch, but without a GPU.

    python -m benchmarks.gpu.prebuild [ARCHITECTURES]        9.0, for H100 and H200, if none are named

What it leaves in build/gpu/lib is for this Python version, and for any torch from 2.10 on that has the same CUDA.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from . import build

ROOT = Path(__file__).resolve().parents[2]


def main(archs: str = "9.0") -> int:
    """Builds, strips and tries the library, and says what it is; 0 if it loads."""
    code = build.build(ROOT, archs)
    if code != 0:
        print("make gpu-prebuild: the build failed", file=sys.stderr)
        return code
    build.strip(ROOT)
    lib = build.library(ROOT)
    command = [sys.executable, "-m", "fastiou.benchmarks.gpu.probe", "load"]
    code = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(lib)}, cwd=lib.parent).returncode
    for path in sorted(lib.rglob("*.so")):
        print(f"  {path.stat().st_size / 2**20:5.1f} MiB  {path.name}  needs {build.needed_versions(path)}")
    total = sum(path.stat().st_size for path in lib.rglob("*") if path.is_file())
    facts = ", ".join(f"{name} {value}" for name, value in build.facts(ROOT, archs).items())
    print(f"{lib.relative_to(ROOT)}: {total / 2**20:.1f} MiB, for {facts}")
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
