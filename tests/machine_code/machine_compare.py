"""What machine code computes, beside what CPU kernels say of the same numbers in float64."""

from __future__ import annotations

import torch
from torch import Tensor

native = torch.ops.fastiou

#: Which gradients are wanted.
WANTED = ((False, False), (True, False), (False, True), (True, True))


def in_double(args: tuple) -> tuple:
    """The same numbers in float64."""
    return tuple(x.double() if isinstance(x, Tensor) and x.dtype != torch.bool else x for x in args)


def misaligned(x: Tensor) -> Tensor:
    """The same numbers one element into a larger tensor: rows are packed, and no vector may load them."""
    big = x.new_full((x.numel() + 1,), float("nan") if x.is_floating_point() else 0)
    big[1:] = x.flatten()
    return big[1:].view(x.shape)


def assert_alike(actual: Tensor | None, expected: Tensor | None) -> None:
    """The same tensor but for its numbers, or a gradient that nobody asked for."""
    assert (actual is None) == (expected is None)
    if expected is None:
        return
    assert actual.shape == expected.shape and actual.dtype == expected.dtype and actual.stride() == expected.stride()


def is_within(boxes: Tensor, exponent: int) -> Tensor:
    """Which boxes have no finite numbers but 0 and those between 2^-exponent and 2^exponent.

    Of others answers are finite, but in float32 the short divisions of GPUs may take tiny numbers for 0 (126), and
    gradients are what rounding has left (30).
    """
    x = boxes.double().abs()
    return ((x == 0) | (x >= 2.0**-exponent) & (x <= 2.0**exponent) | ~x.isfinite()).all(-1)


def off(beside: Tensor | None, expected: Tensor) -> Tensor | float:
    """How far CPU kernels' numbers, of the dtype that is tested, are off: machine code may be so some times as much."""
    return 0.0 if beside is None else 8 * (beside.double() - expected.double()).abs().nan_to_num(0, 0, 0)


def assert_close(actual: Tensor, expected: Tensor, tolerance: float, scale: Tensor | float = 1.0, allowed=0.0) -> None:
    """Errors beyond what is allowed relative to `scale`; NaN where NaN is expected, and infinities alike."""
    actual, expected = actual.double(), expected.double()
    assert torch.equal(actual.isnan(), expected.isnan())
    error = torch.where(actual == expected, 0.0, (actual - expected).abs()).nan_to_num(0, posinf=torch.inf)
    error = (error - allowed).clamp(min=0) / scale
    assert not error.numel() or error.max() <= tolerance, f"{error.max():.1e} > {tolerance:.0e} at {error.argmax()}"


def assert_values(actual: Tensor, expected: Tensor, tolerance: float, beside: Tensor | None = None) -> None:
    """Relative to the value, or to 1 where that is less."""
    scale = expected.double().nan_to_num(0, 0, 0).abs().clamp(min=1)
    assert_close(actual, expected, tolerance, scale, off(beside, expected))


def assert_gradients(
    actual: Tensor | None, expected: Tensor | None, tolerance: float, beside: Tensor | None = None
) -> None:
    """Relative to the largest partial of the row, or to 0.001 where that is less: that is what rounding has left."""
    if actual is expected is None:  # nobody asked for it
        return
    assert actual.shape == expected.shape
    if actual.numel():
        scale = expected.double().nan_to_num(0, 0, 0).abs().amax(-1, keepdim=True).clamp(min=1e-3)
        allowed = 0.0 if beside is None else off(beside, expected).amax(-1, keepdim=True)
        assert_close(actual, expected, tolerance, scale, allowed)


def assert_losses(actual: tuple, expected: tuple, of_value: float, of_gradient: float, beside: tuple = ()) -> None:
    """A loss, and the gradients with respect to both boxes."""
    beside = beside or (None,) * len(actual)
    assert_values(actual[0], expected[0], of_value, beside[0])
    for a, e, b in zip(actual[1:], expected[1:], beside[1:], strict=True):
        assert_gradients(a, e, of_gradient, b)


def assert_finite_alike(actual: Tensor, expected: Tensor) -> None:
    """NaN where NaN is expected, else finite."""
    assert_alike(actual, expected)
    assert torch.equal(actual.isfinite(), ~expected.isnan()) and torch.equal(actual.isnan(), expected.isnan())


def assert_equal(actual, expected) -> None:
    """The same numbers, all of them."""
    for a, e in zip(*(x if isinstance(x, tuple) else (x,) for x in (actual, expected)), strict=True):
        assert_alike(a, e)
        torch.testing.assert_close(a, e, rtol=0, atol=0, equal_nan=True)
