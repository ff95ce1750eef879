"""How setup.py compiles, for tests that compile something themselves."""

import functools
import re
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def flags(name: str) -> list[str]:
    """A constant of setup.py, which cannot be imported: it would build."""
    source = (ROOT / "setup.py").read_text()
    namespace: dict = {}
    for constant in ("DEFAULT_ARCHS", "STABLE_ABI", "MATH_FLAGS", "CXX_FLAGS", "NVCC_FLAGS"):
        exec(re.search(rf"^{constant} = .*$", source, re.M)[0], namespace)
    return namespace[name]


def torch_includes() -> list[str]:
    """Compiler options for torch's headers; the stable ones need nothing else."""
    from torch.utils.cpp_extension import include_paths

    return [flag for path in include_paths("cpu") for flag in ("-isystem", path)]


def torch_libraries() -> list[str]:
    """Linker options for torch's libraries."""
    from torch.utils.cpp_extension import library_paths

    return [*(f"-L{path}" for path in library_paths("cpu")), "-ltorch_cpu", "-lc10"]


@functools.cache
def load_emulation(source: str) -> None:
    """Loads CUDA kernels compiled as C++, once: operators of a file beside this one that includes emulation.h."""
    import torch

    own = ["-O1", "-shared", "-fPIC", "-pthread", "-Wno-unknown-pragmas"]
    command = ["g++", *flags("CXX_FLAGS"), *own, flags("STABLE_ABI"), *torch_includes()]
    with tempfile.TemporaryDirectory() as folder:
        library = f"{folder}/emulated.so"
        subprocess.run([*command, str(ROOT / "tests" / source), "-o", library, *torch_libraries()], check=True)
        torch.ops.load_library(library)
