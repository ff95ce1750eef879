"""The CUDA sources, compiled once for all tests that ask what nvcc makes of them, and kept in build/cuda."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from build_flags import ROOT, flags, torch_includes

FOLDER = ROOT / "build" / "cuda"
SOURCES = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "csrc").rglob("*.cu"))
#: The one whose machine code the tests execute.
EMULATED_ARCH = "sm_90"
needs_nvcc = pytest.mark.skipif(not shutil.which("nvcc"), reason="needs nvcc")


def architectures() -> list[str]:
    """The oldest of the build, the emulated one, and the newest."""
    of_build = ["sm_" + a.split("+")[0].replace(".", "") for a in flags("DEFAULT_ARCHS").split(";")]
    assert EMULATED_ARCH in of_build
    return [of_build[0], EMULATED_ARCH, of_build[-1]]


@dataclass
class Function:
    """What ptxas says of a kernel, or of a function that kernels call: then it tells no registers."""

    name: str  # mangled
    arch: str
    is_kernel: bool
    registers: int
    stack: int  # bytes, as the next ones
    spilled: int
    demangled: str = ""


@dataclass
class Build:
    """What one nvcc call has left."""

    folder: Path

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def cubin(self) -> Path:
        return self.folder / f"{EMULATED_ARCH}.cubin"

    @property
    def listing(self) -> Path:
        return self.folder / f"{EMULATED_ARCH}.sass"

    @functools.cached_property
    def functions(self) -> list[Function]:
        return functions_of(self.log)


def functions_of(log: str) -> list[Function]:
    """What ptxas -v says, one architecture after the other."""
    found, kernel, arch = [], "", ""
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            kernel, arch = match.groups()
        elif match := re.search(r"Function properties for (\w+)", line):
            found.append(Function(match[1], arch, match[1] == kernel, 0, 0, 0))
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            found[-1].stack, found[-1].spilled = int(match[1]), int(match[2]) + int(match[3])
        elif match := re.search(r"Used (\d+) registers", line):
            next(f for f in reversed(found) if f.name == kernel).registers = int(match[1])
    names = "\n".join(f.name for f in found)
    demangled = subprocess.run(["c++filt"], input=names, capture_output=True, text=True, check=True).stdout
    for f, name in zip(found, demangled.splitlines(), strict=True):
        f.demangled = name
    return found


@functools.cache
def tool(name: str) -> str:
    """cuobjdump or nvdisasm: on the PATH, or from their Python packages."""
    if found := shutil.which(name):
        return found
    import nvidia

    found = [p for root in nvidia.__path__ for p in Path(root).glob(f"*/bin/{name}")]
    assert found, f"{name}: tests/requirements.txt names the package that brings it"
    return str(found[0])


def included(path: Path) -> set[Path]:
    """A file of the project and all others that it includes."""
    found, left = set(), [path]
    while left:
        path = left.pop()
        if path not in found:
            found.add(path)
            names = re.findall(r'^#include "([^"]+)"', path.read_text(), re.M)
            left += [(path.parent / name).resolve() for name in names]
    return found


def _key(source: str) -> str:
    """Changes with all that decides what nvcc makes of a source."""
    digest = hashlib.sha256()
    for path in sorted(included(ROOT / source)):
        digest.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    digest.update(repr((_version(), torch.__version__, _command())).encode())
    return digest.hexdigest()


@functools.cache
def _version() -> str:
    return subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout


def _command() -> list[str]:
    gencode = [f"-gencode=arch={a.replace('sm', 'compute')},code={a}" for a in architectures()]
    options = [*flags("NVCC_FLAGS"), flags("STABLE_ABI"), "-Xcompiler", "-fPIC", *torch_includes(), *gencode]
    return ["nvcc", *options, "-Xptxas", "-v", "-c"]


@functools.cache
def build(source: str) -> Build:
    """Compiles a source of SOURCES for all architectures, unless that has been done."""
    folder = FOLDER / Path(source).stem
    key = _key(source)
    return _kept(folder, key, functools.partial(_compile, source))


def build_changed(kernels: tuple[str, ...], headers: tuple[str, ...], changed: str, old: str, new: str) -> Build:
    """Compiles a few kernels, named as C++ does, for the emulated architecture, after a change of one header's text."""
    text = (ROOT / changed).read_text()
    assert text.count(old) == 1, f"{changed} has changed: it must hold this text once:\n{old}"
    lines = [f'#include "{header}"' for header in headers]
    lines += ["namespace fastiou {", f"void* const used[] = {{{', '.join(f'(void*)&{k}' for k in kernels)}}};", "}"]
    files = {path: path.read_bytes() for header in headers for path in included(ROOT / header)}
    files |= {ROOT / changed: text.replace(old, new).encode(), ROOT / "kernels.cu": "\n".join(lines).encode()}
    options = [
        "nvcc",
        *flags("NVCC_FLAGS"),
        f"-arch={EMULATED_ARCH}",
        *torch_includes(),
        "-Xptxas",
        "-v",
        "-cubin",
        "-I.",
    ]
    key = hashlib.sha256(repr((sorted(files.items()), options, _version())).encode()).hexdigest()

    def compile_copy(folder: Path) -> None:
        for path, content in files.items():
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        (folder / "log").write_text(_run_nvcc([*options, "kernels.cu", "-o", f"{EMULATED_ARCH}.cubin"], folder))
        _list(folder)

    return _kept(FOLDER / f"changed_{key[:16]}", key, compile_copy)


def _kept(folder: Path, key: str, make: Callable[[Path], None]) -> Build:
    """What `make` leaves in a folder, made again where its key has changed."""
    if not (folder / "key").exists() or (folder / "key").read_text() != key:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as new:
            make(Path(new))
            (Path(new) / "key").write_text(key)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(new, folder)
    return Build(folder)


def _run_nvcc(command: list[str], folder: Path) -> str:
    """What ptxas says."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def _compile(source: str, folder: Path) -> None:
    (folder / "log").write_text(_run_nvcc([*_command(), str(ROOT / source), "-o", "o"], folder))
    subprocess.run([tool("cuobjdump"), "-xelf", EMULATED_ARCH, "o"], cwd=folder, check=True, capture_output=True)
    [cubin] = folder.glob("*.cubin")
    cubin.rename(folder / f"{EMULATED_ARCH}.cubin")
    (folder / "o").unlink()
    _list(folder)


def _list(folder: Path) -> None:
    """The listing of a cubin."""
    env = {**os.environ, "PATH": os.pathsep.join([os.environ["PATH"], str(Path(tool("nvdisasm")).parent)])}
    with (folder / f"{EMULATED_ARCH}.sass").open("w") as listing:
        command = [tool("cuobjdump"), "-sass", f"{EMULATED_ARCH}.cubin"]
        subprocess.run(command, cwd=folder, stdout=listing, env=env, check=True)
