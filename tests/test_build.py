"""The compiled parts: registry, vectorisation, CUDA compilation, the install without them, the command line."""

import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cuda_builds
import pytest
import torch
from axes import KINDS
from build_flags import ROOT, flags, torch_includes
from cuda_builds import needs_nvcc

import fastiou
from fastiou import _names, cli, reference
from fastiou._ops import kernels
from fastiou.info import kinds_table

TESTS = Path(__file__).parent
compiled = pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled")


@compiled
def test_reference_has_every_kind_of_the_registry():
    assert tuple(kernels.core.kinds()) == tuple(reference.KINDS) == KINDS
    assert tuple(kernels.core.pairwise_kinds()) == tuple(reference.PAIRWISE_KINDS) == fastiou.pairwise_kinds()
    assert tuple(kernels.core.formats()) == _names.FORMATS == fastiou.formats()


@compiled
def test_core_needs_no_torch():
    code = (
        "import sys, importlib.util; s = importlib.util.spec_from_file_location('fastiou._core', sys.argv[1]);"
        "m = importlib.util.module_from_spec(s); s.loader.exec_module(m);"
        "print(m.kinds(), 'torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code, kernels.core.__file__], capture_output=True, text=True)
    assert answer.stdout.strip() == f"{list(KINDS)} False", answer.stderr


SCORES = len(KINDS) - 2 + 1  # two kinds share the score of a third, one is a score alone
#: By source: header, function and the number of its vector loops, float and double.
VECTOR_LOOPS = {
    "pair_loss_cpu.cpp": [("pair_loss_cpu.h", "evaluate_tile", len(KINDS) * 2 * 3)],  # without gradient, one, both
    "pairwise_cpu.cpp": [
        ("box_set_cpu.h", "score_plain", SCORES * 2 * 2),  # lanes first, lanes second
        ("pairwise_backward_cpu.h", "add_plain_lanes", SCORES * 2 * 2),
    ],
}


@compiled
@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="asks for x86 vectors")
@pytest.mark.parametrize(
    "source, arch, width",
    [
        ("pair_loss_cpu.cpp", "x86-64-v3", 32),
        ("pair_loss_cpu.cpp", "x86-64", 16),
        ("pairwise_cpu.cpp", "x86-64-v3", 32),
    ],
)
def test_the_cpu_loops_are_vectorised(tmp_path, source, arch, width):
    """The compiler's own report: the loops of every kind and dtype, with AVX2 and with SSE2."""
    report = tmp_path / "report"
    command = ["g++", *flags("CXX_FLAGS"), flags("STABLE_ABI"), "-fPIC", *torch_includes(), "-c"]
    one_clone = [f"-march={arch}", "-DFASTIOU_CLONES=__attribute__((noinline))", f"-fopt-info-vec-optimized={report}"]
    subprocess.run([*command, *one_clone, ROOT / "csrc" / "ops" / source, "-o", tmp_path / "o"], check=True)
    for header, function, least in VECTOR_LOOPS[source]:
        lines = (ROOT / "csrc" / "kernels" / header).read_text().splitlines()
        start = next(i for i, text in enumerate(lines, 1) if f" {function}(" in text)
        line = next(i for i, text in enumerate(lines[start:], start + 1) if "for (int64_t j = " in text)
        found = re.findall(
            rf"{re.escape(header)}:{line}:\d+: optimized: loop vectorized using {width} byte", report.read_text()
        )
        assert len(found) >= least, f"{function}: {len(found)} of {least} loops are vectorised"


@needs_nvcc
@pytest.mark.parametrize("source", cuda_builds.SOURCES)
def test_cuda_sources_compile_for_architectures(source):
    """For the oldest, the one whose code is emulated and the newest: without a GPU, and against any torch."""
    functions = cuda_builds.build(source).functions
    assert {f.arch for f in functions if f.is_kernel} == set(cuda_builds.architectures())


@needs_nvcc
@pytest.mark.parametrize("source", cuda_builds.SOURCES)
def test_float_kernels_hold_everything_in_registers(source):
    """No stack and nothing spilled. A function for rare rows that kernels call, and do not inline, may have a frame."""
    kernels = [f for f in cuda_builds.build(source).functions if f.is_kernel and "double" not in f.demangled]
    assert kernels
    in_memory = [(f.demangled, f.arch, f.stack, f.spilled) for f in kernels if f.stack or f.spilled]
    assert not in_memory


