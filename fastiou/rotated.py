"""Losses and pairwise scores of rotated boxes, by the exact area that they share."""

from __future__ import annotations

from torch import Tensor

from ._args.options import check_eps
from ._args.rotated import LOSSES, MODES, SCORES, check_choice, check_flags, link_code, read_pair, score_code
from ._args.rows import check_row_boxes, check_row_call
from ._args.sets import check_rotated_sets
from ._names import ENCLOSINGS
from ._ops import autograd
from ._ops.signatures import RotatedOptions
from ._reduction import weighted_loss
from .pairwise import rotated_scores
from .reference import rotated as reference_rotated


def rotated_iou_loss(
    pred: Tensor,
    target: Tensor,
    kind: str = "iou",
    *,
    mode: str = "linear",
    enclosing: str = "hull",
    weight: Tensor | None = None,
    reduction: str = "none",
    avg_factor: float | Tensor | None = None,
    eps: float = 1e-6,
    fmt: str | tuple[str, str] = "cxcywhr",
    degrees: bool = False,
    clockwise: bool = True,
) -> Tensor:
    """Aligned loss of rotated boxes: the i-th predicted box against the i-th target box, in one kernel.

    The area that two boxes share is exact, and so are its derivatives, for boxes of any size, however alike: no vertex
    is sorted, no tolerance decides. Identical boxes have IoU 1 and gradient 0, however they are written.

    Args:
        pred: predicted boxes ``(..., 5)``: centre, width, height and angle; float16, bfloat16, float32 or float64, any
            strides. Negative sizes count as 0.
        target: target boxes ``(..., 5)``; leading dimensions and dtypes broadcast against ``pred``.
        kind: ``"iou"``, ``"giou"`` (Rezatofighi et al., CVPR 2019), ``"diou"`` or ``"ciou"`` (Zheng et al., AAAI 2020).
            CIoU compares the sides that are nearest to parallel, so that it does not matter how a rectangle is written.
        mode: of ``"iou"``, 1 - IoU (``"linear"``), -ln IoU (``"log"``) or 1 - IoU^2 (``"square"``): MMRotate's
            ``RotatedIoULoss``.
        enclosing: what encloses both boxes, of which GIoU takes the area, DIoU and CIoU the squared diagonal:
            ``"hull"``, the convex hull, and its diameter; ``"min"``, the rectangle of least area; ``"target"``, the
            rectangle in the target's direction; ``"aabb"``, the axis-aligned one, with which the GIoU of identical
            boxes is less than 1.
        weight: factor per pair, broadcast to the leading shape.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``. The mean of nothing is 0.
        avg_factor: as of :func:`fastiou.iou_loss`.
        eps: the IoU is no less than this in ``"log"``; nothing else needs an eps.
        fmt: how boxes are written, one of :func:`fastiou.rotated_conventions`, or a pair if prediction and target
            differ. Gradients come back the same way.
        degrees: of ``"cxcywhr"``: whether angles are in degrees, not radians. Whole quarter turns of degrees are exact.
        clockwise: of ``"cxcywhr"``: whether angles turn clockwise on the screen, where y points down.

    Returns:
        The loss ``(...)``, or a scalar if reduced: float64 if a box is float64, else float32. Differentiable once with
        respect to ``pred`` and ``target`` (and ``weight`` and ``avg_factor``); gradients have their input's dtype.
        Where edges coincide the gradient is the mean of both sides.

    Loss and gradient are finite for all finite boxes; a row that holds NaN or infinity is NaN. Boxes that share no area
    have IoU 0 and no gradient by it: the other kinds pull them together.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    check_choice("kind", kind, LOSSES)
    check_choice("mode", mode, MODES)
    if mode != "linear" and kind != "iou":
        raise ValueError(f"mode: expected 'linear' with kind={kind!r} (only 'iou' has modes), got {mode!r}")
    check_choice("enclosing", enclosing, ENCLOSINGS)
    check_eps(eps)
    flags = check_flags(degrees, clockwise)
    pred, target, form = read_pair((pred, target), fmt, ("pred", "target"), flags, check_row_boxes)
    call = check_row_call(pred, target, weight, reduction, avg_factor)
    code, link = score_code(kind, enclosing), link_code(MODES[mode])

    def rows(factor) -> Tensor:
        options = kind, mode, enclosing, eps, form.degrees, form.clockwise, factor
        return reference_rotated.row_loss(call.pred, call.target, *options)

    how = code, form.code, link, 1.0, 0.0, eps
    options = RotatedOptions(call.weight, call.avg_factor, *how, call.reduction, call.divisor)
    return weighted_loss(call, autograd.rotated_loss, options, rows)


def rotated_box_iou(
    boxes1: Tensor,
    boxes2: Tensor,
    kind: str = "iou",
    *,
    fmt: str | tuple[str, str] = "cxcywhr",
    degrees: bool = False,
    clockwise: bool = True,
    enclosing: str = "hull",
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
) -> Tensor:
    """Score of every rotated box of one set with every one of another.

    Args:
        boxes1: boxes ``(..., N, 5)``: floating point or integer, any strides.
        boxes2: boxes ``(..., M, 5)``; batch dimensions and dtypes broadcast against ``boxes1``.
        kind: ``"iou"``, ``"iof"`` (over the area of the box of ``boxes1``), ``"giou"``, ``"diou"``, ``"ciou"``; or the
            similarities ``"kfiou"`` and ``"probiou"`` of :func:`fastiou.gaussian_loss`.
        fmt, degrees, clockwise, enclosing: as of :func:`rotated_iou_loss`.
        mask1: bool ``(..., N)``, False for boxes that are only padding: their scores are 0 and they get no gradient,
            whatever their numbers.
        mask2: the same for ``boxes2``, ``(..., M)``.

    Returns:
        Scores ``(..., N, M)``: float64 if a box is float64, else float32. IoU is in [0, 1], exactly 0 for boxes that
        share no area. Differentiable once with respect to both sets.

    Rows and columns of boxes that hold NaN or infinity are NaN. The IoU of a box of area 0 is 0, also with itself.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    check_choice("enclosing", enclosing, ENCLOSINGS)
    check_choice("kind", kind, SCORES)
    call = check_rotated_sets(boxes1, boxes2, fmt, check_flags(degrees, clockwise), mask1, mask2)
    return rotated_scores(call, kind, enclosing)
