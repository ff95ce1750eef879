"""Builds fastiou with its CUDA kernels into a folder, and remembers there what for."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

STAMP = "built.json"


def library(root: Path) -> Path:
    """Where the library of a checkout is built."""
    return root / "build" / "gpu" / "lib"


def build(root: Path, archs: str) -> int:
    """Compiles everything for these architectures, on all cores; the exit code of the build."""
    environment = {"FASTIOU_NATIVE": "1", "FASTIOU_CUDA": "1", "TORCH_CUDA_ARCH_LIST": archs}
    environment.setdefault("MAX_JOBS", os.environ.get("MAX_JOBS", str(os.cpu_count() or 1)))
    lib = library(root)
    (lib / STAMP).unlink(missing_ok=True)
    code = _setup(root, environment, "build", "--force", "--build-temp", "build/gpu/temp", "--build-lib", str(lib))
    if code == 0:
        (lib / STAMP).write_text(json.dumps(facts(root, archs), indent=1) + "\n")
    return code


def refresh(root: Path) -> int:
    """Copies the Python files of a checkout beside libraries that were compiled from the same sources."""
    return _setup(root, {"FASTIOU_NATIVE": "0"}, "build_py", "--force", "--build-lib", str(library(root)))


def _setup(root: Path, environment: dict[str, str], *arguments: str) -> int:
    command = [sys.executable, "setup.py", "-q", *arguments]
    return subprocess.run(command, cwd=root, env={**os.environ, **environment}, stdin=subprocess.DEVNULL).returncode


def facts(root: Path, archs: str) -> dict[str, str]:
    """What a build made now is made of and for."""
    import torch

    return {
        "sources": digest(root),
        "machine": platform.machine(),
        "python": f"{sys.implementation.cache_tag}",
        "torch": torch.__version__,
        "archs": archs,
    }


def digest(root: Path) -> str:
    """A number for all that is compiled."""
    total = hashlib.sha256()
    for path in sorted([root / "setup.py", *(p for p in (root / "csrc").rglob("*") if p.is_file())]):
        total.update(str(path.relative_to(root)).encode() + b"\0" + path.read_bytes() + b"\0")
    return total.hexdigest()[:16]


def why_unfit(root: Path, arch: str) -> str | None:
    """The reason why what was built before is not for this machine, or None if it is."""
    try:
        built = json.loads((library(root) / STAMP).read_text())
    except (OSError, ValueError):
        return "no library was carried here"
    if built.get("sources") != digest(root):
        return "the carried library is of other sources"
    if built.get("machine") != platform.machine() or built.get("python") != sys.implementation.cache_tag:
        return f"the carried library is for {built.get('machine')}, {built.get('python')}"
    if arch not in re.split(r"[;+ ]", built.get("archs", "")):
        return f"the carried library is for {built.get('archs')}, this card is {arch}"
    return None


def strip(root: Path) -> None:
    """Removes symbols that nothing needs, to keep what is carried small; does nothing where that tool is missing."""
    if shutil.which("strip"):
        for path in library(root).rglob("*.so"):
            subprocess.run(["strip", "--strip-unneeded", str(path)], check=True)


def needed_versions(path: Path) -> str:
    """The newest versions of the C and C++ libraries that a compiled file asks for."""
    content = path.read_bytes()
    newest = []
    for name in (b"GLIBC", b"GLIBCXX"):
        versions = {tuple(map(int, v.split(b"."))) for v in re.findall(rb"\0" + name + rb"_(\d+(?:\.\d+)+)", content)}
        newest += [f"{name.decode()} {'.'.join(map(str, max(versions)))}"] if versions else []
    return ", ".join(newest)
