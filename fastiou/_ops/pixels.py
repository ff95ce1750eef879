"""What torch has to know about the operators on pixels: fake kernels and batching rules."""

from __future__ import annotations

import torch

from .rows import rules_of_loss
from .sets import fake_gradients, fake_scores, fold, unfolded
from .signatures import PixelOptions


def _fake_pixel_pairwise(boxes1, boxes2, *options):
    return fake_scores(boxes1, boxes2)


def _vmap_pixel_pairwise(info, in_dims, boxes1, boxes2, *options):
    sets, unfold = fold(info, in_dims[:2], (boxes1, boxes2))
    return unfold(torch.ops.fastiou.pixel_pairwise(*sets, *options)), 0


def _fake_pixel_pairwise_backward(grad, boxes1, boxes2, *rest):
    *_, grad1, grad2 = rest
    return fake_gradients(boxes1, boxes2, grad1, grad2)


def _vmap_pixel_pairwise_backward(info, in_dims, grad, boxes1, boxes2, *rest):
    # The boxes come first: they tell whether there is a batch besides that of vmap.
    (boxes1, boxes2, grad), unfold = fold(info, (*in_dims[1:3], in_dims[0]), (boxes1, boxes2, grad))
    grads = torch.ops.fastiou.pixel_pairwise_backward(grad, boxes1, boxes2, *rest)
    return unfolded(grads, unfold, rest[-2:])


#: Fake kernel and batching rule by operator.
RULES = {
    "pixel_loss": rules_of_loss("pixel_loss", PixelOptions),
    "pixel_pairwise": (_fake_pixel_pairwise, _vmap_pixel_pairwise),
    "pixel_pairwise_backward": (_fake_pixel_pairwise_backward, _vmap_pixel_pairwise_backward),
}
