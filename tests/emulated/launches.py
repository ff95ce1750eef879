"""Which kernels the project has, and which of them have run by emulation."""

import ctypes
import re
import subprocess

from build_flags import ROOT
from emulation import libraries

MOST = 4096  # instances of kernels in a library


def kernels_launched() -> dict[str, int]:
    """The names of kernels that have run in this process, and the threads of their largest blocks."""
    kernels: dict[str, int] = {}
    for path, library in libraries().items():
        listing = subprocess.run(["nm", "-C", "--defined-only", path], capture_output=True, text=True, check=True)
        symbols = {int(line.split()[0], 16): line for line in listing.stdout.splitlines()}
        offsets, threads = (ctypes.c_uint64 * MOST)(), (ctypes.c_uint * MOST)()
        for i in range(library.launched_kernels(offsets, threads, MOST)):
            name = re.search(r"(\w+)[<(]", re.sub(r".*?\bfastiou::", "", symbols[offsets[i]], count=1))[1]
            kernels[name] = max(kernels.get(name, 0), threads[i])
    return kernels


def project_kernels() -> dict[str, int]:
    """The names of all kernels of the project, and how many threads their blocks may have."""
    return launch_bounds("".join(path.read_text() for path in sorted((ROOT / "csrc").rglob("*.cu*"))))


def launch_bounds(text: str) -> dict[str, int]:
    """The same for CUDA code."""
    constants = dict(re.findall(r"^constexpr int (k\w+) = ([^;]+);", text, re.M))

    def value(expression: str) -> int:
        """Of a product of numbers and constants."""
        product = 1
        for factor in expression.split(" * "):
            product *= int(factor) if factor.isdigit() else value(constants[factor])
        return product

    bounds = {}
    for declaration in re.findall(r"__global__ void\s([^;{]+)", text):
        bound, name = re.match(r"__launch_bounds__\((\w+)[^()]*(?:\(.*?\))?\)\s+(\w+)\(", declaration).groups()
        bounds[name] = value(bound)
    return bounds
