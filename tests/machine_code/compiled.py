"""Compiles the operators' host code for the machine; objects are kept in build/machine_code until they change."""

from __future__ import annotations

import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build_flags import alone, flags, torch_includes, torch_libraries
from cuda_builds import included

from machine_code import toolchain

HERE = Path(__file__).parent
#: Kernels as C++ ask for an engine, which has nothing to do here.
SOURCES = [*sorted((HERE / "operators").glob("*.cpp")), HERE.parent / "emulated" / "engine.cpp"]


def _command() -> list[str]:
    """Kernels are compiled for the host but do not run there: without optimisation. dladdr must see their names, which
    are to be those of nvcc; newer compilers would give others to templates with constraints."""
    import pybind11

    own = pybind11.get_include(), sysconfig.get_paths()["include"]
    includes = [*torch_includes(), *(flag for path in own for flag in ("-isystem", path))]
    chosen = [flag for flag in flags("CXX_FLAGS") if not flag.startswith(("-O", "-fvisibility"))]
    quick = ["-O0", "-fabi-version=15", "-fPIC", "-pthread", "-Wno-unknown-pragmas", "-Wno-attributes"]
    return ["g++", *chosen, *quick, flags("STABLE_ABI"), *includes, "-c"]


def _compile(source: Path) -> Path:
    """Returns the object of a source: an old one if nothing that it depends on has changed."""
    name, command = f"operators_{source.stem}", _command()
    key = toolchain.digest(*sorted(included(source)), repr(command))
    target = toolchain.CACHE / f"{name}-{key}.o"
    if not target.exists():
        for old in toolchain.CACHE.glob(f"{name}-*.o"):
            old.unlink(missing_ok=True)
        unfinished = target.with_suffix(".tmp")
        toolchain.said(*command, str(source), "-o", str(unfinished))
        unfinished.rename(target)
    return target


def machine_session() -> Path:
    """The module machine_session (operators/session.cpp), with all operators in it."""
    library = toolchain.machine_library()
    with alone(toolchain.CACHE / "machine_session"):
        with ThreadPoolExecutor(2) as pool:
            objects = sorted(pool.map(_compile, SOURCES))
        target = toolchain.CACHE / f"machine_session-{toolchain.digest(*objects, str(library))}.so"
        if not target.exists():
            for old in toolchain.CACHE.glob("machine_session-*.so"):
                old.unlink(missing_ok=True)
            unfinished = target.with_suffix(".tmp")
            linked = [str(library), f"-Wl,-rpath,{library.parent}", *torch_libraries()]
            toolchain.said("g++", "-shared", "-pthread", *map(str, objects), "-o", str(unfinished), *linked)
            unfinished.rename(target)
    return target
