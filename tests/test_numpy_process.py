"""``fastiou.numpy`` in its process: threads, the GIL, forks, and an import without torch."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from test_numpy import compiled, numpy_boxes

import fastiou.numpy as fn


@compiled
def test_threads():
    boxes = numpy_boxes(2000)
    one = fn.box_iou(boxes, boxes, "ciou", threads=1)
    for threads in (2, 7, np.int64(3), None):
        np.testing.assert_array_equal(fn.box_iou(boxes, boxes, "ciou", threads=threads), one)


@pytest.mark.skipif(not shutil.which("g++"), reason="needs g++")
def test_tasks_and_exceptions(tmp_path):
    command = [
        "g++",
        "-std=c++20",
        "-O1",
        "-pthread",
        Path(__file__).parent / "threads.cpp",
        "-o",
        tmp_path / "threads",
    ]
    subprocess.run(command, check=True)
    done = subprocess.run([tmp_path / "threads"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


@compiled
@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sched_setaffinity")
def test_threads_are_for_the_cores_that_may_be_used():
    """Without ``threads`` and on one core no thread is started."""
    code = (
        "import os, threading, fastiou.numpy as fn, numpy as np\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "b = np.random.default_rng(0).random((40_000, 4)); g = b[:500]\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "t = threading.Thread(target=lambda: fn.max_iou(b, g, 'ciou')); t.start(); most = 0\n"
        "while t.is_alive(): most = max(most, len(os.listdir('/proc/self/task')))\n"
        "print(most - before)"
    )
    assert fresh(code) == "1\n"


def long_call(threads: int) -> threading.Thread:
    """Some 100 ms of work and next to no memory, for a thread of its own."""
    boxes, gts = numpy_boxes(60_000), numpy_boxes(1000, seed=1)
    return threading.Thread(target=lambda: fn.max_iou(boxes, gts, "ciou", threads=threads))


@compiled
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs /proc")
def test_threads_are_as_many_as_asked_for():
    """Seen from outside while it works; none is left behind."""

    def count() -> int:
        return len(os.listdir("/proc/self/task"))

    before = count()
    for threads in (1, 3):
        caller = long_call(threads)
        caller.start()
        most = 0
        while caller.is_alive():
            most = max(most, count())
        assert most - before == threads  # the caller among them
        deadline = time.monotonic() + 10
        while count() > before:  # a thread that has ended is listed for a moment
            assert time.monotonic() < deadline


@compiled
def test_the_gil_is_released():
    """While a call runs, this thread goes on: with the GIL held it would stand still until the end."""

    def longest_gap() -> float:
        """As a share of the whole time."""
        caller = long_call(threads=1)
        ticks = [time.perf_counter()]
        caller.start()
        while caller.is_alive():
            ticks.append(time.perf_counter())
        ticks.append(time.perf_counter())
        return np.diff(ticks).max() / (ticks[-1] - ticks[0])

    assert min(longest_gap() for _ in range(3)) < 0.5


@compiled  # torch's threads do not survive a fork
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_after_threads():
    """In a fresh interpreter, because the libraries of this one may not survive a fork."""
    code = (
        "import os, numpy as np, fastiou.numpy as fn\n"
        "b = np.random.default_rng(0).random((2000, 4)); a = fn.box_iou(b, b, threads=2)\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0 if (fn.box_iou(b, b, threads=2) == a).all() else 1)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), (fn.box_iou(b, b, threads=2) == a).all())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["0", "True"], done.stderr


def fresh(code: str, **environment: str) -> str:
    env = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_without_torch():
    code = "import sys, fastiou.numpy as fn; "
    assert fresh(code + "print('torch' in sys.modules)") == "False\n"
    if fn.core is not None:
        call = "fn.box_iou([[0, 0, 2, 2]], [[0, 0, 2, 1]])"
        assert fresh(code + f"print({call}, 'torch' in sys.modules)") == "[[0.5]] False\n"


def test_import_is_quick():
    code = "import time, numpy; t = time.perf_counter(); import fastiou.numpy; print(time.perf_counter() - t)"
    assert min(float(fresh(code)) for _ in range(5)) < 0.1


def test_without_compiled_parts():
    """The torch functions do the work; the warning points at the caller."""
    code = (
        "import sys, warnings\n"
        "import fastiou.numpy as fn\n"
        "with warnings.catch_warnings(record=True) as w:\n"
        "    warnings.simplefilter('always')\n"
        "    for _ in range(3): fn.box_iou([[0, 0, 2, 2]], [[0, 0, 2, 1]])\n"
        "print(fn.box_iou([[0, 0, 2, 2]], [[0, 0, 2, 1]]), 'torch' in sys.modules)\n"
        "w = [x for x in w if 'fastiou' in str(x.message)]\n"
        "print(len(w), w[0].category.__name__, w[0].filename)"
    )
    assert fresh(code, FASTIOU_NATIVE="0") == "[[0.5]] True\n1 RuntimeWarning <string>\n"
