"""Kernels that are wrong: the emulator says how, and where."""

import re

import numpy as np
import pytest
from small_kernels import machine, needs_machine_code

from machine_code.driver import FaultError

pytestmark = needs_machine_code
I = np.int32  # noqa: E741
N = 64


def ones(n=N, dtype=I):
    return np.ones(n, dtype)


def run(kernel, *arguments, grid=1, threads=N, seed=0, unwritten=()):
    m = machine("faults", seed=seed, most=100_000)
    for array in unwritten:
        m.allow(array, written=False)
    return m.run(kernel, grid, threads, *arguments)


def fault(kernel, *arguments, **how):
    """The message of the fault that a kernel must have."""
    with pytest.raises(FaultError) as raised:
        run(kernel, *arguments, **how)
    message = str(raised.value)
    assert re.search(rf"at 0x[0-9a-f]+: .+\n  in {kernel}$", message), message
    return message


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("kernel", "first", "second"),
    [
        ("no_second_syncthreads", "a (read|write) of shared memory", "(read|write)"),
        ("same_place", "a write of shared memory", "write"),
        ("threads_write", "a write of global memory", "write"),
    ],
)
def test_races_of_a_block(kernel, first, second, seed):
    message = fault(kernel, ones(), ones(), seed=seed)
    assert re.match(f"race: {first} at 0x.* is not ordered with the {second} by lane", message), message


@pytest.mark.parametrize("seed", range(3))
def test_missing_barrier_before_the_first_read(seed):
    message = fault("no_syncthreads", ones(), ones(), seed=seed)
    assert message.startswith("race: a") or "or not yet: is a barrier missing?" in message, message


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kernel", ["no_syncwarp", "shuffle_for_syncwarp"])
def test_races_of_a_warp(kernel, seed):
    """What lanes do one after the other is in no order, unless a barrier of the warp stands between."""
    message = fault(kernel, ones(), ones(), threads=32, seed=seed)
    assert message.startswith("race: a read of shared memory"), message


@pytest.mark.parametrize("seed", range(3))
def test_races_of_blocks(seed):
    message = fault("blocks_write", ones(3 * N), ones(), grid=3, seed=seed)
    assert message.startswith("race: a write of global memory") and "of block (" in message, message
    message = fault("blocks_read", ones(3 * N), grid=3, seed=seed)
    assert re.match("race: a (read|write) of global memory", message), message
    run("blocks_write", ones(N), ones(), grid=1)


def test_atomics_and_plain_loads():
    """A volatile look at what others change by atomics is in order, a plain one is not."""
    values = np.arange(2 * N, dtype=np.uint32)
    for seed in range(3):
        best = np.zeros(1, np.uint32)
        run("peek_volatile", best, values, ones(2 * N), grid=2, seed=seed)
        assert best[0] == 2 * N - 1
        assert fault("peek_plainly", best * 0, values, ones(2 * N), grid=2, seed=seed).startswith("race: ")


def test_read_only_loads():
    assert "a read-only load (__ldg) of what this launch writes" in fault(
        "read_only_written", ones(2 * N), I(3), threads=1
    )


def test_outside():
    message = fault("read_outside", ones(), ones(), I(1))
    assert message.startswith("out of bounds: load of 4 bytes of global memory"), message
    assert "by lane 31 (thread 63) of warp 1 of block (0, 0)" in message
    assert re.match("out of bounds: store of 4 bytes of global memory", fault("write_outside", ones(), ones(), I(1)))
    assert fault("write_outside", ones(), ones(), I(-1)).startswith("out of bounds: store")
    assert re.match(
        r"out of bounds: load of 8 bytes of global memory at 0x\w+, 4 bytes past the end",
        fault("cross_end", aligned(8 * N - 4), ones(2 * N), threads=N),
    )
    assert re.match(
        r"out of bounds: store of 4 bytes of shared memory at 0x500, which has \[0x400, 0x500\)",
        fault("shared_outside", ones(), ones(), I(1)),
    )
    assert fault("shared_outside", ones(), ones(), I(-1)).startswith("out of bounds: store of 4 bytes of shared memory")
    assert fault("shared_outside_read", ones(), ones(), I(5)).startswith("out of bounds: load of 4 bytes of shared")
    assert fault("stack_outside", ones(), ones(), I(1 << 20)).startswith("out of bounds: load of 4 bytes of local")
    assert "which is in no allowed memory" in fault("read_outside", ones(), ones(), I(1 << 28))


