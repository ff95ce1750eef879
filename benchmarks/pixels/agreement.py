"""Whether all that are measured compute the same loss and gradient."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..provider import Provider
from .case import Case, make_data

TOLERANCES = {"rtol": 1e-4, "atol": 1e-4}  # relative to the largest number


def check_agreement(case: Case, providers: Iterable[Provider]) -> None:
    """Raises an AssertionError that names the one that differs from the first, on a few pairs.

    What would have to be compiled for these is left out.
    """
    data = make_data(case.tiny())
    expected: list[Tensor] = []
    for provider in (one for one in providers if one.has(case) and not one.compiles):
        forward, backward = provider.steps(case, data)
        value = forward()
        found = [value.detach(), *(backward(value) if case.mode == "full" else ())]
        expected = expected or found
        for own, other in zip(found, expected, strict=True):
            size = other.abs().max()
            torch.testing.assert_close(own / size, other / size, msg=f"{provider.name}: {case.name}", **TOLERANCES)
