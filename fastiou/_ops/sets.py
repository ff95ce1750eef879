"""What the operators on sets of boxes share: fake results, the batches of vmap.

The operators take sets ``(count, 4)`` or ``(batch, count, 4)``; vmap adds the batch, or folds its own into it.
"""

from __future__ import annotations

from .._dtypes import compute_dtype, score_dtype
from .batching import batch_first


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


def unfolded(grads, unfold, wanted: tuple[bool, bool]):
    """Gradients of both sets, taken apart if they are wanted, and their batch dimensions."""
    grads = tuple(unfold(x) if w else x for x, w in zip(grads, wanted, strict=True))
    return grads, tuple(0 if w else None for w in wanted)
