"""That nothing was left out."""

from pathlib import Path

import cuda_builds
import pytest
from machine_operators import EXECUTED


def test_every_kernel_was_run(request):
    """The last test: every kernel of every source was executed by the tests before it."""
    if not EXECUTED:
        pytest.skip("no machine code was executed")
    files = {path.name for path in Path(__file__).parent.glob("test_code_*.py")}
    of_session = {item.path.name for item in request.session.items}
    left_out = getattr(request.config, "some_tests_are_left_out", False) or any("::" in a for a in request.config.args)
    if files - of_session or left_out:
        pytest.skip("not all tests of machine code are run")
    functions = [f for source in cuda_builds.SOURCES for f in cuda_builds.build(source).functions]
    kernels = {f.name: f.demangled for f in functions if f.is_kernel and f.arch == cuda_builds.EMULATED_ARCH}
    assert len(kernels) > 200
    assert not sorted(name for mangled, name in kernels.items() if mangled not in EXECUTED)
