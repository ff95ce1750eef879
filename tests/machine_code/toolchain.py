"""CUDA sources to machine code and its listing, and the emulator to a library; built once, kept in build/machine_code.

What is kept is found by a hash of everything that it depends on.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from build_flags import ROOT, alone, torch_includes

HERE = Path(__file__).parent
CACHE = ROOT / "build" / "machine_code"
CSRC = ROOT / "csrc"
NVCC_FLAGS = ["-O3", "-std=c++20", "-DUSE_CUDA", "-Xptxas", "-v"]  # as setup.py, and ptxas says what it did
# The emulator computes as the machine does: products and sums are two operations unless they are asked to be one.
CXX_FLAGS = ["-std=c++20", "-O2", "-march=native", "-ffp-contract=off", "-fPIC", "-Wall", "-Wextra"]


@functools.cache
def find(tool: str) -> str | None:
    """The path of nvcc, cuobjdump or nvdisasm: on PATH, in CUDA_HOME, or in a Python package that brings it."""
    folders = [Path(home) / "bin" for variable in ("CUDA_HOME", "CUDA_PATH") if (home := os.environ.get(variable))]
    for packages in map(Path, sys.path):
        folders += [*sorted(packages.glob("nvidia/*/bin")), packages / "triton" / "backends" / "nvidia" / "bin"]
    folders.append(Path("/usr/local/cuda/bin"))
    return shutil.which(tool) or next((p for folder in folders if (p := shutil.which(tool, path=str(folder)))), None)


def missing() -> str | None:
    """Why machine code cannot be made and read here, or None if it can."""
    tools = [tool for tool in ("nvcc", "cuobjdump", "nvdisasm") if not find(tool)]
    if not shutil.which("g++"):
        tools.append("g++")
    return f"needs {', '.join(tools)}" if tools else None


def said(*command: str, folder: Path | None = None) -> str:
    """What a command prints, run in a folder; fails with it where the command fails."""
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment(), cwd=folder
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\n{done.stdout}")
    return done.stdout


def environment() -> dict[str, str]:
    """cuobjdump calls nvdisasm by its name."""
    disassembler = find("nvdisasm")
    path = os.environ.get("PATH", "")
    return os.environ | {"PATH": f"{path}:{Path(disassembler).parent}" if disassembler else path}


def digest(*parts: str | Path) -> str:
    """A hash of strings, of files, and of all files in folders."""
    hashed = hashlib.sha256()
    for part in parts:
        files = [part] if isinstance(part, Path) and part.is_file() else []
        if isinstance(part, Path) and part.is_dir():
            files = sorted(p for p in part.rglob("*") if p.is_file() and p.suffix in {".h", ".cuh", ".cu", ".cpp"})
        for file in files:
            hashed.update(file.name.encode() + b"\0" + file.read_bytes())
        if not isinstance(part, Path):
            hashed.update(part.encode() + b"\0")
    return hashed.hexdigest()[:16]


def kept(name: str, make) -> Path:
    """The folder of that name, which ends in a hash, in the cache; `make` fills it if need be, all of it or nothing.

    Those with other hashes go.
    """
    folder, kind = CACHE / name, name.rpartition("-")[0]
    if folder.exists():
        return folder
    with alone(CACHE / kind):
        if not folder.exists():
            for old in CACHE.glob(f"{kind}-*"):
                shutil.rmtree(old, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
                made = Path(unfinished) / "made"
                made.mkdir()
                make(made)
                made.rename(folder)
    return folder


@dataclass(frozen=True)
class Built:
    """Machine code of one source."""

    cubin: Path
    listing: Path  # what cuobjdump -sass prints
    log: str  # what ptxas says of registers, spills and stacks


@functools.cache
def nvcc_version() -> str:
    return said(find("nvcc"), "--version")


def compile(
    source: Path, arch: str = "sm_90", flags: tuple[str, ...] = (), depends: tuple[Path, ...] = (CSRC,)
) -> Built:
    """Compiles a .cu file, lists its machine code. `depends`: folders and files that it includes; csrc wants torch."""
    includes = torch_includes() if CSRC in depends else []
    command = [find("nvcc"), "-cubin", f"-arch={arch}", *NVCC_FLAGS, *flags, *includes]
    key = digest(source, *depends, " ".join(command), nvcc_version())

    def make(folder: Path) -> None:
        cubin = folder / f"{source.stem}.cubin"
        (folder / "ptxas.log").write_text(said(*command, str(source), "-o", str(cubin)))
        cubin.with_suffix(".sass").write_text(said(find("cuobjdump"), "-sass", str(cubin)))

    folder = kept(f"{source.stem}-{arch}-{key}", make)
    cubin = folder / f"{source.stem}.cubin"
    return Built(cubin, cubin.with_suffix(".sass"), (folder / "ptxas.log").read_text())


@functools.cache
def machine_library() -> Path:
    """The emulator as a shared library, with machine.h's classes and the functions of capi.cpp."""
    compiler = [os.environ.get("CXX", "g++").split()[-1], *CXX_FLAGS]
    sources = sorted(HERE.glob("*.cpp"))
    cpu = said("g++", "-march=native", "-dM", "-E", "-x", "c++", os.devnull)  # what the flag means here
    key = digest(*sources, *sorted(HERE.glob("*.h")), " ".join(compiler), cpu)

    def make(folder: Path) -> None:
        parts = folder / "parts"
        parts.mkdir()
        said(*compiler, "-x", "c++-header", str(HERE / "precompiled.h"), "-o", str(parts / "precompiled.h.gch"))
        own = ["-I", str(parts), "-include", "precompiled.h", "-I", str(HERE)]
        objects = [str(parts / f"{source.stem}.o") for source in sources]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            commands = [[*compiler, *own, "-c", str(s), "-o", o] for s, o in zip(sources, objects, strict=True)]
            list(pool.map(lambda command: said(*command), commands))
        said(*compiler, "-shared", *objects, "-o", str(folder / "libmachine.so"))
        shutil.rmtree(parts)

    return kept(f"machine-{key}", make) / "libmachine.so"
