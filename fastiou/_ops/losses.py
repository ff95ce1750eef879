"""What torch has to know about the operators of the losses of upright boxes: fake kernels and batching rules."""

from __future__ import annotations

import torch

from .batching import batch_first
from .rows import dense_like, rules_of_loss
from .signatures import PairOptions


def _fake_scale_rows(partials, grad, dtype, link=None):
    return dense_like(partials, dtype)


def _vmap_scale_rows(info, in_dims, partials, grad, dtype, link=None):
    partials, grad = batch_first(info, in_dims[:2], (partials, grad))
    grad = grad.reshape(*grad.shape, *[1] * (partials.dim() - 1 - grad.dim()))  # one number per sample
    return torch.ops.fastiou.scale_rows(partials, grad.expand(partials.shape[:-1]), dtype), 0


#: Fake kernel and batching rule by operator.
RULES = {
    "pair_loss": rules_of_loss("pair_loss", PairOptions),
    "scale_rows": (_fake_scale_rows, _vmap_scale_rows),
}
