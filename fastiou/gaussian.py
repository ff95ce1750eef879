"""Losses of rotated boxes as Gaussian distributions: smooth everywhere, also for boxes that share no area."""

from __future__ import annotations

import torch
from torch import Tensor

from ._args.options import check_number
from ._args.rotated import check_choice, check_flags, kind_code, link_code, read_pair
from ._args.rows import check_row_boxes, check_row_call
from ._args.sets import check_rotated_sets
from ._dtypes import compute_dtype, score_dtype
from ._ops import autograd
from ._ops.signatures import PairwiseOptions, RotatedOptions
from ._reduction import weighted_loss
from .reference import gaussian as reference_gaussian
from .reference.gaussian import KFIOU_EPS, KINDS, SIZES

_ROOTED = {"gwd", "kld", "jd", "kld_symmax", "kld_symmin"}
_SIMILARITIES = ("kfiou", "probiou")
#: Link by kind, or "distance", and ``fun``.
_LINKS = {
    "distance": {"none": "none", "log1p": "log1p", "sqrt": "sqrt"},
    "kfiou": {"none": "one_minus", "ln": "log", "exp": "exp"},
    "probiou": {"none": "one_minus", "ln": "none"},  # -ln(1 - H^2) is a distance of its own
}


def gaussian_kinds() -> tuple[str, ...]:
    """The kinds of :func:`gaussian_loss`."""
    return tuple(KINDS)


def gaussian_loss(
    pred: Tensor,
    target: Tensor,
    kind: str = "gwd",
    *,
    fun: str | None = None,
    tau: float = 1.0,
    alpha: float = 1.0,
    sqrt: bool = True,
    normalize: bool = True,
    weight: Tensor | None = None,
    reduction: str = "none",
    avg_factor: float | Tensor | None = None,
    fmt: str | tuple[str, str] = "cxcywhr",
    degrees: bool = False,
    clockwise: bool = True,
) -> Tensor:
    """Aligned loss of rotated boxes by the distance of their Gaussian distributions, in one kernel.

    A box is the normal distribution around its centre with standard deviations w / 2 and h / 2 along its sides. So
    boxes attract each other wherever they are, and a rectangle that is written differently is the same one. But a
    square is a circle: its angle has no gradient.

    Args:
        pred: predicted boxes ``(..., 5)``: centre, width, height and angle; float16, bfloat16, float32 or float64, any
            strides. Sizes count as at least 1e-7 and at most 1e7.
        target: target boxes ``(..., 5)``; leading dimensions and dtypes broadcast against ``pred``.
        kind: ``"gwd"``, Wasserstein distance (Yang et al., ICML 2021); ``"kld"``, KL(target || prediction), ``"jd"``,
            the mean of both directions, ``"kld_symmax"`` and ``"kld_symmin"``, the larger and the smaller one (Yang et
            al., NeurIPS 2021); ``"bcd"``, Bhattacharyya distance; ``"kfiou"``, at most 1/3 (Yang et al., ICLR 2023),
            which does not know the centres: MMRotate adds a smooth L1 loss of them; ``"probiou"`` (Llerena et al.,
            2021), Ultralytics' loss.
        fun: what is made of a distance d: ``"none"`` d, ``"log1p"`` ln(1 + d), the default, or ``"sqrt"``. Of KFIoU v:
            ``"none"`` 1 - v, the default, ``"ln"`` -ln(v + 1e-6), ``"exp"`` e^(1 - v) - 1; of ProbIoU v: ``"none"``
            1 - v, the default, ``"ln"`` -ln(1 - (1 - v)^2).
        tau: of distances: 1 - 1 / (tau + fun(d)) if it is at least 1.
        alpha: factor on the sizes beside the offset of the centres, for distances.
        sqrt: whether the distances ``"gwd"`` to ``"kld_symmin"`` are roots, or squares.
        normalize: whether ``"gwd"`` is in units of (w h W H)^(1/4), so that it does not change with the scale.
        weight, reduction, avg_factor, fmt, degrees, clockwise: as of :func:`fastiou.rotated_iou_loss`.

    Returns:
        The loss ``(...)``, or a scalar if reduced: float64 if a box is float64, else float32. Differentiable once with
        respect to ``pred`` and ``target`` (and ``weight`` and ``avg_factor``). For identical boxes a distance is 0 and
        has gradient 0, though a root has a cone there; the loss is 1 - 1 / tau, 2/3 of KFIoU, and 3.2e-4 of ProbIoU,
        whose Hellinger distance is the root of 1 - e^-d + 1e-7.

    MMRotate's modules: ``GDLoss(loss_type)`` has tau = 0 unless told otherwise, ``GDLoss_v1`` doubles KLD.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    fun = _check_kind(kind, fun)
    tau = check_number("tau", tau, 0)
    alpha = _check_alpha(alpha, kind)
    pair = read_pair((pred, target), fmt, ("pred", "target"), check_flags(degrees, clockwise), check_row_boxes)
    pred, target, form = pair
    call = check_row_call(pred, target, weight, reduction, avg_factor)
    code = _code(kind, fun, sqrt, normalize)
    link = link_code(_links(kind)[fun])
    bound = 0.0 if kind in _SIMILARITIES else tau

    def rows(factor) -> Tensor:
        options = kind, fun, tau, alpha, sqrt, normalize, form.degrees, form.clockwise, factor
        return reference_gaussian.row_loss(call.pred, call.target, *options)

    how = code, form.code, link, alpha, bound, KFIOU_EPS
    options = RotatedOptions(call.weight, call.avg_factor, *how, call.reduction, call.divisor)
    return weighted_loss(call, autograd.rotated_loss, options, rows)


def gaussian_distance(
    boxes1: Tensor,
    boxes2: Tensor,
    kind: str = "gwd",
    *,
    alpha: float = 1.0,
    sqrt: bool = True,
    normalize: bool = True,
    fmt: str | tuple[str, str] = "cxcywhr",
    degrees: bool = False,
    clockwise: bool = True,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
) -> Tensor:
    """Distance, before ``fun`` and ``tau``, of every box of one set from every box of another; of ``"kfiou"`` and
    ``"probiou"`` the similarity, as Ultralytics' ``batch_probiou``.

    Args:
        boxes1: boxes ``(..., N, 5)``: floating point or integer, any strides.
        boxes2: boxes ``(..., M, 5)``; batch dimensions and dtypes broadcast against ``boxes1``, the predictions.
        kind, alpha, sqrt, normalize, fmt, degrees, clockwise: as of :func:`gaussian_loss`.
        mask1: bool ``(..., N)``, False for boxes that are only padding: they get 0 and no gradient.
        mask2: the same for ``boxes2``, ``(..., M)``.

    Returns:
        Distances ``(..., N, M)``: float64 if a box is float64, else float32. Differentiable once with respect to both.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    _check_kind(kind, None)
    alpha = _check_alpha(alpha, kind)
    call = check_rotated_sets(boxes1, boxes2, fmt, check_flags(degrees, clockwise), mask1, mask2)
    sets = call.boxes1, call.boxes2
    if call.native:
        code = _code(kind, "none", sqrt, normalize)
        boxes = (_scaled(x, alpha) for x in sets)
        d = autograd.pairwise(*boxes, PairwiseOptions(call.mask1, call.mask2, code, *call.format_codes, 0.0, 0.0, 0.0))
        if kind == "gwd" and normalize and alpha != 1:  # units are those of the sizes alone
            d = d * (alpha if sqrt else alpha**2)
        d = d.to(score_dtype(*sets))  # scaled integers are wider than they were
    else:
        form = call.formats[0]
        options = kind, alpha, sqrt, normalize, form.degrees, form.clockwise
        d = reference_gaussian.pairwise(*sets, *options, call.mask1, call.mask2).to(score_dtype(*sets))
    return call.unflatten(d)


