"""The order in which threads and blocks take their turns changes no bit of what kernels compute."""

import functools
import shutil

import pytest
import torch
from emulation import seed_emulations
from samples import SAMPLES, results

import fastiou

pytestmark = [
    pytest.mark.skipif(fastiou.backend() == "fallback", reason="the kernels' names of kinds are not known"),
    pytest.mark.skipif(not shutil.which("g++"), reason="needs g++"),
]


@functools.cache
def in_order(sample: str, seed: int) -> list[torch.Tensor]:
    seed_emulations(seed)
    return results(sample)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("sample", SAMPLES)
def test_any_order_gives_the_same_bits(sample, seed):
    expected, actual = in_order(sample, 0), in_order(sample, seed)
    assert len(expected) == len(actual) > 0
    for a, e in zip(actual, expected, strict=True):
        assert a.dtype == e.dtype and a.shape == e.shape
        assert torch.equal(*(x.contiguous().flatten().view(torch.uint8) for x in (a, e)))
