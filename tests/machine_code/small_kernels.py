"""The emulator's own test kernels: kernels/*.cu, built, in a machine."""

import pytest

from machine_code import toolchain
from machine_code.driver import Machine

KERNELS = toolchain.HERE / "kernels"
SEEDS = range(4)  # 0 is the natural order
needs_machine_code = pytest.mark.skipif(toolchain.missing() is not None, reason=str(toolchain.missing()))


def build(name: str) -> toolchain.Built:
    return toolchain.compile(KERNELS / f"{name}.cu", depends=(KERNELS,))


def machine(*names: str, **options) -> Machine:
    """A machine with the kernels of some sources."""
    return Machine(*map(build, names), **options)