def aligned(size, to=16):
    """Bytes that begin at a multiple of 16."""
    room = np.zeros(size + to, np.uint8)
    begin = -room.ctypes.data % to
    return room[begin : begin + size]


def test_misaligned():
    message = fault("misaligned", aligned(16 * N + 16), ones(4 * N), I(4))
    assert message.startswith("misaligned: load of 16 bytes of global memory at 0x"), message
    message = fault("misaligned_shared", ones(4 * N, np.float32), ones(2 * N), I(1))
    assert message.startswith("misaligned: load of 8 bytes of shared memory at 0x404"), message


def test_unwritten():
    message = fault("unwritten", x := ones(), ones(), unwritten=[x])
    assert re.match(
        r"unwritten: load of 4 bytes of global memory, of which byte 0 \(0x\w+\) was never written", message
    )
    run("unwritten", ones(), y := ones(), unwritten=[y])  # results need no value before
    message = fault("unwritten_shared", ones(), ones(), I(40))
    assert message.startswith("unwritten: load of 4 bytes of shared memory, of which byte 0 (0x4fc)"), message
    assert fault("unwritten_stack", ones() * 6, ones(), I(4)).startswith("unwritten: load of 4 bytes of local memory")
    run("unwritten_stack", ones() * 6, ones(), I(8))


def test_shared_memory_of_an_earlier_block():
    """Every block starts with shared memory that nobody wrote."""
    m = machine("faults")
    m.run("unwritten_shared", 1, N, ones(), ones(), I(N))
    with pytest.raises(FaultError, match="unwritten"):
        m.run("unwritten_shared", 1, N, ones(), ones(), I(N - 1))


@pytest.mark.parametrize("seed", range(3))
def test_barriers(seed):
    x = ones()
    x[5] = -1
    message = fault("diverged_barrier", x, ones(), seed=seed)
    assert re.match("barrier: is reached by a part of the warp's threads|deadlock", message), message
    assert fault("different_barriers", ones(), ones(), seed=seed).startswith(
        "barrier: waits at another barrier than warp"
    )


@pytest.mark.parametrize("seed", range(3))
def test_lanes_that_are_not_there(seed):
    x = ones()
    x[7] = -1
    assert fault("exited_lane", x, ones(), seed=seed).startswith(
        "shuffle: reads lane 7, which does not take part: it has"
    )
    assert fault("absent_lanes", x, ones(), seed=seed).startswith("deadlock: lanes wait for each other")
    assert fault("not_in_mask", x, ones(), seed=seed).startswith("mask: the mask does not name the lane itself")


def test_endless():
    assert fault("endless", ones() * 0).startswith("hang: more instructions than are allowed")


def test_gaps():
    """Loads of all 16 bytes of a struct read 4 that nobody writes; nothing uses them."""
    out = np.zeros(N, np.float32)
    run("gap", np.arange(3, dtype=np.float32), aligned(16 * N), out)
    assert (out == 3).all()


def test_memory_that_the_host_writes():
    m, x, y = machine("faults"), ones(), ones() * 0
    m.allow(x, written=False)
    with pytest.raises(FaultError, match="unwritten"):
        m.run("unwritten", 1, N, x, y)
    m.note_written(x)
    m.run("unwritten", 1, N, x, y)
    np.testing.assert_array_equal(x, y)


def test_a_machine_goes_on_after_a_fault():
    m = machine("faults")
    x, y = ones(), ones() * 0
    with pytest.raises(FaultError):
        m.run("read_outside", 1, N, x, y, I(1))
    m.run("read_outside", 1, N, x, y, I(0))
    np.testing.assert_array_equal(x, y)
