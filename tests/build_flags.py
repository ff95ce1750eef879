"""How setup.py compiles, for tests that compile something themselves."""

import contextlib
import re
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


@contextlib.contextmanager
def alone(path: Path):
    """Holds the lock of what is made at a path: whoever else makes it waits, in other processes too."""
    import fcntl  # which not all systems have that import this file

    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path.with_name(f"{path.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
