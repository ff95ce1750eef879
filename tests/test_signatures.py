"""The arguments of operators, as Python names them, are those of the registered schemas, in their order."""

from typing import get_type_hints

import pytest
import torch

import fastiou
from fastiou._ops import signatures

FLAGS, SET_FLAGS = ("grad_pred", "grad_target"), ("grad1", "grad2")
SETS, DETECTIONS = ("boxes1", "boxes2"), ("boxes", "scores", "idxs")
#: By operator: what comes before the options, the options, and what comes after.
OPERATORS = {
    "pair_loss": (("pred", "target"), signatures.PairOptions, FLAGS),
    "rotated_loss": (("pred", "target"), signatures.RotatedOptions, FLAGS),
    "pixel_loss": (("pred", "target"), signatures.PixelOptions, FLAGS),
    "pairwise": (SETS, signatures.PairwiseOptions, ()),
    "pairwise_backward": (("grad", *SETS), signatures.PairwiseOptions, SET_FLAGS),
    "max_iou": (("boxes", "gts"), signatures.MatchingOptions, ()),
    "tied_gts": (("boxes", "gts"), signatures.TiedGtsOptions, ()),
    "nms": (DETECTIONS, signatures.NmsOptions, ()),
    "soft_nms": (DETECTIONS, signatures.SoftNmsOptions, ()),
    "matrix_nms": (DETECTIONS, signatures.MatrixNmsOptions, ()),
    "pixel_pairwise": (SETS, signatures.PixelPairwiseOptions, ()),
    "pixel_pairwise_backward": (("grad", *SETS), signatures.SoftPixelOptions, SET_FLAGS),
}
#: Types of a schema as torch prints those of a registered one.
PRINTED = {"Tensor?": "Optional[Tensor]", "float?": "Optional[float]"}


@pytest.mark.parametrize("name", OPERATORS)
def test_options_are_those_of_the_schema(name):
    if not hasattr(torch.ops.fastiou, name):
        assert fastiou.backend() == "fallback"
        pytest.skip("the operator is not compiled")
    before, options, after = OPERATORS[name]
    arguments = getattr(torch.ops.fastiou, name).default._schema.arguments
    assert [a.name for a in arguments] == [*before, *options._fields, *after]
    own = arguments[len(before) : len(arguments) - len(after)]
    types = [signatures.SCHEMA_TYPES[hint] for hint in get_type_hints(options).values()]
    assert [str(a.type) for a in own] == [PRINTED.get(t, t) for t in types]


def test_every_operator_with_options_is_compared():
    registered = {
        name.removeprefix("fastiou::") for name in torch._C._dispatch_get_all_op_names() if "fastiou::" in name
    }
    assert {name.split(".")[0] for name in registered} - {"scale_rows"} <= set(OPERATORS)
