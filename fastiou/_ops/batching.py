"""What all batching rules share."""

from __future__ import annotations


def batch_first(info, dims, tensors):
    """Batch dimension to the front of every tensor, expanded where a tensor has none."""
    return [
        x if x is None else (x.expand(info.batch_size, *x.shape) if d is None else x.movedim(d, 0))
        for x, d in zip(tensors, dims, strict=True)
    ]
