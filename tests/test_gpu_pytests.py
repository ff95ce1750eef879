"""The stage of the GPU check that runs tests: none stops another, and a list that was cut off goes on."""

import os
import subprocess
import sys
import time

from fastiou.benchmarks.gpu import context, table

TESTS = """
import os, signal, time
import pytest

gpu = pytest.mark.skipif(False, reason="no CUDA device here")


@gpu
def test_passes(): print("not to be seen")


@gpu
@pytest.mark.parametrize("i", range(9))
def test_many(i): pass


@gpu
def test_fails(): assert 1 == 2, "one is not two"


@gpu
def test_crashes(): os.kill(os.getpid(), signal.SIGSEGV)


@gpu
def test_skips(): pytest.skip("not now")


@gpu
@pytest.mark.large
def test_large(): pass


def test_of_a_cpu(): assert False
"""


def start_tests(root, out, which="most", seconds=60.0, again=False, device="cpu"):
    (root / "pyproject.toml").write_text("[tool.pytest.ini_options]\nmarkers = ['large: -']\n")
    here = context.Context(root, out, device, again=again, deadline=time.time() + seconds)
    environment = {**os.environ, **here.environment()}
    command = [sys.executable, "-m", "fastiou.benchmarks.gpu.pytests", which]
    return subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True)


def test_no_test_stops_another(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_cuda_fake.py").write_text(TESTS)
    (tmp_path / "tests" / "test_broken.py").write_text("import nonsense  # CUDA device\n")
    done = start_tests(tmp_path, tmp_path)
    found = {r["test"].split("::")[-1]: r for r in table.read(tmp_path / "tests.csv")}
    outcomes = {name: r["outcome"] for name, r in found.items()}
    assert outcomes.pop("tests/test_broken.py") == "error"
    assert outcomes == {
        "test_passes": "passed",
        **{f"test_many[{i}]": "passed" for i in range(9)},
        "test_fails": "failed",
        "test_crashes": "crashed",
        "test_skips": "skipped",
    }
    assert found["test_fails"]["note"].startswith("E AssertionError: one is not two")
    assert done.returncode == 1 and "one is not two" in done.stderr
    assert done.stdout.splitlines()[-1] == "1 crashed, 1 error, 1 failed, 10 passed, 1 skipped"
    done = start_tests(tmp_path, tmp_path, "large")
    assert done.stdout.splitlines()[-1] == "1 passed" and done.returncode == 0
    assert table.read(tmp_path / "tests.csv")[-1]["test"].endswith("test_large")


SLOW = """
import time
import pytest


@pytest.mark.skipif(False, reason="no CUDA device here")
@pytest.mark.parametrize("i", range(40))
def test_slow(i): time.sleep(0.01 if i < 20 or {quick} else 60)
"""


def test_a_list_that_was_cut_off_goes_on(tmp_path):
    (tmp_path / "tests").mkdir()
    path = tmp_path / "tests" / "test_cuda_slow.py"
    path.write_text(SLOW.format(quick=False))
    start = time.monotonic()
    done = start_tests(tmp_path, tmp_path, seconds=20)
    assert time.monotonic() - start < 25 and done.returncode == 1
    first = [row["test"] for row in table.read(tmp_path / "tests.csv")]
    assert first and "were cut off: the rest by STAGES=tests" in done.stdout
    path.write_text(SLOW.format(quick=True))
    done = start_tests(tmp_path, tmp_path, again=True)
    both = [row["test"] for row in table.read(tmp_path / "tests.csv")]
    assert done.returncode == 0 and len(both) == len(set(both)) == 40 and both[: len(first)] == first
    assert done.stdout.strip() == f"{40 - len(first)} passed"


def test_tests_that_are_all_skipped_on_a_gpu_did_not_pass(tmp_path):
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_cuda_none.py").write_text(
        "import pytest\n@pytest.mark.skipif(True, reason='no CUDA device here')\ndef test_it(): pass\n"
    )
    assert start_tests(tmp_path, tmp_path).returncode == 0
    done = start_tests(tmp_path, tmp_path, device="cuda")
    assert done.returncode == 1 and done.stdout.strip() == "1 skipped"
