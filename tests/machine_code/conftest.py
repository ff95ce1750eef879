"""What executes machine code needs nvcc and g++, and compiled kernels to compare with."""

import platform
from pathlib import Path

import pytest
from machine_operators import Operators

import fastiou
from machine_code import toolchain

#: Of blocks, warps and diverged lanes: the natural order, and a random one in which blocks take turns.
ORDERS = {"in_order": 0, "shuffled": 1}


def why_not() -> str | None:
    if missing := toolchain.missing():
        return missing
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        return "runs on Linux on x86-64"
    return "nothing is compiled to compare with" if fastiou.backend() == "fallback" else None


@pytest.fixture(scope="session")
def machine_is_there() -> None:
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture(params=ORDERS.values(), ids=ORDERS)
def machine(request, machine_is_there) -> Operators:
    """The operators by machine code, in either order."""
    return Operators(request.param)


@pytest.fixture
def shuffled(machine_is_there) -> Operators:
    """The operators by machine code, in a random order: for what takes long."""
    return Operators(ORDERS["shuffled"])


@pytest.fixture
def as_on_gpu(machine_is_there) -> Operators:
    """The operators with the grids, chunks and blocks that a GPU gets, in a random order."""
    return Operators(ORDERS["shuffled"], as_on_gpu=True)


def is_here(item) -> bool:
    return item.path.parent == Path(__file__).parent


def pytest_collection_modifyitems(items):
    """All of these compile with nvcc. That every kernel was run is asked last."""
    for item in filter(is_here, items):
        item.add_marker("nvcc")
    items.sort(key=lambda item: item.name == "test_every_kernel_was_run")


def pytest_deselected(items):
    for item in filter(is_here, items):
        item.config.some_tests_are_left_out = True
