"""Stages "memcheck" to "initcheck": a short run over every family of kernels under a tool of compute-sanitizer.

python -m fastiou.benchmarks.gpu.sanitizer memcheck|racecheck|synccheck|initcheck
"""

from __future__ import annotations

import os
import sys

from . import context
from .stages import SKIPPED
from .tools import find_tool


def main(tool: str) -> int:
    """Becomes compute-sanitizer with that run; on a CPU, the run alone."""
    run = [sys.executable, "-m", f"{__package__}.sanitize"]
    if context.read().device == "cuda":
        sanitizer = find_tool("compute-sanitizer")
        if sanitizer is None:
            print("compute-sanitizer is not installed: it comes with the CUDA toolkit")
            return SKIPPED
        # initcheck has to see who wrote what our kernels read: it looks at all of them.
        only = [] if tool == "initcheck" else ["--kernel-regex", "kns=fastiou"]
        run = [sanitizer, "--tool", tool, "--error-exitcode", "1", "--print-limit", "20", *only, *run]
    os.environ["PYTORCH_NO_CUDA_MEMORY_CACHING"] = "1"  # every tensor is an allocation: its bounds are known
    sys.stdout.flush()
    os.execv(run[0], run)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
