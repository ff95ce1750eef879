"""Every kernel under AddressSanitizer, and under ThreadSanitizer with a thread of its own for each CUDA thread.

Undefined behaviour is looked for in all tests of this folder.
"""

import json

import pytest
import sanitized
from emulation import build_all
from launches import launch_bounds, project_kernels
from samples import LIBRARIES

import fastiou

pytestmark = pytest.mark.skipif(fastiou.backend() == "fallback", reason="there are no headers of torch to compile with")


@pytest.mark.parametrize("sanitizer", ["thread", "address"])
def test_every_kernel_is_clean_in_blocks_of_full_size(sanitizer):
    if reason := sanitized.why_not(sanitizer):
        pytest.skip(reason)
    build_all(LIBRARIES, sanitizer)
    done = sanitized.run(sanitizer, sanitized.HERE / "run_samples.py", 1)
    assert done.returncode == 0 and "Sanitizer" not in done.stderr, done.stderr[-8000:]
    launched, bounds = json.loads(done.stdout), project_kernels()
    missing = bounds.keys() - launched.keys()
    assert not missing, f"no call in samples.py runs {', '.join(sorted(missing))}"
    assert launched == bounds


def test_kernels_are_found_in_code():
    """A new one, which no sample runs, is missed above."""
    new = "__global__ void __launch_bounds__(kNew) first_kernel(int* x) {}"
    newer = (
        "template <int k, Real T>\n__global__ void __launch_bounds__(kNew, kAtOnce<T>)\n    second_kernel(const T x) {}"
    )
    bounds = launch_bounds(
        f"constexpr int kWarps = 3;  // of a block\nconstexpr int kNew = 32 * kWarps;\n{new}\n{newer}"
    )
    assert bounds == {"first_kernel": 96, "second_kernel": 96}
