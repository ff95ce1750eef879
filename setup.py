"""Builds fastiou: one pybind11 module, one CPU library, and one CUDA library where there is a CUDA compiler.

FASTIOU_NATIVE=auto|0|1   0: pure Python. 1: fail if there is no C++ compiler. auto: compile if there is one.
FASTIOU_CUDA=auto|0|1     0: CPU only. 1: fail if CUDA cannot be built. auto: build it if possible.
TORCH_CUDA_ARCH_LIST      CUDA architectures, see DEFAULT_ARCHS below. A GPU is neither needed nor looked for.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Extension, setup

DEFAULT_ARCHS = "7.5;8.0;8.6;8.9;9.0;10.0;12.0+PTX"
# The oldest torch whose stable ABI the libraries use: built once, they run on this and any later one.
STABLE_ABI = "-DTORCH_TARGET_VERSION=0x020a000000000000"
# Loops vectorise without errno, traps and the sign of zero. No contraction: a product must be the same number wherever
# a formula needs it (csrc/math/scalar.h). No -ffast-math: NaN and infinity keep their meaning.
MATH_FLAGS = ["-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-ffp-contract=off"]
CXX_FLAGS = ["-O3", "-g0", "-std=c++20", "-fvisibility=hidden", *MATH_FLAGS]
NVCC_FLAGS = ["-O3", "-std=c++20", "-DUSE_CUDA", "--threads=2", "-Xcompiler", "-fvisibility=hidden"]


def switch(name: str) -> str:
    value = os.environ.get(name, "auto")
    if value not in ("auto", "0", "1"):
        raise SystemExit(f"{name}: expected auto, 0 or 1, got {value!r}")
    return value


def cxx_version() -> str | None:
    compiler = (os.environ.get("CXX") or "g++").split()
    try:
        return subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[
            0
        ]
    except (OSError, subprocess.CalledProcessError):
        return None


def nvcc_says(*arguments: str) -> str:
    """What nvcc prints; empty if there is none."""
    from torch.utils.cpp_extension import CUDA_HOME

    nvcc = Path(CUDA_HOME or "") / "bin" / "nvcc"
    if not nvcc.exists():
        return ""
    done = subprocess.run([nvcc, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout


def cuda_runtime() -> Path | None:
    """The static CUDA runtime in the folders where nvcc itself would look for it."""
    libraries = re.search(r"LIBRARIES=(.*)", nvcc_says("--dryrun", "none.cu"))
    folders = re.findall(r'-L([^\s"]+)', libraries[1] if libraries else "")
    return next((path for folder in folders if (path := Path(folder) / "libcudart_static.a").exists()), None)


def known_archs() -> str:
    """DEFAULT_ARCHS as far as this nvcc knows them, with PTX for the newest."""
    known = set(re.findall(r"compute_(\d+)", nvcc_says("--list-gpu-arch")))
    default = [arch.removesuffix("+PTX") for arch in DEFAULT_ARCHS.split(";")]
    return ";".join(arch for arch in default if arch.replace(".", "") in known) + "+PTX"


def why_no_cuda() -> str | None:
    """The reason why CUDA cannot be built here, or None if it can."""
    import torch

    if torch.version.cuda is None:
        return "the torch built against is a CPU build"
    release = re.search(r"release (\d+)", nvcc_says("--version"))
    if not release:
        return "there is no nvcc"
    if release[1] != torch.version.cuda.split(".")[0]:
        return f"nvcc {release[1]} does not fit torch's CUDA {torch.version.cuda}"
    if cuda_runtime() is None:
        return "nvcc has no libcudart_static.a"
    return None


def wants_cuda() -> tuple[bool, str]:
    """Whether CUDA is to be built, and what to remember about it."""
    choice = switch("FASTIOU_CUDA")
    if choice == "0":
        return False, "no: FASTIOU_CUDA=0"
    reason = why_no_cuda()
    if reason is None:
        os.environ["TORCH_CUDA_ARCH_LIST"] = os.environ.get("TORCH_CUDA_ARCH_LIST") or known_archs()
        return True, f"yes: for {os.environ['TORCH_CUDA_ARCH_LIST']}"
    if choice == "1":
        raise SystemExit(f"FASTIOU_CUDA=1, but {reason}")
    return False, f"no: {reason}"


def torch_library(name: str, device: str) -> Extension:
    """A library of operators that torch loads: no Python in it, so it fits every Python version."""
    from torch.utils.cpp_extension import include_paths, library_paths

    sources = {
        "cpu": [
            "schema.cpp",
            "pair_loss_cpu.cpp",
            "rotated_stages.cpp",
            "rotated_stages_double.cpp",
            "rotated_loss_cpu.cpp",
            "pixel_loss_cpu.cpp",
            "pairwise_cpu.cpp",
            "pixel_pairwise_cpu.cpp",
            "max_iou_cpu.cpp",
            "nms_cpu.cpp",
        ],
        "cuda": [
            "pair_loss_cuda.cu",
            "rotated_loss_cuda.cu",
            "pixel_loss_cuda.cu",
            "pairwise_cuda.cu",
            "pixel_pairwise_cuda.cu",
            "max_iou_cuda.cu",
            "nms_cuda.cu",
        ],
    }[device]
    system = [flag for path in include_paths(device) for flag in ("-isystem", path)]
    return Extension(
        name,
        [f"csrc/ops/{source}" for source in sources],
        library_dirs=library_paths(device),
        libraries={"cpu": ["c10", "torch", "torch_cpu"], "cuda": ["c10", "torch", "torch_cpu", "torch_cuda"]}[device],
        # The CUDA runtime is linked statically: the library does not care which one torch brings.
        extra_link_args=[str(cuda_runtime()), "-lrt", "-ldl", "-lpthread"] if device == "cuda" else [],
        extra_compile_args={"cxx": [*CXX_FLAGS, STABLE_ABI, *system], "nvcc": [*NVCC_FLAGS, STABLE_ABI, *system]},
        depends=[str(path) for path in Path("csrc").rglob("*.*h")],
        py_limited_api=True,
        language="c++",
    )


def core_module(facts: dict[str, str]) -> Extension:
    """The module that needs no torch: registry, build facts, NumPy kernels. It takes headers of torch, no library."""
    import pybind11
    from torch.utils.cpp_extension import include_paths

    includes = [pybind11.get_include(), *include_paths("cpu")]
    return Extension(
        "fastiou._core",
        [f"csrc/python/{source}" for source in ("module.cpp", "pairwise.cpp", "max_iou.cpp", "nms.cpp")],
        define_macros=[(name, f'"{value}"') for name, value in facts.items()],
        extra_compile_args={"cxx": [*CXX_FLAGS, "-pthread", *(f for path in includes for f in ("-isystem", path))]},
        extra_link_args=["-pthread"],
        depends=[str(path) for path in Path("csrc").rglob("*.h")],
        language="c++",
    )


def native() -> dict:
    """The setup() arguments of the compiled parts; none in a pure-Python installation."""
    choice = switch("FASTIOU_NATIVE")
    compiler = None if choice == "0" else cxx_version()
    if compiler is None:
        if choice == "1":
            raise SystemExit("FASTIOU_NATIVE=1, but there is no C++ compiler (set CXX to name one)")
        if choice == "auto":
            print("fastiou: no C++ compiler found: installing without compiled kernels (plain PyTorch, slower)")
        return {}

    import torch
    from torch.utils.cpp_extension import BuildExtension

    # The ninja of the environment that runs this, whether or not it is activated.
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    cuda, cuda_note = wants_cuda()
    print(f"fastiou: compiling for CPU: yes, for CUDA: {cuda_note}")
    facts = {"FASTIOU_COMPILER": compiler, "FASTIOU_TORCH": torch.__version__, "FASTIOU_CUDA_BUILD": cuda_note}
    libraries = [torch_library("fastiou.libfastiou_cpu", "cpu")]
    if cuda:
        libraries.append(torch_library("fastiou.libfastiou_cuda", "cuda"))
    build_ext = BuildExtension.with_options(use_ninja=shutil.which("ninja") is not None)
    return {"ext_modules": [core_module(facts), *libraries], "cmdclass": {"build_ext": build_ext}}


setup(**native())