@needs_nvcc
def test_aligned_losses_leave_room_for_32_warps():
    """On a multiprocessor with 65,536 registers, which come by eight for each thread of a warp."""
    functions = cuda_builds.build("csrc/ops/pair_loss_cuda.cu").functions
    kernels = [f for f in functions if f.is_kernel and "double" not in f.demangled]
    assert len({f.demangled for f in kernels}) >= len(KINDS) * 3
    warps = {(f.demangled, f.arch): 65536 // (-(-f.registers // 8) * 8 * 32) for f in kernels}
    assert not {name: n for name, n in warps.items() if n < 32}


def run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    env = {**os.environ, **environment}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, env=env, cwd=TESTS)


#: Those that take longest are started first.
FALLBACK_TESTS = (
    "test_rotated_torch.py",
    "test_torch.py",
    "test_pairwise_torch.py",
    "test_pixels_loss.py",
    "test_nms.py",
    "test_rotated_sets.py",
    "test_numpy.py",
    "test_pixels_torch.py",
    "test_rotated_boxes.py",
    "test_pixels.py",
    "test_matching.py",
    "test_losses.py",
    "test_pairwise.py",
    "test_reduction.py",
    "test_numpy_process.py",
    "test_angle_labels.py",
    "test_degenerate.py",
    "test_golden.py",
    "test_pixels_errors.py",
    "test_rotated_errors.py",
    "test_errors.py",
    "test_nms_torch.py",
)


@compiled
@pytest.mark.parametrize("file", FALLBACK_TESTS)
def test_the_fallback_passes_the_same_tests(file):
    """In a process without kernels."""
    options = "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"
    done = run_python(*options, file, FASTIOU_NATIVE="0")
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"\d+ passed", done.stdout) and "error" not in done.stdout.lower().splitlines()[-1]


def test_the_fallback_warns_once():
    code = (
        "import warnings, torch\n"
        "with warnings.catch_warnings(record=True) as w:\n"
        "    warnings.simplefilter('always')\n"
        "    import fastiou\n"
        "    for _ in range(3): fastiou.iou_loss(torch.rand(2, 4), torch.rand(2, 4))\n"
        "print(len([x for x in w if 'fastiou' in str(x.message)]), w[-1].message, w[-1].filename)"
    )
    answer = run_python("-c", code, FASTIOU_NATIVE="0").stdout
    assert answer.startswith("1 fastiou: no compiled kernels for cpu (switched off by FASTIOU_NATIVE=0)")
    assert answer.strip().endswith("<string>")  # it points at the caller


def test_info():
    done = run_python("-m", "fastiou", "info")
    assert done.returncode == 0 and "self-check against the reference ok" in done.stdout
    assert torch.__version__ in done.stdout and "ciou" in done.stdout
    done = run_python("-m", "fastiou", "info", FASTIOU_NATIVE="0")
    assert done.returncode == 0 and "plain PyTorch: switched off by FASTIOU_NATIVE=0" in done.stdout


def test_info_fails_where_the_kernels_are_wrong(monkeypatch, capsys):
    wrong = fastiou.reference.row_loss
    monkeypatch.setattr(fastiou, "iou_loss", lambda p, t, kind, eps: wrong(p, t, kind, eps) * 1.001)
    assert cli.main(["info"]) == 1
    assert "FAILED" in capsys.readouterr().out


def test_the_pages_list_the_kinds():
    """The table between the marks is `fastiou kinds`."""
    page = (ROOT / "docs" / "losses.md").read_text()
    table = page.split("<!-- kinds:begin -->")[1].split("<!-- kinds:end -->")[0]
    assert table.strip() == kinds_table()


def test_command_line(capsys):
    assert cli.main(["kinds"]) == 0 and capsys.readouterr().out.strip() == kinds_table()
    assert cli.main(["--help"]) == 0 and "usage: fastiou" in capsys.readouterr().out
    assert cli.main([]) == 2 and "usage: fastiou" in capsys.readouterr().err
    assert cli.main(["frobnicate"]) == 2
