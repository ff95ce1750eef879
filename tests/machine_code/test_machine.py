"""The emulator's control flow, warps, blocks and atomics: small kernels against what Python says."""

import numpy as np
import pytest
from small_kernels import SEEDS, machine, needs_machine_code

from machine_code.driver import FaultError

pytestmark = needs_machine_code
I, U, F, D = np.int32, np.uint32, np.float32, np.float64  # noqa: E741
LANES = np.arange(32)


def draw(n, low=0, high=100, dtype=I):
    return np.random.default_rng(n).integers(low, high, n).astype(dtype)


@pytest.mark.parametrize("seed", SEEDS)
def test_loops(seed):
    """Lanes leave a loop one by one."""
    x, out = draw(96, 1, 1000), np.zeros(96, I)

    def steps(n):
        return 0 if n == 1 else 1 + steps(3 * n + 1 if n % 2 else n // 2)

    counts = machine("control", seed=seed).run("collatz", 1, 96, x, out)
    np.testing.assert_array_equal(out, [steps(int(a)) for a in x])
    assert counts["divergent_branches"] > 50


@pytest.mark.parametrize("seed", SEEDS)
def test_nested_branches(seed):
    x, out = draw(40), np.zeros(64, I)

    def one(thread):
        total = 0
        for i, a in enumerate(x.tolist()):
            a += thread
            if a % 3 == 0:
                continue
            if a % 17 == 0:
                break
            if a % 2:
                total += a
            elif a % 5 == 1:
                total -= i
            else:
                for k in range(a % 4):
                    total ^= k * a
        return total

    machine("control", seed=seed).run("nested", 1, 64, x, out, I(40))
    np.testing.assert_array_equal(out, [one(t) for t in range(64)])


def test_table_of_branches():
    x, a, b = (np.arange(64) % 12 - 1).astype(I), F(2.25), F(1.5)
    out = np.zeros(64, F)
    counts = machine("control").run("table", 1, 64, x, out, a, b)
    cases = [a + b, a - b, np.sqrt(a), a / b, np.exp(b), max(a, b) + F(100), F(100), np.sin(a), np.log(a * a)]
    cases += [np.floor(a) * b, F(-1), F(-1)]
    np.testing.assert_allclose(out, [cases[k] for k in x], rtol=1e-6)
    assert counts["opcode.BRX"] > 0


def test_early_exit():
    x, out = draw(64, -5, 20), np.full(64, -99, I)
    machine("control", seed=2).run("early_exit", 1, 64, x, out)
    np.testing.assert_array_equal(out, np.where(x < 0, -99, 2 * x + (x <= 10)))


@pytest.mark.parametrize("seed", SEEDS)
def test_stacks_and_calls(seed):
    """One function reads the stack, shared memory and global memory."""
    x, out = draw(32), np.zeros(32, I)
    counts = machine("control", seed=seed).run("stacks", 1, 32, x, out)

    def one(i):
        own = [int(x[(i + k) % 32]) for k in range(16)]
        total = sum(own[: i % 16]) + own[x[i] & 15] + (1000 * int(x[: i % 5].sum()) if i % 3 == 0 else 0)
        return total + 1000000 * int(x[: i % 7].sum())

    np.testing.assert_array_equal(out, [one(i) for i in range(32)])
    assert counts["bytes_local"] > 0


@pytest.mark.parametrize("seed", SEEDS)
def test_recursion(seed):
    x, out = (np.arange(32) % 9).astype(I), np.zeros(32, I)
    fibonacci = [0, 1, 1, 2, 3, 5, 8, 13, 21]
    machine("control", seed=seed).run("recursion", 1, 32, x, out)
    np.testing.assert_array_equal(out, [fibonacci[k] for k in x])


def test_function_pointers():
    x, out = np.linspace(0, 9, 32).astype(F), np.zeros(32, F)
    machine("control").run("pointers", 1, 32, x, out)
    np.testing.assert_array_equal(out, np.where(LANES % 2 == 1, x + 1, x * 2))


def test_constants_and_variables():
    """Variables keep their values from run to run."""
    m, x, out = machine("control"), np.ones(8, F), np.zeros(8, F)
    parameters = np.array([7, 8, 9], F).tobytes() + bytes([2, 0, 0, 0])
    for _ in range(2):
        m.run("constants", 1, 8, x, out, parameters)
    expected = np.array([1, 10, 100, 1000] * 2) + np.array([7, 8, 9] * 4)[(np.arange(8) + 2) % 3]
    np.testing.assert_array_equal(out, expected)
    assert m.variable("calls", (), I) == 82
    assert machine("control").variable("calls", (), I) == 0


def test_shuffles():
    x, out = draw(64), np.zeros((64, 8), I)
    machine("warps").run("shuffles", 1, 64, x, out)
    for warp in (0, 32):
        a, lane = x[warp : warp + 32], LANES
        expected = [
            a[(lane * 7 + 3) % 32],
            np.where(lane >= 5, a[lane - 5], a),
            np.where(lane < 23, a[(lane + 9) % 32], a),
            a[lane ^ 13],
            a[lane // 8 * 8 + 2],
            np.where(lane % 16 >= 3, a[lane - 3], a),
            np.where(lane % 16 < 13, a[(lane + 3) % 32], a),
            a[lane ^ 1],
        ]
        np.testing.assert_array_equal(out[warp : warp + 32], np.array(expected).T)


def mask(flags):
    return sum(1 << k for k, flag in enumerate(flags) if flag)


def test_votes():
    x, out = draw(64, 0, 9), np.zeros((64, 8), U)
    machine("warps").run("votes", 1, 64, x, out)
    for warp in (0, 32):
        a = x[warp : warp + 32]
        one = [mask(a > 3), (a > 8).any(), (a > 3).all(), None, a.sum(), a.max(), np.bitwise_xor.reduce(a), 2**32 - 1]
        for lane in range(32):
            one[3] = mask(a % 4 == a[lane] % 4)
            np.testing.assert_array_equal(out[warp + lane], np.array(one, np.int64))


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_of_warps(seed):
    """Lanes shuffle and vote in branches of their own."""
    x, out = draw(32), np.zeros(32, I)
    machine("warps", seed=seed).run("partial", 1, 32, x, out)
    y = np.zeros(32, I)
    y[:8] = x[LANES[:8] ^ 1] + mask(x[:8] % 2)
    y[8:24] = np.where(LANES[8:24] % 8 < 6, x[10:26], x[8:24])
    np.testing.assert_array_equal(out, y + x[31])


def test_sums_of_warps():
    x, out = np.random.default_rng(1).normal(size=96), np.zeros(3)
    machine("warps").run("warp_sum", 1, 96, x, out)
    np.testing.assert_allclose(out, x.reshape(3, 32).sum(1), rtol=1e-13)


@pytest.mark.parametrize("seed", SEEDS)
def test_shared_memory_within_warps(seed):
    """__syncwarp orders what lanes store and load, of a whole warp and of a part."""
    x, out = draw(64), np.zeros(64, I)
    machine("warps", seed=seed).run("warp_exchange", 1, 64, x, out, I(3))
    expected = []
    for a in x.reshape(2, 32):
        own, s = a[LANES ^ 1], 2 * a[LANES ^ 1]
        for _ in range(3):
            s = s + np.roll(s, -1)
        own = own.copy()
        own[:4] = (own[:4] + s[:4])[LANES[:4] ^ 3]
        expected.append(own)
    np.testing.assert_array_equal(out, np.concatenate(expected))


@pytest.mark.parametrize("seed", SEEDS)
def test_tiles(seed):
    n = 40
    x, out = np.random.default_rng(2).normal(size=(n, n)).astype(F), np.zeros((n, n), F)
    m = machine("blocks", seed=seed)
    m.allow(out, written=False)
    counts = m.run("transpose", (3, 3), 256, x, out, I(n))
    np.testing.assert_array_equal(out, x.T)
    assert m.written(out)
    assert counts["bytes_loaded"] == counts["bytes_stored"] == x.nbytes
    assert counts["shared_conflicts"] <= counts["shared_accesses"]


def test_widths():
    g = np.random.default_rng(4)
    b, s = draw(128, 0, 255, np.uint8), draw(128, -999, 999, np.int16)
    p, q, out = g.integers(-9, 9, (128, 2)).astype(I), g.normal(size=(128, 4)).astype(F), np.zeros(128, F)
    machine("blocks").run("widths", 1, 128, b, s, p, q, out)
    rev = [a[::-1].astype(D) for a in (b, s, p, q)]
    expected = rev[0] + rev[1] + rev[2] @ [2, 1] + rev[3] @ [1, 3, 1, 1]
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("seed", SEEDS)
def test_barriers_that_reduce(seed):
    x, out = draw(3 * 128), np.zeros((3, 128, 3), I)
    x[:128] = x[:128] % 60 + 5
    machine("blocks", seed=seed).run("agree", 3, 128, x, out)
    for block, a in zip(out, x.reshape(3, 128), strict=True):
        assert (block == [(a > 90).any(), (a > 2).all(), (a > 50).sum()]).all()


@pytest.mark.parametrize("n", [1, 31, 33, 64, 100])
def test_barrier_of_those_that_are_left(n):
    x, out = draw(128), np.zeros(n, I)
    machine("blocks").run("fewer", 1, 128, x, out, I(n), dynamic_shared=4 * n)
    np.testing.assert_array_equal(out, x[:n][::-1])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("order", ["fences", "atomic"])
def test_last_block(order, seed):
    """The last block reads what others wrote: fences, or an atomic that acquires and releases, order it."""
    m, x, partial, out = (
        machine("blocks", seed=seed),
        np.random.default_rng(1).normal(size=3000),
        np.zeros(7),
        np.zeros(1),
    )
    for array in (partial, out):
        m.allow(array, written=False)
    for _ in range(2):  # the ticket is 0 again
        m.run(f"last_block_{order}", 7, 128, x, partial, out, I(3000))
        np.testing.assert_allclose(out[0], x.sum(), rtol=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
def test_last_block_without_order(seed):
    m, x, partial, out = machine("blocks", seed=seed), np.ones(3000), np.zeros(7), np.zeros(1)
    with pytest.raises(FaultError, match="race: a read of global memory"):
        m.run("last_block_race", 7, 128, x, partial, out, I(3000))


KEYS = np.array([(a * 2654435761) % 2**61 for a in range(1, 257)], np.uint64)


@pytest.mark.parametrize("seed", SEEDS)
def test_shared_atomics(seed):
    x, out = draw(128), np.zeros(8, np.uint64)
    keys = KEYS[:128] >> np.uint64(8)
    machine("blocks", seed=seed).run("shared_atomics", 1, 128, x, keys, out)
    bits = int(np.bitwise_or.reduce(1 << (x.astype(np.int64) % 31)))
    expected = [x.sum(), x.min(), max(x.max(), -1), bits, 128 % 10, keys.max(), keys.sum(), 64]
    np.testing.assert_array_equal(out, np.array(expected, np.uint64))


@pytest.mark.parametrize("seed", SEEDS)
def test_global_atomics(seed):
    x = draw(256, -50, 100)
    ints, longs = np.array([0, 999, -999, 0, 0, -1, 0], I), np.array([0, 0, 2**63, 0], np.uint64)
    floats, doubles = np.zeros(1, F), np.zeros(1)
    machine("blocks", seed=seed).run("global_atomics", 2, 128, x, KEYS, ints, longs, floats, doubles)
    assert ints[:5].tolist() == [x.sum(), x.min(), x.max(), np.bitwise_xor.reduce(x), x.sum()]
    handed_on = [*x.tolist(), -1]  # each thread finds what another left, or the first value
    handed_on.remove(int(ints[5]))
    assert ints[6] == sum(a < 0 for a in handed_on)
    assert longs.tolist() == [KEYS.sum(), KEYS.max(), KEYS.min(), KEYS.max()]
    assert floats[0] == 64 and doubles[0] == 32


UPDATES = (np.add, np.minimum, np.maximum, np.bitwise_and, np.bitwise_or, np.bitwise_xor)


@pytest.mark.parametrize("name, dtype", [("int", I), ("uint", U), ("long", np.int64), ("ulong", np.uint64)])
def test_every_atomic_of_integers(name, dtype):
    """Lanes have their turn one after the other, in any order: each finds what another one left, or the first value."""
    x = np.random.default_rng(3).integers(np.iinfo(dtype).min, np.iinfo(dtype).max, 68, dtype)
    x, first = x[:32], x[32:].reshape(3, 2, 6)
    cells, seen = first.copy(), np.zeros((2, 32, 6), dtype)
    machine("atomics").run(f"{name}_atomics", 1, 32, x, cells, seen)
    for memory, half, kind in np.ndindex(first.shape):
        update, of_half, begin, end = UPDATES[kind], x[half::2], *(c[memory, half, kind] for c in (first, cells))
        assert end == update.reduce(of_half, initial=begin, dtype=dtype)
        if memory > 0:  # in global memory with results, in shared memory
            found = seen[memory - 1, half::2, kind]
            np.testing.assert_array_equal(
                np.sort(np.append(found, end)), np.sort(np.append(update(found, of_half), begin))
            )


@pytest.mark.parametrize("seed", SEEDS)
def test_lock(seed):
    """Lanes of a warp that wait for each other all have their turn."""
    counter = np.zeros(1, I)
    machine("blocks", seed=seed, resident=2).run("locked", 2, 128, counter)
    assert counter[0] == 256


def test_order_depends_on_the_seed():
    """Threads that hand on a number find it in another order."""
    x, orders = np.arange(256, dtype=I), set()
    for seed in SEEDS:
        ints, longs = np.zeros(7, I), np.zeros(4, np.uint64)
        machine("blocks", seed=seed).run("global_atomics", 2, 128, x, KEYS, ints, longs, np.zeros(1, F), np.zeros(1))
        orders.add(int(ints[5]))
    assert len(orders) > 1


def test_all_instructions_are_known():
    for name in ("numbers", "integers", "control", "warps", "blocks", "atomics", "order", "faults"):
        m = machine(name)
        assert {k: m.unknown(k) for k in m.kernels() if m.unknown(k)} == {}


def test_what_cannot_be_launched():
    m, x = machine("blocks"), np.zeros(8, I)
    with pytest.raises(FaultError, match="launch: a grid of 1 x 1 blocks of 2048 threads"):
        m.run("fewer", 1, 2048, x, x, I(3))
    with pytest.raises(FaultError, match="takes 20 bytes of parameters, not 16"):
        m.run("fewer", 1, 32, x, x)
    with pytest.raises(FaultError, match="no kernel nothing"):
        m.run("nothing", 1, 32)
