"""What torch has to know about the operators of non-maximum suppression: fake kernels and batching rules."""

from __future__ import annotations

import torch
from torch import Tensor

from .._dtypes import compute_dtype, decayed_dtype
from .batching import batch_first
from .signatures import NmsOptions


def _outputs(boxes: Tensor, *dtypes: torch.dtype) -> list[Tensor]:
    return [boxes.new_empty(boxes.shape[:1], dtype=dtype) for dtype in dtypes]


def _count(boxes: Tensor) -> Tensor:
    return boxes.new_empty((), dtype=torch.int64)


def _fake_nms(boxes, scores, idxs, *options):
    rows = boxes.shape[0] if NmsOptions(*options).merge else 0
    merged = boxes.new_empty((rows, 4), dtype=compute_dtype(boxes))
    return *_outputs(boxes, torch.bool, torch.int64), _count(boxes), merged


def _fake_soft_nms(boxes, scores, idxs, *options):
    return *_outputs(boxes, torch.int64, decayed_dtype(scores)), _count(boxes)


def _fake_matrix_nms(boxes, scores, idxs, *options):
    return _outputs(boxes, decayed_dtype(scores))[0]


def _sample_by_sample(name: str):
    """A batching rule that calls the operator for one sample after the other: its classes already fill the machine."""

    def rule(info, in_dims, boxes, scores, idxs, *options):
        operator = getattr(torch.ops.fastiou, name)
        rows = batch_first(info, in_dims[:3], (boxes, scores, idxs))
        results = [operator(*(x if x is None else x[i] for x in rows), *options) for i in range(info.batch_size)]
        if isinstance(results[0], Tensor):
            return torch.stack(results), 0
        return tuple(map(torch.stack, zip(*results, strict=True))), (0,) * len(results[0])

    return rule


#: Fake kernel and batching rule by operator.
RULES = {
    "nms": (_fake_nms, _sample_by_sample("nms")),
    "soft_nms": (_fake_soft_nms, _sample_by_sample("soft_nms")),
    "matrix_nms": (_fake_matrix_nms, _sample_by_sample("matrix_nms")),
}
