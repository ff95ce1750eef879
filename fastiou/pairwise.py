"""Pairwise scores: every box of one set with every box of another."""

from __future__ import annotations

from torch import Tensor

from . import reference
from ._args.options import check_eps
from ._args.rotated import is_rotated
from ._args.sets import SetsCall, check_pairwise_kind, check_sets
from ._dtypes import score_dtype
from ._ops import autograd, kernels
from ._ops.signatures import PairwiseOptions
from .reference import Eps, rotated as reference_rotated


def pairwise_kinds() -> tuple[str, ...]:
    """The kinds of score between sets of boxes: those of :func:`fastiou.kinds`, and ``"iof"``."""
    return tuple(kernels.pairwise_kinds)


def pairwise_iou(
    boxes1: Tensor,
    boxes2: Tensor,
    kind: str = "iou",
    *,
    fmt: str | tuple[str, str] = "xyxy",
    eps: float = 0.0,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
) -> Tensor:
    """Score of every box of one set with every box of another, in one pass without temporaries.

    For the i-th box of one set with the i-th of another take :func:`fastiou.iou_loss`: the diagonal of this matrix
    costs N times as much.

    Args:
        boxes1: boxes ``(..., N, 4)``: float16, bfloat16, float32, float64, uint8, int8, int16, int32 or int64, any
            strides.
        boxes2: boxes ``(..., M, 4)``; batch dimensions and dtypes broadcast against ``boxes1``.
        kind: one of :func:`pairwise_kinds`. ``"iof"`` is the intersection over the area of the box of ``boxes1``;
            kinds that differ in their loss alone (``"iou_log"``) have the same score.
        fmt: ``"xyxy"``, ``"xywh"`` or ``"cxcywh"``; a pair of formats if the sets differ.
        eps: added to every denominator, as in :func:`fastiou.iou_loss`. None is needed: 0 / 0 is 0.
        mask1: bool ``(..., N)``, False for boxes that are only padding: their scores are 0 and they get no gradient,
            whatever their numbers.
        mask2: the same for ``boxes2``, ``(..., M)``.

    Returns:
        Scores ``(..., N, M)``: float64 if a box is float64, else float32. Half precision is computed in float32, int32
        and int64 in float64. Differentiable once with respect to both sets.

    Scores and gradients are finite for all finite boxes; rows and columns of boxes that hold NaN or infinity are NaN.
    The IoU of a box of area 0 is 0, also with itself.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    check_eps(eps)
    return _scores(boxes1, boxes2, kind, Eps(eps, eps, eps), fmt, mask1, mask2)


def _scores(boxes1, boxes2, kind: str, eps: Eps, fmt, mask1=None, mask2=None) -> Tensor:
    check_pairwise_kind(kind)
    if is_rotated(fmt):
        raise ValueError(f"fmt: expected an axis-aligned format, got {fmt!r} (rotated boxes: fastiou.rotated_box_iou)")
    call = check_sets(boxes1, boxes2, fmt, mask1, mask2)
    sets = call.boxes1, call.boxes2
    if call.native:
        masks = call.mask1, call.mask2
        options = PairwiseOptions(*masks, kernels.pairwise_kinds[kind], *call.format_codes, *eps)
        scores = autograd.pairwise(*sets, options)
    else:
        scores = reference.pairwise(*sets, kind, eps, call.formats, call.mask1, call.mask2)
        scores = scores.to(score_dtype(*sets))
    return call.unflatten(scores)


def rotated_scores(call: SetsCall, kind: str, enclosing: str) -> Tensor:
    """Scores of checked sets of rotated boxes."""
    sets, masks = (call.boxes1, call.boxes2), (call.mask1, call.mask2)
    if call.native:
        code = call.kind_code(kind, enclosing)
        scores = autograd.pairwise(*sets, PairwiseOptions(*masks, code, *call.format_codes, 0.0, 0.0, 0.0))
    else:
        scores = reference_rotated.scores(*sets, kind, enclosing, call.formats[0], *masks)
        scores = scores.to(score_dtype(*sets))
    return call.unflatten(scores)


def box_iou(boxes1: Tensor, boxes2: Tensor, fmt: str | tuple[str, str] = "xyxy") -> Tensor:
    """IoU of every box with every box, torchvision's function: see :func:`pairwise_iou`.

    For two boxes of area 0 it is 0, where torchvision has NaN.
    """
    return _scores(boxes1, boxes2, "iou", Eps(0.0, 0.0, 0.0), fmt)


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor, *, fmt: str | tuple[str, str] = "xyxy") -> Tensor:
    """GIoU of every box with every box, torchvision's function: see :func:`pairwise_iou`.

    As a loss, ``1 - torch.diag(generalized_box_iou(a, b))`` is ``fastiou.iou_loss(a, b, "giou")``, without the matrix.
    """
    return _scores(boxes1, boxes2, "giou", Eps(0.0, 0.0, 0.0), fmt)


def distance_box_iou(
    boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7, *, fmt: str | tuple[str, str] = "xyxy"
) -> Tensor:
    """DIoU of every box with every box, torchvision's function: see :func:`pairwise_iou`.

    As in torchvision, ``eps`` stands beside the squared diagonal alone, not beside the union.
    """
    check_eps(eps)
    return _scores(boxes1, boxes2, "diou", Eps(0.0, eps, eps), fmt)


def complete_box_iou(
    boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7, *, fmt: str | tuple[str, str] = "xyxy"
) -> Tensor:
    """CIoU of every box with every box, torchvision's function: see :func:`pairwise_iou`.

    As in torchvision, ``eps`` stands beside the squared diagonal and in the weight alpha, not beside the union.
    """
    check_eps(eps)
    return _scores(boxes1, boxes2, "ciou", Eps(0.0, eps, eps), fmt)
