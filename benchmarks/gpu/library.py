"""Stage "library": a fastiou with kernels for the card at hand: the one that was carried here, or else a new one."""

from __future__ import annotations

import subprocess
import sys

from . import build, context


def main() -> int:
    """Leaves a library that works in build/gpu/lib; 1 if there is none."""
    here = context.read()
    if here.device == "cpu":
        return _probe(here)
    import torch

    if not torch.cuda.is_available():
        print("no CUDA device here to build for")
        return 1
    arch = ".".join(map(str, torch.cuda.get_device_capability()))
    reason = build.why_unfit(here.root, arch)
    if reason is None:
        if build.refresh(here.root) != 0:
            print("the Python files beside the carried library stay as they are")
        if _probe(here) == 0:
            print(f"the carried library, for {arch}")
            return 0
        reason = "the carried library does not work here"
    print(f"{reason}: building for {arch}", flush=True)
    code = build.build(here.root, arch) or _probe(here)
    print(f"built here, for {arch}" if code == 0 else f"no library: the build or its check ended with {code}")
    return code


def _probe(here: context.Context) -> int:
    """Whether the library works: 0 if it does. It is tried as stages use it, in a folder without sources."""
    folder = here.root / "build" / "gpu"
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.run([sys.executable, "-m", "fastiou.benchmarks.gpu.probe", here.device], cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main())
