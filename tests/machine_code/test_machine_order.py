"""What orders memory, by the emulator: releases and acquires between warps and blocks, and what is missing without."""

import numpy as np
import pytest
from small_kernels import SEEDS, machine, needs_machine_code

from machine_code.driver import FaultError

pytestmark = needs_machine_code
I = np.int32  # noqa: E741


def run(kernel, seed, grid=2, threads=32, flags=1):
    """Numbers that are passed on, and those that arrive."""
    m = machine("order", seed=seed, resident=4, most=1_000_000)
    numbers, out = m.room(threads, I), m.room(threads, I)
    m.run(kernel, grid, threads, numbers, np.zeros(flags, I), out)
    return out


@pytest.mark.parametrize("seed", SEEDS)
def test_release_and_acquire(seed):
    assert run("pass", seed)[0] == 42
    assert run("pass_within", seed, grid=1, threads=64)[0] == 42
    assert run("pass_through", seed, grid=4, flags=3)[0] == 42
    np.testing.assert_array_equal(run("pass_of_blocks", seed, threads=64), 3 * np.arange(64)[::-1])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "kernel",
    ["pass_without_release", "pass_without_acquire", "pass_without_acquire_past_cache", "pass_too_narrow"],
)
def test_half_an_order(kernel, seed):
    """One side alone orders nothing, nor does a flag for a block order two of them."""
    with pytest.raises(FaultError, match=r"race: a read of global memory .* is not ordered with the write by lane 0"):
        run(kernel, seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_comes_after_a_release(seed):
    """What a thread writes after it, and what others write without a barrier before it, is not released."""
    with pytest.raises(FaultError, match=r"race|unwritten"):
        run("pass_of_blocks_early", seed, threads=64)
