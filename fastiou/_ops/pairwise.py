"""What torch has to know about the operators of pairwise scores: fake kernels and batching rules."""

from __future__ import annotations

import torch

from .sets import fake_gradients, fake_scores, fold, unfolded
from .signatures import PairwiseOptions


def _fake_pairwise(boxes1, boxes2, *options):
    return fake_scores(boxes1, boxes2)


def _vmap_pairwise(info, in_dims, boxes1, boxes2, *options):
    options, dims = PairwiseOptions(*options), PairwiseOptions(*in_dims[2:])
    (boxes1, boxes2, mask1, mask2), unfold = fold(
        info, (*in_dims[:2], dims.mask1, dims.mask2), (boxes1, boxes2, options.mask1, options.mask2)
    )
    return unfold(torch.ops.fastiou.pairwise(boxes1, boxes2, *options._replace(mask1=mask1, mask2=mask2))), 0


def _fake_pairwise_backward(grad, boxes1, boxes2, *rest):
    *_, grad1, grad2 = rest
    return fake_gradients(boxes1, boxes2, grad1, grad2)


def _vmap_pairwise_backward(info, in_dims, grad, boxes1, boxes2, *rest):
    *options, grad1, grad2 = rest
    options, dims = PairwiseOptions(*options), PairwiseOptions(*in_dims[3:-2])
    # The boxes come first: they tell whether there is a batch besides that of vmap.
    (boxes1, boxes2, mask1, mask2, grad), unfold = fold(
        info,
        (*in_dims[1:3], dims.mask1, dims.mask2, in_dims[0]),
        (boxes1, boxes2, options.mask1, options.mask2, grad),
    )
    options = options._replace(mask1=mask1, mask2=mask2)
    grads = torch.ops.fastiou.pairwise_backward(grad, boxes1, boxes2, *options, grad1, grad2)
    return unfolded(grads, unfold, (grad1, grad2))


#: Fake kernel and batching rule by operator.
RULES = {
    "pairwise": (_fake_pairwise, _vmap_pairwise),
    "pairwise_backward": (_fake_pairwise_backward, _vmap_pairwise_backward),
}
