"""Compiles the emulator and the operators' host code into one module; objects are kept in build/machine_code."""

from __future__ import annotations

import hashlib
import subprocess
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build_flags import ROOT, flags, torch_includes, torch_libraries

HERE = Path(__file__).parent
FOLDER = ROOT / "build" / "machine_code"


def _includes() -> list[str]:
    import pybind11

    own = pybind11.get_include(), sysconfig.get_paths()["include"]
    return [*torch_includes(), *(flag for path in own for flag in ("-isystem", path))]


def _emulator_command() -> list[str]:
    return ["g++", "-std=c++20", "-O2", "-fPIC", "-pthread", "-c"]


def _host_command() -> list[str]:
    """Kernels are compiled for the host but do not run there: without optimisation. dladdr must see their names, which
    are to be those of nvcc; newer compilers would give others to templates with constraints."""
    quick = [flag for flag in flags("CXX_FLAGS") if not flag.startswith(("-O", "-fvisibility"))]
    own = ["-O0", "-fabi-version=15", "-fPIC", "-pthread", "-Wno-unknown-pragmas", "-Wno-attributes"]
    return ["g++", *quick, *own, flags("STABLE_ABI"), *_includes(), "-c"]


def _digest(*paths: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def _compile(source: Path, command: list[str], headers: str) -> Path:
    """Returns the object of a source: an old one if neither it nor a header nor the command has changed."""
    key = hashlib.sha256(repr((command, headers, source.read_text())).encode()).hexdigest()
    target = FOLDER / f"{source.parent.name}_{source.stem}_{key[:16]}.o"
    if not target.exists():
        for old in FOLDER.glob(f"{source.parent.name}_{source.stem}_*.o"):
            old.unlink(missing_ok=True)
        unfinished = target.with_suffix(".tmp")
        subprocess.run([*command, source, "-o", unfinished], check=True)
        unfinished.rename(target)
    return target


def shared_library() -> Path:
    """The module machine_session (operators/session.cpp)."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    of_emulator = _digest(*HERE.glob("*.h"))
    included = [*(ROOT / "csrc").rglob("*.*h"), ROOT / "csrc" / "ops" / "schema.cpp", HERE.parent / "emulation.h"]
    of_host = of_emulator + _digest(*included, *HERE.glob("operators/*.h"))
    jobs = [(source, _host_command(), of_host) for source in sorted(HERE.glob("operators/*.cpp"))]
    jobs += [(source, _emulator_command(), of_emulator) for source in sorted(HERE.glob("*.cpp"))]
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(lambda job: _compile(*job), jobs))
    target = FOLDER / f"machine_session_{_digest(*objects)[:16]}.so"
    if not target.exists():
        for old in FOLDER.glob("machine_session_*.so"):
            old.unlink(missing_ok=True)
        subprocess.run(["g++", "-shared", "-pthread", *objects, "-o", target, *torch_libraries()], check=True)
    return target
