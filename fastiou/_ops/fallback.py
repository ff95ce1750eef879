"""Operators in plain PyTorch, for devices without compiled kernels: the same schemas, the same rules.

What they compute has shapes that depend on data. As operators they are opaque to torch.compile, export and vmap, like
the compiled ones.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .._dtypes import compute_dtype, largest_gradient, score_dtype
from .._names import LINKS
from ..reference.formats import BoxFormat
from ..reference.pixels import Boxes, Raster, intersection, piou, wide_dtype
from .rows import AVG_FACTOR_EPS, REDUCTIONS, dense_like
from .signatures import PixelOptions, PixelPairwiseOptions, SoftPixelOptions, schema_of

#: Below this, PIoU has vanished: a gradient that is passed straight through a floor is that of softer edges.
_VANISHED = 1e-6
_HALVINGS = 200
_PAIRS = 1 << 16


def scale_rows(partials: Tensor, grad: Tensor, dtype: torch.dtype, link: Tensor | None = None) -> Tensor:
    """Partial derivatives of rows, times the incoming gradient."""
    return dense_like(partials, dtype).copy_(partials * grad.unsqueeze(-1))


class _Side:
    """Boxes of one argument: what was given, flattened, and how to read it."""

    def __init__(self, boxes: Tensor, code: int):
        self.format, self.like = BoxFormat(code), boxes
        self.rows = boxes.reshape(-1, boxes.shape[-1]).to(wide_dtype(boxes.device))
        self.finite = self.rows.isfinite().all(-1)

    def read(self, raster: Raster) -> Boxes:
        return Boxes.read(self.rows, self.format, raster).measured(raster)

    def written(self, by_box: Tensor, raster: Raster) -> Tensor:
        """Derivatives in pixels of the raster -> by the numbers that were given."""
        per_unit = by_box.new_tensor([raster.pixels_per_unit] * 4 + [1.0])
        return self.format.write(by_box * per_unit)

    def saturated(self, grad: Tensor, dtype: torch.dtype) -> Tensor:
        largest = largest_gradient(self.like, dtype)
        return grad.clamp(-largest, largest)


def _linked(link: str, q: Tensor, floor: float, least: float) -> tuple[Tensor, Tensor]:
    """The loss that is made of a PIoU, and its slope where that is at least ``least``."""
    if link == "none":
        return q, torch.ones_like(q)
    if link == "one_minus":
        return 1 - q, -torch.ones_like(q)
    return -q.clamp(min=floor).log(), torch.where(q >= least, -1 / q.clamp(min=least), 0.0)


def _add_pull(sides: list[_Side], link: str, raster: Raster, far: Tensor, grads: list[Tensor]) -> None:
    """Puts in the gradients of pairs, given by number, whose PIoU has vanished: those with the first softer edges."""
    for halvings in range(1, _HALVINGS + 1):
        if len(far) == 0:
            return
        softer = raster.softer(halvings)
        boxes = [Boxes.read(side.rows[far], side.format, softer) for side in sides]
        near = intersection(*boxes, softer)[0].nonzero().squeeze(-1)
        q, *by_box = piou(*(b.take(near).measured(softer) for b in boxes), softer)
        seen = q >= _VANISHED
        slope = _linked(link, q, _VANISHED, _VANISHED)[1].unsqueeze(-1)
        pairs = far[near[seen]]
        for side, grad, by_i in zip(sides, grads, by_box, strict=True):
            grad[pairs] = side.written(by_i * slope, softer)[seen]
        left = torch.ones_like(far, dtype=torch.bool)
        left[near[seen]] = False
        far = far[left]


def pixel_loss(pred, target, *rest):
    """The loss, and its partial derivatives where they are wanted."""
    *options, grad_pred, grad_target = rest
    o, dtype = PixelOptions(*options), score_dtype(pred, target)
    raster = Raster.of(o.area_union, o.hard, o.k, o.scale, dtype)
    sides = [_Side(pred, o.pred_format), _Side(target, o.target_format)]
    boxes = [side.read(raster) for side in sides]
    q, *by_box = piou(*boxes, raster)
    link = LINKS[o.link]
    loss, slope = _linked(link, q, o.floor, _VANISHED if o.straight_through else o.floor)
    grads = [side.written(x, raster) * slope.unsqueeze(-1) for side, x in zip(sides, by_box, strict=True)]
    if o.straight_through and (grad_pred or grad_target):
        vanished = (q < _VANISHED) & ~(boxes[0].empty | boxes[1].empty)
        _add_pull(sides, link, raster, vanished.nonzero().squeeze(-1), grads)

    rows = o.factor * _row_factor(q, o)
    finite = sides[0].finite & sides[1].finite & rows.isfinite()
    largest = torch.finfo(dtype).max
    loss = torch.where(finite, (loss * rows).clamp(-largest, largest), torch.nan)
    if o.reduction == REDUCTIONS["none"]:
        loss = loss.reshape(pred.shape[:-1]).to(dtype)
    else:
        loss = loss.sum().clamp(-largest, largest).to(dtype)
    partials: list[Tensor | None] = [None for _ in sides]
    for i, wanted in enumerate((grad_pred, grad_target)):
        if wanted:
            grad = sides[i].saturated(grads[i] * rows.unsqueeze(-1), dtype)
            grad = torch.where(finite.unsqueeze(-1), grad, torch.nan)
            like = sides[i].like
            partials[i] = dense_like(like, dtype).copy_(grad.reshape(like.shape))
    return loss, *partials


def _row_factor(q: Tensor, o: PixelOptions) -> Tensor:
    """What every row is multiplied by: weight and divisor of the reduction."""
    factor = torch.ones_like(q) if o.weight is None else o.weight.reshape(-1).to(q.dtype)
    if o.divisor is not None:
        return factor / (o.divisor + AVG_FACTOR_EPS)
    if o.avg_factor is not None:
        return factor / (o.avg_factor.to(q.dtype) + AVG_FACTOR_EPS)
    return factor / max(len(q), 1) if o.reduction == REDUCTIONS["mean"] else factor


class _Sets:
    """All pairs of two sets ``(N, K)`` or ``(B, N, K)``."""

    def __init__(self, boxes1, boxes2, o: PixelPairwiseOptions):
        self.shape = *boxes1.shape[:-1], boxes2.shape[-2]
        self.raster = Raster.of(o.area_union, o.hard, o.k, o.scale, score_dtype(boxes1, boxes2))
        self.sides = [_Side(boxes1, o.format1), _Side(boxes2, o.format2)]
        self.boxes = [side.read(self.raster) for side in self.sides]

    def scored(self):
        """(pair, first box, second box, score, its derivatives) for some pairs at a time, all by number."""
        n, m = self.shape[-2:]
        count = torch.Size(self.shape).numel()
        for start in range(0, count, _PAIRS):
            pair = torch.arange(start, min(start + _PAIRS, count), device=self.boxes[0].box.device)
            rows = pair // m, pair // (n * m) * m + pair % m
            q, *by_box = piou(*(b.take(i) for b, i in zip(self.boxes, rows, strict=True)), self.raster)
            finite = self.sides[0].finite[rows[0]] & self.sides[1].finite[rows[1]]
            yield pair, rows, torch.where(finite, q, torch.nan), by_box


def pixel_pairwise(boxes1, boxes2, *options):
    """PIoU of every box of one set with every box of another."""
    sets = _Sets(boxes1, boxes2, PixelPairwiseOptions(*options))
    scores = boxes1.new_empty(sets.shape, dtype=score_dtype(boxes1, boxes2))
    for pair, _, q, _ in sets.scored():
        scores.view(-1)[pair] = q.to(scores.dtype)
    return scores


def pixel_pairwise_backward(grad, boxes1, boxes2, *rest):
    """Gradients of the sum of scores times ``grad``."""
    *options, grad1, grad2 = rest
    sets = _Sets(boxes1, boxes2, SoftPixelOptions(*options).forward(hard=False))
    dtype = compute_dtype(boxes1, boxes2)
    incoming = grad.reshape(-1)
    results = [torch.empty(0, dtype=dtype, device=boxes1.device) for _ in sets.sides]
    totals = [side.rows.new_zeros(side.rows.shape) for side in sets.sides]
    for pair, rows, q, by_box in sets.scored():
        for i, side in enumerate(sets.sides):
            by_pair = side.saturated(side.written(by_box[i], sets.raster), dtype)
            by_pair = torch.where(q.isfinite().unsqueeze(-1), by_pair, torch.nan)
            totals[i].index_add_(0, rows[i], by_pair * incoming[pair].unsqueeze(-1).to(by_pair.dtype))
    for i, (side, wanted) in enumerate(zip(sets.sides, (grad1, grad2), strict=True)):
        if wanted:
            results[i] = side.saturated(totals[i], dtype).to(dtype).reshape(side.like.shape)
    return tuple(results)


_SETS = "Tensor boxes1, Tensor boxes2"
#: Kernel, options, and schema without them, by operator.
_KERNELS = {
    scale_rows: (None, "scale_rows(Tensor partials, Tensor grad, ScalarType dtype, Tensor? link=None) -> Tensor"),
    pixel_loss: (
        PixelOptions,
        "pixel_loss(Tensor pred, Tensor target, {}, bool grad_pred, bool grad_target) -> (Tensor, Tensor, Tensor)",
    ),
    pixel_pairwise: (PixelPairwiseOptions, f"pixel_pairwise({_SETS}, {{}}) -> Tensor"),
    pixel_pairwise_backward: (
        SoftPixelOptions,
        f"pixel_pairwise_backward(Tensor grad, {_SETS}, {{}}, bool grad1, bool grad2) -> (Tensor, Tensor)",
    ),
}
#: Schema and kernel by operator.
OPERATORS = {
    kernel.__name__: (text if options is None else text.format(schema_of(options)), kernel)
    for kernel, (options, text) in _KERNELS.items()
}
