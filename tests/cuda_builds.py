"""The CUDA sources, compiled once for all tests that ask what nvcc makes of them, and kept in build/machine_code."""

from __future__ import annotations

import functools
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from build_flags import ROOT, flags, torch_includes

from machine_code import toolchain

SOURCES = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "csrc").rglob("*.cu"))
#: The architecture whose machine code the tests execute.
EMULATED_ARCH = "sm_90"
_skip_without_nvcc = pytest.mark.skipif(toolchain.missing() is not None, reason=str(toolchain.missing()))


def needs_nvcc(test):
    """Marks a test that compiles for minutes, and skips it where that cannot be done."""
    return pytest.mark.nvcc(_skip_without_nvcc(test))


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
    registers: int = 0
    stack: int = 0  # bytes, as the next ones
    spilled: int = 0
    demangled: str = ""


@dataclass
class Build:
    """What one nvcc call has left."""

    folder: Path

    @property
    def cubin(self) -> Path:
        return self.folder / f"{EMULATED_ARCH}.cubin"

    @property
    def listing(self) -> Path:
        return self.folder / f"{EMULATED_ARCH}.sass"

    @functools.cached_property
    def functions(self) -> list[Function]:
        return functions_of((self.folder / "log").read_text())


def functions_of(log: str) -> list[Function]:
    """What ptxas -v says, one architecture after the other."""
    found, kernel, arch = [], "", ""
    for line in log.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for '(\w+)'", line):
            kernel, arch = match.groups()
        elif match := re.search(r"Function properties for (\w+)", line):
            found.append(Function(match[1], arch, match[1] == kernel))
        elif match := re.search(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads", line):
            found[-1].stack, found[-1].spilled = int(match[1]), int(match[2]) + int(match[3])
        elif match := re.search(r"Used (\d+) registers", line):
            next(f for f in reversed(found) if f.name == kernel).registers = int(match[1])
    names = "\n".join(f.name for f in found)
    demangled = subprocess.run(["c++filt"], input=names, capture_output=True, text=True, check=True).stdout
    for f, name in zip(found, demangled.splitlines(), strict=True):
        f.demangled = name
    return found


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


@functools.cache
def build(source: str) -> Build:
    """Compiles a source of SOURCES for all architectures, unless that has been done."""
    gencode = [f"-gencode=arch={a.replace('sm', 'compute')},code={a}" for a in architectures()]
    options = [*flags("NVCC_FLAGS"), flags("STABLE_ABI"), "-Xcompiler", "-fPIC", *torch_includes(), *gencode]
    command = [toolchain.find("nvcc"), *options, "-Xptxas", "-v", "-c", str(ROOT / source)]
    key = toolchain.digest(*sorted(included(ROOT / source)), repr(command[:-1]), _versions())

    def compile_all(folder: Path) -> None:
        _run(command, folder)
        toolchain.said(toolchain.find("cuobjdump"), "-xelf", EMULATED_ARCH, "o", folder=folder)
        [cubin] = folder.glob("*.cubin")
        (folder / "o").unlink()
        _list(cubin)

    return Build(toolchain.kept(f"{Path(source).stem}-{key}", compile_all))


def build_changed(kernels: tuple[str, ...], headers: tuple[str, ...], changed: str, old: str, new: str) -> Build:
    """Compiles a few kernels, named as C++ does, for the emulated architecture, after a change of one header's text."""
    text = (ROOT / changed).read_text()
    assert text.count(old) == 1, f"{changed} has changed: it must hold this text once:\n{old}"
    lines = [f'#include "{header}"' for header in headers]
    lines += ["namespace fastiou {", f"void* const used[] = {{{', '.join(f'(void*)&{k}' for k in kernels)}}};", "}"]
    files = {path: path.read_text() for header in headers for path in included(ROOT / header)}
    files |= {ROOT / changed: text.replace(old, new), ROOT / "kernels.cu": "\n".join(lines)}
    options = [*flags("NVCC_FLAGS"), f"-arch={EMULATED_ARCH}", *torch_includes(), "-Xptxas", "-v", "-cubin", "-I."]
    command = [toolchain.find("nvcc"), *options, "kernels.cu"]
    key = toolchain.digest(repr(sorted(files.items())), repr(command), _versions())

    def compile_copy(folder: Path) -> None:
        for path, content in files.items():
            target = folder / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        _run(command, folder)
        _list(folder / "o")

    name = f"changed_{toolchain.digest(repr((kernels, changed, old, new)))}"
    return Build(toolchain.kept(f"{name}-{key}", compile_copy))


def _versions() -> str:
    return f"{toolchain.nvcc_version()} torch {torch.__version__}"


def _run(command: list[str], folder: Path) -> None:
    """Runs nvcc in a folder; what it makes is called o, what ptxas says is in a log."""
    (folder / "log").write_text(toolchain.said(*command, "-o", "o", folder=folder))


def _list(cubin: Path) -> None:
    """Leaves a cubin and its listing where Build looks for them."""
    cubin = cubin.rename(cubin.parent / f"{EMULATED_ARCH}.cubin")
    listing = toolchain.said(toolchain.find("cuobjdump"), "-sass", cubin.name, folder=cubin.parent)
    cubin.with_suffix(".sass").write_text(listing)
