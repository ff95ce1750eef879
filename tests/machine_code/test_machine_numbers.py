"""The emulator's arithmetic against NumPy: every group of instructions, over ordinary and awkward numbers."""

import itertools

import numpy as np
import pytest
from small_kernels import machine as machine_of, needs_machine_code

pytestmark = [
    needs_machine_code,
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),  # NumPy says where it divides by 0
]
F, D, H = np.float32, np.float64, np.float16
I, U, L, UL = np.int32, np.uint32, np.int64, np.uint64  # noqa: E741


@pytest.fixture(scope="module")
def machine():
    return machine_of("numbers", "integers")


def evaluate(machine, kernel, x, y, z, out):
    """The kernel's result for each element, as the type `out`."""
    result = np.zeros(len(x), out)
    machine.run(kernel, -(-len(x) // 128), 128, x, y, z, result, np.uint32(len(x)))
    for a in (x, y, z, result):
        machine.forget(a)
    return result


def numbers(dtype, count=2000):
    """Three arrays: all triples of awkward numbers, then numbers of all sizes, then numbers of like sizes."""
    g = np.random.default_rng(3)
    if np.issubdtype(dtype, np.floating):
        info = np.finfo(dtype)
        awkward = [0, -0.0, 1, -1, 1.5, 2, 3, np.inf, -np.inf, np.nan, info.tiny, -info.tiny, info.smallest_subnormal]
        awkward += [info.tiny / 3, info.max, -info.max, info.max / 3, 0.1, -7.7, 255.5, 1 + info.eps, 1 - info.epsneg]
        span = min(np.log2(float(info.max)), 300)
        wide = g.choice([-1, 1], (3, count)) * np.exp2(g.uniform(-span, span * 0.99, (3, count)))
        near = g.uniform(-9, 9, (3, count))
        drawn = np.concatenate([wide, near], 1)
    else:
        info = np.iinfo(dtype)
        awkward = [0, 1, 2, 3, 7, 31, 32, 33, 63, 64, info.max, info.max - 1, info.max // 2, info.min, info.min + 1]
        awkward += [100, 255, 65535 & int(info.max)] + ([-1, -7, -100] if info.min < 0 else [])
        awkward += [2**31, 2**32 - 1, 2**53 + 1, 2**40 + 12345] if info.bits == 64 else []
        awkward = [a for a in awkward if info.min <= a <= info.max]
        wide = g.integers(info.min, info.max, (3, count), dtype, endpoint=True)
        drawn = np.concatenate([wide, wide >> g.integers(0, info.bits, (3, count)).astype(dtype)], 1)
    triples = np.array(list(itertools.product(awkward, awkward, [awkward[3], awkward[-1]])), dtype).T
    return [np.ascontiguousarray(a) for a in np.concatenate([triples, drawn.astype(dtype)], 1)]


def same_bits(a, b):
    """Where both are the same number; all NaN are one, and 0 differs from -0."""
    return (a == b) & (np.signbit(a) == np.signbit(b)) | (np.isnan(a) & np.isnan(b))


def flush(x):
    return np.where(np.abs(x) < np.finfo(F).tiny, np.copysign(F(0), x), x).astype(F)


def rounded(exact, dtype, way):
    """Rounds what a wider type holds exactly: way 0 to zero, 1 up, -1 down."""
    near = exact.astype(dtype)
    wide = near.astype(exact.dtype)
    too_high, too_low = wide > exact, wide < exact
    if way == 0:
        too_high, too_low = too_high & (exact > 0), too_low & (exact < 0)
    lower, higher = np.nextafter(near, dtype(-np.inf)), np.nextafter(near, dtype(np.inf))
    return np.where(too_high & (way <= 0), lower, np.where(too_low & (way >= 0), higher, near))


def least(x, y):
    return np.where(np.isnan(x), y, np.where(np.isnan(y) | (x < y) | ((x == y) & np.signbit(x)), x, y))


def most(x, y):
    return -least(-x, -y)


def compare(x, y, nan=True):
    bits = [x < y, x <= y, x > y, x >= y, x == y, x != y]
    if nan:
        bits += [~(x < y), ~(x <= y), np.isnan(x), np.isnan(x) | np.isnan(y)]
    return sum(b.astype(U) << U(k) for k, b in enumerate(bits))


EXACT = {
    "float_add": (F, lambda x, y, z: x + y),
    "float_multiply": (F, lambda x, y, z: x * y),
    "float_divide": (F, lambda x, y, z: x / y),
    "float_reciprocal": (F, lambda x, y, z: F(1) / x),
    "float_root": (F, lambda x, y, z: np.sqrt(x)),
    "float_add_up": (F, lambda x, y, z: rounded(x.astype(D) + y, F, 1)),
    "float_add_down": (F, lambda x, y, z: rounded(x.astype(D) + y, F, -1)),
    "float_multiply_zero": (F, lambda x, y, z: rounded(x.astype(D) * y, F, 0)),
    "float_multiply_up": (F, lambda x, y, z: rounded(x.astype(D) * y, F, 1)),
    "float_least": (F, lambda x, y, z: least(x, y)),
    "float_most": (F, lambda x, y, z: most(x, y)),
    "float_least_nan": (F, lambda x, y, z: np.where(np.isnan(x) | np.isnan(y), F("nan"), least(x, y))),
    "float_choose": (F, lambda x, y, z: np.where(x < y, -x, np.abs(y))),
    "float_saturate": (F, lambda x, y, z: np.where(x > 0, np.minimum(x, F(1)), F(0))),
    "float_flush_add": (F, lambda x, y, z: flush(flush(x) + flush(y))),
    "float_compare": (F, lambda x, y, z: compare(x, y)),
    "float_sign": (F, lambda x, y, z: (x > y).astype(F) + (x < y).astype(F) * z),
    "double_add": (D, lambda x, y, z: x + y),
    "double_multiply": (D, lambda x, y, z: x * y),
    "double_divide": (D, lambda x, y, z: x / y),
    "double_root": (D, lambda x, y, z: np.sqrt(x)),
    "double_least": (D, lambda x, y, z: least(x, y)),
    "double_most": (D, lambda x, y, z: most(x, y)),
    "double_choose": (D, lambda x, y, z: np.where(x < y, -x, np.abs(y))),
    "double_compare": (D, lambda x, y, z: compare(x, y)),
    "half_add": (H, lambda x, y, z: x + y),
    "half_multiply": (H, lambda x, y, z: x * y),
    "half_to_float": (H, lambda x, y, z: x.astype(F) + F(1)),
    "float_to_half": (F, lambda x, y, z: x.astype(H)),
    "double_to_half": (D, lambda x, y, z: x.astype(H)),
    "float_to_double": (F, lambda x, y, z: x.astype(D)),
    "double_to_float": (D, lambda x, y, z: x.astype(F)),
    "double_to_float_up": (D, lambda x, y, z: rounded(x, F, 1)),
    **{f"float_{f}": (F, lambda x, y, z, f=f: getattr(np, f)(x)) for f in ("floor", "ceil", "trunc", "rint")},
    **{f"double_{f}": (D, lambda x, y, z, f=f: getattr(np, f)(x)) for f in ("floor", "ceil", "trunc", "rint")},
    "int_to_float": (I, lambda x, y, z: x.astype(F)),
    "int_to_float_up": (I, lambda x, y, z: rounded(x.astype(D), F, 1)),
    "uint_to_float": (U, lambda x, y, z: x.astype(F)),
    "long_to_float": (L, lambda x, y, z: x.astype(F)),
    "ulong_to_float": (UL, lambda x, y, z: x.astype(F)),
    "ulong_to_float_down": (UL, lambda x, y, z: rounded(x.astype(np.longdouble), F, -1)),
    "int_to_double": (I, lambda x, y, z: x.astype(D)),
    "uint_to_double": (U, lambda x, y, z: x.astype(D)),
    "long_to_double": (L, lambda x, y, z: x.astype(D)),
    "ulong_to_double": (UL, lambda x, y, z: x.astype(D)),
    "byte_to_float": (np.uint8, lambda x, y, z: x.astype(F)),
    "signed_byte_to_float": (np.int8, lambda x, y, z: x.astype(F)),
    "short_to_double": (np.int16, lambda x, y, z: x.astype(D)),
    "ushort_to_float": (np.uint16, lambda x, y, z: x.astype(F)),
}


@pytest.mark.parametrize("kernel", EXACT)
def test_exact(machine, kernel):
    """Operations that IEEE 754 or the conversion defines to the last bit."""
    dtype, f = EXACT[kernel]
    x, y, z = numbers(dtype)
    if kernel in ("float_add_up", "float_add_down"):  # whose sums doubles must hold
        wide = x.astype(D) + y
        keep = (wide - x == y) & (wide - y == x)
        x, y, z = x[keep], y[keep], z[keep]
    expected = f(x, y, z)
    actual = evaluate(machine, kernel, x, y, z, expected.dtype)
    same = same_bits(actual, expected) | ((actual == expected) & kernel.endswith("_down"))  # there 0 + -0 is -0
    assert same.all(), [(a[~same][:5]) for a in (x, y, z, actual, expected)]


def integers(f):
    """A function of Python's integers, element by element, taken modulo the type."""

    def g(x, y, z):
        bits = x.dtype.itemsize * 8
        values = [f(int(a), int(b), int(c)) & (2**bits - 1) for a, b, c in zip(x, y, z, strict=True)]
        return np.array(values, f"u{bits // 8}").view(x.dtype)

    return g


def quotient(a, b):
    return abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)


def remainder(a, b):
    return a - quotient(a, b) * b


def reverse(a, bits):
    return int(f"{a:0{bits}b}"[::-1], 2)


def permute(a, b, selector):
    both = a | b << 32
    return sum((both >> 8 * (selector >> 4 * k & 7) & 255) << 8 * k for k in range(4))


def shifted(x, y, z):
    return (x << (y & (x.dtype.itemsize * 8 - 1))) ^ (x >> (z & (x.dtype.itemsize * 8 - 1)))


def extremes(a, b, c):
    return min(a, b) * 3 + max(b, c)


def leading(a, bits=32):
    return bits - a.bit_length()


INTEGER = {
    "int_add3": (I, integers(lambda a, b, c: a + b - c)),
    "int_multiply_add": (I, integers(lambda a, b, c: a * b + c)),
    "int_divide": (I, integers(lambda a, b, c: quotient(a, b) if b else c)),
    "int_remainder": (I, integers(lambda a, b, c: remainder(a, b) if b else c)),
    "uint_divide": (U, integers(lambda a, b, c: a // b + a % b if b else c)),
    "int_by_seven": (I, integers(lambda a, b, c: quotient(a, 7) + remainder(b, 10))),
    "uint_by_seven": (U, integers(lambda a, b, c: a // 7 + b % 10)),
    "int_high": (I, integers(lambda a, b, c: a * b >> 32)),
    "uint_high": (U, integers(lambda a, b, c: a * b >> 32)),
    "int_extremes": (I, integers(lambda a, b, c: extremes(a, b, c) + abs(a))),
    "uint_extremes": (U, integers(extremes)),
    "int_three": (I, integers(lambda a, b, c: min(a, b, c) * 3 + max(a, b, c))),
    "uint_three": (U, integers(lambda a, b, c: min(a, b, c) * 3 + max(a, b, c))),
    "int_compare": (I, lambda x, y, z: compare(x, y, nan=False)),
    "uint_compare": (U, lambda x, y, z: compare(x, y, nan=False)),
    "int_shifts": (I, shifted),
    "uint_shifts": (U, shifted),
    "int_logic": (U, lambda x, y, z: ((x & ~y) | (y ^ z)) ^ (~x & z) ^ ((x | y) & (y | z))),
    "int_majority": (U, lambda x, y, z: (x & y) | (y & z) | (x & z)),
    "long_add": (L, integers(lambda a, b, c: a + b - c)),
    "long_multiply": (L, integers(lambda a, b, c: a * b + c)),
    "long_divide": (L, integers(lambda a, b, c: quotient(a, b) if b not in (0, -1) else c)),
    "long_remainder": (L, integers(lambda a, b, c: remainder(a, b) if b not in (0, -1) else c)),
    "ulong_divide": (UL, integers(lambda a, b, c: a // b + a % b if b else c)),
    "ulong_high": (UL, integers(lambda a, b, c: a * b >> 64)),
    "long_high": (L, integers(lambda a, b, c: a * b >> 64)),
    "long_extremes": (L, integers(extremes)),
    "ulong_extremes": (UL, integers(extremes)),
    "long_compare": (L, lambda x, y, z: compare(x, y, nan=False)),
    "ulong_compare": (UL, lambda x, y, z: compare(x, y, nan=False)),
    "long_shifts": (L, shifted),
    "ulong_shifts": (UL, shifted),
    "long_wide": (I, lambda x, y, z: x.astype(L) * y + z),
    "ulong_wide": (U, lambda x, y, z: x.astype(UL) * y + z),
    "long_index": (I, lambda x, y, z: (x.astype(L) << 3) + (y.astype(L) << 2) + z),
    "leading_zeros": (U, integers(lambda a, b, c: leading(a) * 64 + leading(b))),
    "first_set": (U, integers(lambda a, b, c: (a & -a).bit_length())),
    "population": (U, integers(lambda a, b, c: a.bit_count() + 64 * b.bit_count())),
    "reversed_bits": (U, integers(lambda a, b, c: reverse(a, 32))),
    "permuted": (U, integers(lambda a, b, c: permute(a, b, c & 0x7777))),
    "permuted_fixed": (U, integers(lambda a, b, c: permute(a, b, 0x5140) ^ permute(a, b, 0x0123))),
    "funnel_left": (U, integers(lambda a, b, c: (b << 32 | a) << (c & 31) >> 32)),
    "funnel_right": (U, integers(lambda a, b, c: (b << 32 | a) >> (c & 31))),
    "funnel_left_clamped": (U, integers(lambda a, b, c: (b << 32 | a) << min(c & 63, 32) >> 32)),
    "funnel_right_clamped": (U, integers(lambda a, b, c: (b << 32 | a) >> min(c & 63, 32))),
    "long_bits": (
        UL,
        integers(lambda a, b, c: leading(a, 64) + 100 * (b & -b).bit_length() + 10000 * c.bit_count()),
    ),
    "long_reversed": (UL, integers(lambda a, b, c: reverse(a, 64))),
}


@pytest.mark.parametrize("kernel", INTEGER)
def test_integers(machine, kernel):
    dtype, f = INTEGER[kernel]
    x, y, z = numbers(dtype, 300)
    expected = f(x, y, z)
    np.testing.assert_array_equal(evaluate(machine, kernel, x, y, z, expected.dtype), expected)


def test_clamped_sums(machine):
    """Sums that wrap, then minima and maxima of them: one instruction."""
    x, y, z = (a >> 2 for a in numbers(I, 300))
    expected = np.maximum(x + y, I(-100)) + np.minimum(x - z, I(77))
    np.testing.assert_array_equal(evaluate(machine, "int_clamped_sum", x, y, z, I), expected)


def clamp(x, dtype, of_nan, how=np.trunc):
    """To integers as PTX says: rounded, clamped, NaN given a number of its own."""
    info = np.iinfo(dtype)
    whole = how(x).tolist()
    return np.array([of_nan if a != a else int(min(max(a, info.min), info.max)) for a in whole], dtype)


@pytest.mark.parametrize(
    ("kernel", "source", "target", "of_nan", "how"),
    [
        ("float_to_int_nearest", F, I, 0, np.rint),
        ("float_to_int_down", F, I, 0, np.floor),
        ("float_to_int_up", F, I, 0, np.ceil),
        ("float_to_int", F, I, 0, np.trunc),
        ("float_to_uint", F, U, 0, np.trunc),
        ("float_to_long", F, L, -(2**63), np.trunc),
        ("float_to_ulong", F, UL, 2**63, np.trunc),
        ("double_to_int", D, I, -(2**31), np.trunc),
        ("double_to_uint", D, U, 2**31, np.trunc),
        ("double_to_long", D, L, -(2**63), np.trunc),
        ("double_to_ulong", D, UL, 2**63, np.trunc),
    ],
)
def test_to_integers(machine, kernel, source, target, of_nan, how):
    x, y, z = numbers(source)
    expected = clamp(x.astype(D), target, of_nan, how)
    np.testing.assert_array_equal(evaluate(machine, kernel, x, y, z, target), expected)


def test_to_bytes(machine):
    x = np.ascontiguousarray(np.linspace(0, 255.9, 999, dtype=F))
    np.testing.assert_array_equal(evaluate(machine, "float_to_byte", x, x + 0, x + 0, np.uint8), x.astype(np.uint8))


def exact_numbers(dtype, bits):
    """Numbers whose product plus a third one a wider type holds exactly."""
    g = np.random.default_rng(5)
    x, y = g.integers(-(2**bits), 2**bits, (2, 5000))
    z = g.integers(-(2 ** (2 * bits)), 2 ** (2 * bits), 5000) >> g.integers(0, bits, 5000)
    return [np.ascontiguousarray(a.astype(dtype)) for a in (x, y, z)]


@pytest.mark.parametrize(
    ("kernel", "dtype", "wide", "bits", "way"),
    [
        ("float_fused", F, D, 24, None),
        ("float_fused_down", F, D, 24, -1),
        ("double_fused", D, np.longdouble, 31, None),
        ("double_add_up", D, np.longdouble, 31, 1),
        ("double_multiply_down", D, np.longdouble, 31, -1),
    ],
)
def test_rounded_once(machine, kernel, dtype, wide, bits, way):
    x, y, z = exact_numbers(dtype, bits)
    if "add" in kernel:
        exact = x.astype(wide) + y
    elif "multiply" in kernel:
        x, y = x + dtype(1 / 3), y * dtype(1.1)  # so that products are long
        exact = x.astype(wide) * y
        keep = np.abs(x.astype(wide) * y - exact) == 0
        x, y, z, exact = x[keep], y[keep], z[keep], exact[keep]
        if wide is np.longdouble:  # 64 bits hold no product of 106: ask for the bound alone
            actual = evaluate(machine, kernel, x, y, z, dtype).astype(wide)
            assert (
                (actual <= exact * (1 + 1e-19 * np.sign(exact))) & (np.abs(actual - exact) < np.abs(exact) * 3e-16)
            ).all()
            return
    else:
        exact = x.astype(wide) * y + z
    expected = exact.astype(dtype) if way is None else rounded(exact, dtype, way)
    actual = evaluate(machine, kernel, x, y, z, dtype)
    np.testing.assert_array_equal(actual, expected)


def brain(x):
    """Rounds floats to the nearest bfloat16, as its bits."""
    bits = np.asarray(x, F).view(U).astype(UL)
    out = ((bits + UL(0x7FFF) + ((bits >> UL(16)) & UL(1))) >> UL(16)).astype(np.uint16)
    return np.where(np.isnan(x), np.uint16(0x7FFF), out)


def from_brain(bits):
    return (bits.astype(U) << U(16)).view(F)


def test_halves(machine):
    """Fused operations of halves round once: doubles hold what they round, of numbers that are not too far apart."""
    g = np.random.default_rng(7)
    x, y, z = (np.ascontiguousarray(a.astype(H)) for a in g.uniform(-9, 9, (3, 4000)))
    expected = (x.astype(D) * y + z).astype(H)
    np.testing.assert_array_equal(evaluate(machine, "half_fused", x, y, z, H), expected)
    pairs = [a.reshape(-1, 2)[:128].copy() for a in (x, y, z)]
    out = np.zeros((128, 2), H)
    machine.run("half_pairs", 1, 128, *pairs, out, np.uint32(128))
    expected = (pairs[0][:, ::-1].astype(D) * pairs[1] + pairs[2][:, 1:]).astype(H)
    np.testing.assert_array_equal(out, expected)
    for a in (*pairs, out):
        machine.forget(a)


def test_brain_floats(machine):
    x, y, z = (brain(a) for a in np.random.default_rng(7).uniform(-9, 9, (3, 4000)).astype(F))
    expected = brain((from_brain(x).astype(D) * from_brain(y) + from_brain(z)).astype(F))
    np.testing.assert_array_equal(evaluate(machine, "brain_fused", x, y, z, np.uint16), expected)
    np.testing.assert_array_equal(evaluate(machine, "brain_to_float", x, y, z, F), from_brain(x) * F(3))
    a = numbers(F)[0]
    np.testing.assert_array_equal(evaluate(machine, "float_to_brain", a, a + 0, a + 0, np.uint16), brain(a))


FUNCTIONS = {  # how many ulps, beside an absolute error
    "float_exponential": (F, lambda x, y: np.exp(x), 3, 0, 80),
    "float_logarithm": (F, lambda x, y: np.log(np.abs(x)), 3, 0, 1e30),
    "float_sine": (F, lambda x, y: np.sin(x), 3, 0, 1e5),
    "float_arctangent": (F, lambda x, y: np.arctan2(x, y), 4, 0, 1e5),
    "float_hyperbolic": (F, lambda x, y: np.tanh(x), 4, 0, 20),
    "fast_exponential": (F, lambda x, y: np.exp(x), 120, 0, 80),
    "fast_logarithm": (F, lambda x, y: np.log(np.abs(x)), 3, 2**-21, 1e30),
    "fast_sine": (F, lambda x, y: np.sin(x), 2, 2**-20, 3.1),
    "fast_cosine": (F, lambda x, y: np.cos(x), 2, 2**-20, 3.1),
    "fast_divide": (F, lambda x, y: x / y, 2.5, 0, 1e5),
    "fast_reciprocal_root": (F, lambda x, y: 1 / np.sqrt(np.abs(x)), 2, 0, 1e5),
    "fast_reciprocal": (F, lambda x, y: 1 / x, 1, 0, 1e5),
    "double_sine": (D, lambda x, y: np.sin(x), 2, 0, 1e5),
    "double_logarithm": (D, lambda x, y: np.log(np.abs(x)), 2, 0, 1e30),
    "double_reciprocal_root": (D, lambda x, y: 1 / np.sqrt(np.abs(x)), 2, 0, 1e5),
}


@pytest.mark.parametrize("kernel", FUNCTIONS)
def test_functions(machine, kernel):
    """As near as CUDA's documentation says."""
    dtype, f, ulps, absolute, most_ = FUNCTIONS[kernel]
    x, y = np.random.default_rng(1).uniform(-1, 1, (2, 4000)).astype(dtype) * dtype(min(most_, 1e5))
    if any(name in kernel for name in ("logarithm", "root")):
        x = np.abs(x)
    wide = D if dtype is F else np.longdouble
    expected = f(x.astype(wide), y.astype(wide))
    error = np.abs(evaluate(machine, kernel, x, y, y + 0, dtype).astype(wide) - expected)
    assert (error <= ulps * np.spacing(np.abs(expected).astype(dtype)).astype(wide) + absolute).all()


def test_approximations_are_inexact():
    """A switch turns errors of approximations off; with them, about a third of the reciprocals are not the nearest."""
    x = np.ascontiguousarray(np.random.default_rng(1).uniform(1, 2, 3000).astype(F))
    exact, inexact = (
        evaluate(machine_of("numbers", inexact=on), "fast_reciprocal", x, x + 0, x + 0, F) for on in (False, True)
    )
    np.testing.assert_array_equal(exact, 1 / x)
    assert 0.2 < (inexact != exact).mean() < 0.5
    assert (np.abs(inexact - 1 / x.astype(D)) < np.spacing(exact)).all()
    powers = np.exp2(np.arange(-120, 120)).astype(F)
    result = evaluate(machine_of("numbers"), "fast_reciprocal", powers, powers + 0, powers + 0, F)
    np.testing.assert_array_equal(result, 1 / powers)