def _links(kind: str) -> dict[str, str]:
    return _LINKS[kind if kind in _SIMILARITIES else "distance"]


def _check_kind(kind, fun) -> str:
    """Checks both; the function, by default that of the kind."""
    check_choice("kind", kind, KINDS)
    if fun is None:
        return "none" if kind in _SIMILARITIES else "log1p"
    check_choice("fun", fun, _links(kind))
    return fun


def _check_alpha(alpha, kind: str) -> float:
    alpha = check_number("alpha", alpha, 0, above=True)
    if alpha != 1 and kind in _SIMILARITIES:
        raise ValueError(f"alpha: expected 1 with kind={kind!r} (only distances have one), got {alpha!r}")
    return alpha


def _code(kind: str, fun: str, sqrt: bool, normalize: bool) -> int:
    """What the kernels call it."""
    if kind == "probiou" and fun == "ln":
        return kind_code("bcd_uniform")
    root = int(sqrt and kind in _ROOTED)
    return kind_code("gwd_normalized" if kind == "gwd" and normalize else kind, root)


def _scaled(boxes: Tensor, alpha: float) -> Tensor:
    """Boxes whose sizes alpha multiplies, in the compute dtype; NaN and infinity stay for the kernels to see."""
    if alpha == 1:
        return boxes
    boxes = boxes.to(compute_dtype(boxes))
    sizes = boxes[..., 2:4]
    sizes = sizes.clamp(*SIZES) * alpha + (sizes - sizes).detach()
    return torch.cat([boxes[..., :2], sizes, boxes[..., 4:]], -1)
