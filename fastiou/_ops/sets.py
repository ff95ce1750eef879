"""What torch has to know about the operators on sets of boxes: fake kernels and batching rules.

The operators take sets ``(count, 4)`` or ``(batch, count, 4)``; vmap adds the batch, or folds its own into it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..reference import compute_dtype
from .losses import batch_first


def score_dtype(*boxes: Tensor) -> torch.dtype:
    """What they are returned as."""
    return torch.float64 if any(b.dtype == torch.float64 for b in boxes) else torch.float32


def fake_scores(boxes1, boxes2):
    return boxes1.new_empty((*boxes1.shape[:-1], boxes2.shape[-2]), dtype=score_dtype(boxes1, boxes2))


def fake_gradients(boxes1, boxes2, grad1, grad2):
    dtype = compute_dtype(boxes1, boxes2)
    return tuple(
        boxes.new_empty(boxes.shape if wanted else (0,), dtype=dtype)
        for boxes, wanted in ((boxes1, grad1), (boxes2, grad2))
    )


def fold(info, dims, tensors):
    """Batch dimensions to the front, merged with the batch that is there; how to take the result apart again."""
    tensors = batch_first(info, dims, tensors)
    if tensors[0].dim() == 3:
        return tensors, lambda x: x
    own = tensors[0].shape[1]
    folded = [x if x is None else x.reshape(info.batch_size * own, *x.shape[2:]) for x in tensors]
    return folded, lambda x: x.reshape(info.batch_size, own, *x.shape[1:])


def _fake_pairwise(boxes1, boxes2, mask1, mask2, kind, format1, format2, eps_overlap, eps_area, eps_ratio):
    return fake_scores(boxes1, boxes2)


def _vmap_pairwise(info, in_dims, boxes1, boxes2, mask1, mask2, *rest):
    sets, unfold = fold(info, in_dims[:4], (boxes1, boxes2, mask1, mask2))
    return unfold(torch.ops.fastiou.pairwise(*sets, *rest)), 0


def _fake_pairwise_backward(grad, boxes1, boxes2, mask1, mask2, kind, format1, format2, eps_overlap, eps_area,
                            eps_ratio, grad1, grad2):  # fmt: skip
    return fake_gradients(boxes1, boxes2, grad1, grad2)


def _vmap_pairwise_backward(info, in_dims, grad, boxes1, boxes2, mask1, mask2, *rest):
    # The boxes come first: they tell whether there is a batch besides that of vmap.
    (b1, b2, m1, m2, g), unfold = fold(info, (*in_dims[1:5], in_dims[0]), (boxes1, boxes2, mask1, mask2, grad))
    grads = torch.ops.fastiou.pairwise_backward(g, b1, b2, m1, m2, *rest)
    wanted = rest[-2:]
    grads = [unfold(x) if w else x for x, w in zip(grads, wanted, strict=True)]
    return tuple(grads), tuple(0 if w else None for w in wanted)


def _fake_max_iou(boxes, gts, boxes_mask, gts_mask, kind, format1, format2, eps_overlap, eps_area, eps_ratio):
    dtype = compute_dtype(boxes, gts)
    return tuple(own.new_empty(own.shape[:-1], dtype=d) for own in (boxes, gts) for d in (dtype, torch.int64))


def _vmap_max_iou(info, in_dims, boxes, gts, boxes_mask, gts_mask, *rest):
    sets, unfold = fold(info, in_dims[:4], (boxes, gts, boxes_mask, gts_mask))
    return tuple(unfold(x) for x in torch.ops.fastiou.max_iou(*sets, *rest)), (0, 0, 0, 0)


def _fake_tied_gts(boxes, gts, boxes_mask, gts_mask, gt_values, least, kind, format1, format2, eps_overlap, eps_area,
                   eps_ratio):  # fmt: skip
    return boxes.new_empty(boxes.shape[:-1], dtype=torch.int64)


def _vmap_tied_gts(info, in_dims, boxes, gts, boxes_mask, gts_mask, gt_values, *rest):
    sets, unfold = fold(info, in_dims[:5], (boxes, gts, boxes_mask, gts_mask, gt_values))
    sets[4] = sets[4].contiguous()
    return unfold(torch.ops.fastiou.tied_gts(*sets, *rest)), 0


#: Fake kernel and batching rule by operator.
RULES = {
    "pairwise": (_fake_pairwise, _vmap_pairwise),
    "pairwise_backward": (_fake_pairwise_backward, _vmap_pairwise_backward),
    "max_iou": (_fake_max_iou, _vmap_max_iou),
    "tied_gts": (_fake_tied_gts, _vmap_tied_gts),
}
