"""Finds the programs of the CUDA toolkit."""

from __future__ import annotations

import glob
import os
import shutil

_FOLDERS = ("/usr/local/cuda*/bin", "/opt/nvidia/nsight-compute/*", "/usr/local/NVIDIA-Nsight-Compute*")


def find_tool(name: str) -> str | None:
    """The path of a program, from PATH or from where the toolkit puts it; None if it is not installed."""
    home = os.environ.get("CUDA_HOME")
    folders = [f"{home}/bin"] * bool(home) + [path for pattern in _FOLDERS for path in sorted(glob.glob(pattern))[::-1]]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))
