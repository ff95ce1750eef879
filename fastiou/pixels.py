"""PIoU: the IoU of boxes as sets of pixels, soft enough at the edges to have a gradient."""

from __future__ import annotations

from torch import Tensor

from ._args.pixels import (
    MODES,
    Raster,
    check_flag,
    check_loss_options,
    check_pixel_rows,
    check_pixel_sets,
    check_raster,
)
from ._args.rotated import link_code
from ._args.rows import LossCall
from ._ops import autograd
from ._ops.signatures import PixelOptions, SoftPixelOptions
from ._reduction import weighted_loss


def pixel_iou(
    boxes1: Tensor,
    boxes2: Tensor,
    *,
    k: float = 10.0,
    union: str = "exact",
    hard: bool = False,
    scale: float = 1.0,
    pairwise: bool = False,
    fmt: str | tuple[str, str] | None = None,
    degrees: bool = False,
    clockwise: bool = True,
) -> Tensor:
    """PIoU of the i-th box with the i-th box, or of every box with every box, counted on pixels.

    Chen et al., "PIoU Loss: Towards Accurate Oriented Object Detection in Complex Environments", ECCV 2020. A pixel is
    its centre, (i + 0.5, j + 0.5) for all integers, negative ones too: there is no image, and no size of one. With d_w
    and d_h its distances from the axes of a box, it belongs to a box of sides w and h by

        F = K(d_w, w / 2) K(d_h, h / 2),  K(d, r) = 1 / (1 + e^(k (d - r)))

    (Eq. 9 and 10, with half sides, as Eq. 1 and the published code have it). PIoU is the sum of F F' over the union.

    Args:
        boxes1: boxes ``(..., 5)``, centre, width, height and angle, or upright ones, ``(..., 4)``; ``(..., N, 5)`` or
            ``(..., N, 4)`` if ``pairwise``. float16, bfloat16, float32 or float64, and integers if ``pairwise``, any
            strides. In pixels.
        boxes2: the same; leading dimensions and dtypes broadcast against ``boxes1``. One of both may be upright.
        k: steepness of the edges, per pixel, from 1e-6 to 1e6: they are about 4 / k pixels wide.
        union: ``"exact"``, the sum of F + F' - F F' (Eq. 12), or ``"area"``, w h + w' h' less the intersection (Eq.
            13), cheaper by two thirds and the same for boxes of many pixels; it counts as no less than the
            intersection.
        hard: whether pixels belong to a box or not, without anything in between (Eq. 1 and 6 to 8): the IoU of sets of
            pixels, edges included. Counted in float64, without a gradient.
        scale: boxes, but not their angles, are multiplied by this first; from 1e-6 to 1e6. ``k`` is per pixel of what
            results. So normalised boxes take the size of the image, boxes on features of stride 4 take 4, and
            ``scale=s, k=k / s`` counts s x s samples in every pixel, with edges as soft as before.
        pairwise: every box of one set with every box of the other.
        fmt: how boxes are written: one of :func:`fastiou.rotated_conventions`, or a pair if they differ. By default
            ``"cxcywhr"`` for five numbers and ``"xyxy"`` for four. Gradients come back the same way.
        degrees, clockwise: of ``"cxcywhr"``, as of :func:`fastiou.rotated_iou_loss`. The published code is
            counter-clockwise: ``clockwise=False``.

    Returns:
        PIoU ``(...)`` in [0, 1], or ``(..., N, M)`` if ``pairwise``: float64 if a box is float64, else float32.
        Differentiable once with respect to both boxes.

    A box without area has PIoU 0 and no gradient, and so have boxes that share nothing. Value and gradient are finite
    for all finite boxes; a row that holds NaN or infinity is NaN.

    Edges narrower than pixels make the gradient of upright boxes jump with their position in the raster: for them take
    ``k`` at most about 4, or more pixels by ``scale``. Boxes below some 6 pixels lose accuracy in any case: for the
    exact area take :func:`fastiou.rotated_iou_loss`, or ``scale``.

    Work is bounded. Where k < 1/16 the raster is coarser, by the power of two that brings k to [1/16, 1/8) per pixel of
    it: that tells by less than 1e-4, and in boxes smaller than edges alone. A box longer than 2^15 pixels is counted on
    a raster that makes it 2^14 to 2^15 long, with k per pixel of that; what two boxes share, on the raster of the
    shorter one.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    raster = check_raster(k, union, hard, scale)
    if check_flag("pairwise", pairwise):
        sets = check_pixel_sets((boxes1, boxes2), fmt, degrees, clockwise)
        scores = autograd.hard_pixels_pairwise if hard else autograd.pixel_pairwise
        options = SoftPixelOptions(*sets.format_codes, raster.area_union, raster.k, raster.scale)
        return sets.unflatten(scores(sets.boxes1, sets.boxes2, options))
    call, formats = check_pixel_rows((boxes1, boxes2), fmt, degrees, clockwise, ("boxes1", "boxes2"))
    loss = autograd.hard_pixels if hard else autograd.pixel_loss
    return loss(call.pred, call.target, _options(call, formats, "none", raster, 1e-6, 1.0, False))


def _options(call: LossCall, formats, link: str, raster: Raster, floor, factor, straight_through) -> PixelOptions:
    how = link_code(link), *raster, floor, factor, straight_through
    return PixelOptions(call.weight, call.avg_factor, *formats, *how, call.reduction, call.divisor)


def piou_loss(
    pred: Tensor,
    target: Tensor,
    *,
    k: float = 10.0,
    union: str = "exact",
    mode: str = "log",
    floor: float | None = None,
    scale: float = 1.0,
    straight_through: bool = False,
    convention: str = "paper",
    weight: Tensor | None = None,
    reduction: str = "mean",
    avg_factor: float | Tensor | None = None,
    fmt: str | tuple[str, str] | None = None,
    degrees: bool = False,
    clockwise: bool = True,
) -> Tensor:
    """PIoU loss of the i-th predicted box against the i-th target box, in one kernel: -ln PIoU.

    Chen et al., ECCV 2020, Eq. 14; what a PIoU is, :func:`pixel_iou` tells. At its least it is not 0, because soft
    edges of identical boxes overlap by less than they cover.

    Args:
        pred: predicted boxes ``(..., 5)`` or, upright, ``(..., 4)``, in pixels.
        target: target boxes; leading dimensions and dtypes broadcast against ``pred``. They have a gradient too.
        k, union, scale, fmt, degrees, clockwise: as of :func:`pixel_iou`.
        mode: ``"log"``, -ln PIoU, or ``"linear"``, 1 - PIoU.
        floor: PIoU counts as no less than this in ``"log"``; below it there is no gradient. Between 0 and 1; by
            default 1e-6, and 0.1 by the official convention.
        straight_through: whether boxes learn below the floor, too: the loss stays what it is, and its gradient is that
            without a floor. Where PIoU has vanished, below 1e-6, it is that of the exact union with softer edges, k /
            2, k / 4 and so on, by the first with which PIoU is at least that: boxes that share nothing pull each other
            from any distance.
        convention: ``"paper"``, or ``"official"``, the loss of the published code: -2 ln PIoU, floored at 0.1. Its mean
            is over N + 1e-9, its centres are those of the targets (detach, or copy, what is not to learn), and pixels
            leak gradients into each other there, but not here.
        weight: factor per pair, broadcast to the leading shape.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``. The mean of nothing is 0.
        avg_factor: as of :func:`fastiou.iou_loss`.

    Returns:
        The loss, a scalar, or ``(...)`` with ``reduction="none"``: float64 if a box is float64, else float32.
        Differentiable once with respect to ``pred`` and ``target`` (and ``weight`` and ``avg_factor``); gradients have
        their input's dtype.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    raster = check_raster(k, union, False, scale)
    factor, floor = check_loss_options(mode, floor, convention)
    check_flag("straight_through", straight_through)
    names = "pred", "target"
    call, formats = check_pixel_rows((pred, target), fmt, degrees, clockwise, names, weight, reduction, avg_factor)
    options = _options(call, formats, MODES[mode], raster, floor, factor, straight_through)
    return weighted_loss(call, autograd.pixel_loss, options)
