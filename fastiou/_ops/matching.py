"""What torch has to know about the operators of matching: fake kernels and batching rules."""

from __future__ import annotations

import torch

from .._dtypes import compute_dtype
from .sets import fold
from .signatures import MatchingOptions, TiedGtsOptions


def _fake_max_iou(boxes, gts, *options):
    dtype = compute_dtype(boxes, gts)
    return tuple(own.new_empty(own.shape[:-1], dtype=d) for own in (boxes, gts) for d in (dtype, torch.int64))


def _fake_tied_gts(boxes, gts, *options):
    return boxes.new_empty(boxes.shape[:-1], dtype=torch.int64)


def _folded(info, in_dims, options_type, boxes, gts, options, *tensors):
    """Both sets, the options whose ``tensors`` have the batch too, and how to take results apart."""
    options, dims = options_type(*options), options_type(*in_dims[2:])
    tensors = "boxes_mask", "gts_mask", *tensors
    (boxes, gts, *folded), unfold = fold(
        info,
        (*in_dims[:2], *(getattr(dims, name) for name in tensors)),
        (boxes, gts, *(getattr(options, name) for name in tensors)),
    )
    return boxes, gts, options._replace(**dict(zip(tensors, folded, strict=True))), unfold


def _vmap_max_iou(info, in_dims, boxes, gts, *options):
    boxes, gts, options, unfold = _folded(info, in_dims, MatchingOptions, boxes, gts, options)
    return tuple(unfold(x) for x in torch.ops.fastiou.max_iou(boxes, gts, *options)), (0, 0, 0, 0)


def _vmap_tied_gts(info, in_dims, boxes, gts, *options):
    boxes, gts, options, unfold = _folded(info, in_dims, TiedGtsOptions, boxes, gts, options, "gt_values")
    options = options._replace(gt_values=options.gt_values.contiguous())
    return unfold(torch.ops.fastiou.tied_gts(boxes, gts, *options)), 0


#: Fake kernel and batching rule by operator.
RULES = {
    "max_iou": (_fake_max_iou, _vmap_max_iou),
    "tied_gts": (_fake_tied_gts, _vmap_tied_gts),
}
