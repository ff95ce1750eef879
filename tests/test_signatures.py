"""The arguments of operators, as Python names them, are those of the registered schemas, in their order."""

from typing import get_type_hints

import pytest
import torch
from torch import Tensor

import fastiou
from fastiou._ops import signatures

FLAGS, SET_FLAGS = ("grad_pred", "grad_target"), ("grad1", "grad2")
#: By operator: what comes before the options, the options, and what comes after.
OPERATORS = {
    "pair_loss": (("pred", "target"), signatures.PairOptions, FLAGS),
    "rotated_loss": (("pred", "target"), signatures.RotatedOptions, FLAGS),
    "pixel_loss": (("pred", "target"), signatures.PixelOptions, FLAGS),
    "pairwise": (("boxes1", "boxes2"), signatures.PairwiseOptions, ()),
    "pairwise_backward": (("grad", "boxes1", "boxes2"), signatures.PairwiseOptions, SET_FLAGS),
    "pixel_pairwise_backward": (("grad", "boxes1", "boxes2"), signatures.PixelPairwiseOptions, SET_FLAGS),
}
TYPES = {int: "int", float: "float", bool: "bool", Tensor | None: "Optional[Tensor]", float | None: "Optional[float]"}


@pytest.mark.parametrize("name", OPERATORS)
def test_options_are_those_of_the_schema(name):
    if not hasattr(torch.ops.fastiou, name):
        assert fastiou.backend() == "fallback"
        pytest.skip("the operator is not compiled")
    before, options, after = OPERATORS[name]
    arguments = getattr(torch.ops.fastiou, name).default._schema.arguments
    assert [a.name for a in arguments] == [*before, *options._fields, *after]
    own = arguments[len(before) : len(arguments) - len(after)]
    assert [str(a.type) for a in own] == [TYPES[hint] for hint in get_type_hints(options).values()]


def test_soft_and_hard_pixels_have_one_signature():
    names = [a.name for a in torch.ops.fastiou.pixel_pairwise.default._schema.arguments]
    names.remove("hard")
    assert names == ["boxes1", "boxes2", *signatures.PixelPairwiseOptions._fields]
