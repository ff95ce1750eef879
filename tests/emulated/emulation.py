"""Builds CUDA kernels as C++ (emulation.h), with or without a sanitizer, and loads them.

What is built stays in build/emulated until one of its sources, the compiler or its options change.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build_flags import ROOT, alone, flags, torch_includes, torch_libraries

HERE = Path(__file__).parent
#: Undefined behaviour that kernels could have. It ends the process; no other sanitizer needs to be told.
UNDEFINED = "-fsanitize=" + ",".join(
    ["alignment", "bounds", "bool", "enum", "integer-divide-by-zero", "return", "shift", "signed-integer-overflow"]
)
#: By sanitizer: options for kernels, and for the engine, which is never looked into. Checks of addresses are calls, and
#: not on the stack, whose arrays are checked for bounds above: inline, they take three times as long to compile.
OPTIONS = {
    "undefined": ([UNDEFINED, "-fno-sanitize-recover=all"], []),
    "address": (
        ["-fsanitize=address", "--param=asan-instrumentation-with-call-threshold=0", "--param=asan-stack=0"],
        ["-DEMULATED_WITH_ASAN", "-DEMULATED_FOR_SANITIZERS"],
    ),
    "thread": (
        ["-fsanitize=thread", "--param=tsan-distinguish-volatile=1"],
        ["-DEMULATED_WITH_TSAN", "-DEMULATED_FOR_SANITIZERS"],
    ),
}
#: What the variable chooses for a whole run: address and thread want their runtime library preloaded (sanitized_run).
SANITIZER = os.environ.get("FASTIOU_EMULATION", "undefined")


@functools.cache
def _compiler() -> list[str]:
    own = ["-O1", "-fPIC", "-pthread", "-Wall", "-Wno-unknown-pragmas", "-Wno-sign-compare"]
    return ["g++", *flags("CXX_FLAGS"), *own, flags("STABLE_ABI"), *torch_includes()]


@functools.cache
def _compiler_version() -> str:
    return subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True).stdout


def _digest(command: list[str], dependencies: list[str]) -> str:
    h = hashlib.sha256("\0".join([_compiler_version(), *map(str, command)]).encode())
    for path in dependencies:
        h.update(Path(path).read_bytes())
    return h.hexdigest()


def _make(command: list[str], target: Path, inputs: list[Path] | None = None) -> Path:
    """Runs a command that writes `target`, unless it and all that it has read are as they were.

    Without `inputs` the compiler says what it has read.
    """
    key, depends = (target.with_suffix(target.suffix + end) for end in (".key", ".d"))

    def digest() -> str:
        read = inputs or depends.read_text().replace("\\\n", " ").split(":", 1)[1].split()
        return _digest(command, [path for path in map(str, read) if not path.startswith("/usr/")])

    def is_made() -> bool:
        with contextlib.suppress(OSError):
            return target.exists() and key.read_text() == digest()
        return False

    with alone(target):
        if is_made():
            return target
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            written = Path(folder) / target.name
            more = [] if inputs else ["-MMD", "-MF", depends]
            subprocess.run([*command, *more, "-o", written], check=True)
            os.replace(written, target)
        key.write_text(digest())
    return target


@functools.cache
def build(source: str, sanitizer: str = SANITIZER) -> Path:
    """The library of a file beside this one."""
    folder = ROOT / "build" / "emulated" / sanitizer
    for_kernels, for_all = OPTIONS[sanitizer]
    compile_ = [*_compiler(), *for_all, "-c"]
    engine = _make([*compile_, HERE / "engine.cpp"], folder / "engine.o")
    kernels = _make([*compile_, *for_kernels, HERE / source], folder / f"{Path(source).stem}.o")
    link = ["g++", "-shared", "-pthread", for_kernels[0], kernels, engine, *torch_libraries()]
    return _make(link, folder / f"{Path(source).stem}.so", [kernels, engine])


def build_all(sources: list[str], sanitizer: str) -> None:
    """On all cores."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda source: build(source, sanitizer), sources))


_loaded: dict[str, ctypes.CDLL] = {}
_seed = 0


@functools.cache
def load_emulation(source: str) -> None:
    """Loads the operators of a file beside this one."""
    import torch

    path = str(build(source))
    torch.ops.load_library(path)
    _loaded[path] = ctypes.CDLL(path)
    seed_emulations(_seed)


def seed_emulations(seed: int) -> None:
    """Chooses the order of threads and blocks in all launches from now on."""
    global _seed
    _seed = seed
    for library in _loaded.values():
        library.set_emulation_seed(ctypes.c_uint64(seed))


def libraries() -> dict[str, ctypes.CDLL]:
    """Those that are loaded, by their paths."""
    return _loaded
