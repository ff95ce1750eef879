"""Every kernel under AddressSanitizer, and under ThreadSanitizer with a thread of its own for each CUDA thread.

Undefined behaviour is looked for in all tests of this folder.
"""

import json
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from emulation import HERE, build, launch_bounds
from sanitized import run, why_not

import fastiou

pytestmark = pytest.mark.skipif(fastiou.backend() == "fallback", reason="the kernels' names of kinds are not known")
SANITIZERS = ("address", "thread")


def run_samples(sanitizer: str):
    for source in ("cuda", "nms", "pixels", "rotated", "sets"):
        build(f"emulated_{source}.cpp", sanitizer)
    return run(sanitizer, HERE / "run_samples.py")


@pytest.fixture(scope="module")
def runs() -> dict[str, Future]:
    """Both at a time."""
    with ThreadPoolExecutor() as pool:
        yield {sanitizer: pool.submit(run_samples, sanitizer) for sanitizer in SANITIZERS if not why_not(sanitizer)}


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_every_kernel_is_clean(runs, sanitizer):
    if sanitizer not in runs:
        pytest.skip(why_not(sanitizer))
    done = runs[sanitizer].result()
    assert done.returncode == 0 and "Sanitizer" not in done.stderr, done.stderr[-8000:]
    launched, bounds = json.loads(done.stdout), launch_bounds()
    assert launched.keys() == bounds.keys()
    assert all(threads <= bounds[name] for name, threads in launched.items())
