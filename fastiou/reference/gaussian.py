"""Rotated boxes as Gaussians, in plain PyTorch: oracle of the tests and fallback without a compiled extension.

A box ``(cx, cy, w, h, r)`` is the normal distribution around its centre with standard deviations w / 2 along its width
and h / 2 along its height (ProbIoU: the square roots of w^2 / 12 and h^2 / 12, those of its points). Sizes are clamped
to [1e-7, 1e7], without gradient outside. A square has no angle, and (h, w, r + 90 degrees) is the same Gaussian.

One function per kind. No matrices: in the frames of the boxes, with an angle of at most 45 degrees between them, every
formula is one of scalars that do not cancel. Distances of identical boxes are exactly 0, with gradient 0 even where
there is a cone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .pose import pose
from .rows import finite_pairs, finite_rows

#: Sizes that Gaussians have.
SIZES = (1e-7, 1e7)


class Options(NamedTuple):
    """``alpha`` multiplies the sizes; ``sqrt``, of the kinds ``gwd`` to ``kld_symmin``; ``normalize``, of ``gwd``."""

    alpha: float = 1.0
    sqrt: bool = True
    normalize: bool = True


class Gaussians(NamedTuple):
    """Two boxes: sizes, the offset of their centres along the axes of either, and the squared sine between them.

    The first box is written such that its axes are within 45 degrees of the second's.
    """

    w1: Tensor
    h1: Tensor
    w2: Tensor
    h2: Tensor
    x1: Tensor
    y1: Tensor
    x2: Tensor
    y2: Tensor
    sin2: Tensor

    @property
    def anisotropy(self) -> Tensor:
        """(w1^2 - h1^2) (w2^2 - h2^2) sin^2: how much the angle matters."""
        return (self.w1 - self.h1) * (self.w1 + self.h1) * (self.w2 - self.h2) * (self.w2 + self.h2) * self.sin2

    @property
    def det_sum(self) -> Tensor:
        """16 times the determinant of the sum of the covariances."""
        return (self.w1**2 + self.w2**2) * (self.h1**2 + self.h2**2) + self.anisotropy

    def swapped(self) -> Gaussians:
        return Gaussians(self.w2, self.h2, self.w1, self.h1, self.x2, self.y2, self.x1, self.y1, self.sin2)


def gaussians(boxes1: Tensor, boxes2: Tensor, degrees: bool = False, clockwise: bool = True) -> Gaussians:
    """The Gaussians of boxes ``(..., 5)``, which broadcast."""
    far = torch.finfo(boxes1.dtype).max / 8  # so that differences do not overflow

    def clamped(boxes):
        return torch.cat([boxes[..., :2].clamp(-far, far), boxes[..., 2:4].clamp(*SIZES), boxes[..., 4:]], -1)

    px, py, w1, h1, w2, h2, phi, *_ = pose(clamped(boxes1), clamped(boxes2), degrees, clockwise)
    c, s = phi.cos(), phi.sin()
    return Gaussians(w1, h1, w2, h2, px * c + py * s, py * c - px * s, px, py, s * s)


def _square(x: Tensor) -> Tensor:
    """x^2, of which a few can be added without overflow."""
    limit = torch.finfo(x.dtype).max ** 0.5 / 4
    return x.clamp(-limit, limit) ** 2


def _sqrt(x: Tensor) -> Tensor:
    """Square root, with gradient 0 at 0."""
    positive = x > 0
    return torch.where(positive, torch.where(positive, x, 1.0).sqrt(), 0.0)


def _stretch(size: Tensor, other: Tensor) -> Tensor:
    """r^2 - 1 - ln r^2 for r = size / other: to full precision at 1, where it has its minimum, 0.

    With x = r - 1 it is x^2 + 2 (x - ln(1 + x)), and near 0 the series of ln(1 + x) = 2 atanh(x / (2 + x)) begins with
    what x cancels.
    """
    x = (size - other) / other
    near, shrunk = x.abs() < 0.1, x < -0.5
    small = torch.where(near, x, 0.0)
    r = small / (2 + small)
    series = torch.zeros_like(r)
    for k in range(13, 1, -2):
        series = series * r * r + 1 / k
    log = torch.where(shrunk, (size / other).log(), torch.where(shrunk, 0.0, x).log1p())
    return x * x + 2 * torch.where(near, small * r - 2 * r**3 * series, x - log)


#: Distance, or similarity, by kind.
KINDS: dict[str, Callable[[Gaussians, Options], Tensor]] = {}


def _kind(function):
    KINDS[function.__name__] = function
    return function


@_kind
def gwd(g: Gaussians, options: Options) -> Tensor:
    """Wasserstein distance, in units of (w1 h1 w2 h2)^(1/4) if ``normalize``; squared unless ``sqrt``.

    Yang et al., ICML 2021 (arXiv 2101.11952), eq. 4.
    """
    half_trace = (g.w1 * g.w2 + g.h1 * g.h2) / 4
    turned = g.anisotropy / 16
    rest = turned / (half_trace + (half_trace**2 - turned).sqrt())
    spread = ((g.w1 - g.w2) ** 2 + (g.h1 - g.h2) ** 2) / 4 + 2 * rest
    distance = _square(g.x2) + _square(g.y2) + options.alpha**2 * spread
    if options.normalize:
        distance = distance / (g.w1 * g.h1).sqrt() / (g.w2 * g.h2).sqrt()
    return _sqrt(distance) if options.sqrt else distance


def _kl(g: Gaussians, options: Options) -> Tensor:
    """Kullback-Leibler divergence of the second Gaussian from the first, whose covariance is the one inverted."""
    offset = (_square(g.x1 / g.w1) + _square(g.y1 / g.h1)) * (2 / options.alpha**2)
    limit = torch.finfo(offset.dtype).max / 8
    own, other = (g.w1 - g.h1) / g.w1 * ((g.w1 + g.h1) / g.h1), (g.w2 - g.h2) / g.w1 * ((g.w2 + g.h2) / g.h1)
    turned = (g.sin2 * own * other).clamp(-limit, limit)
    return offset + (_stretch(g.w2, g.w1) + _stretch(g.h2, g.h1) + turned) / 2


@_kind
def kld(g: Gaussians, options: Options) -> Tensor:
    """Square root, if ``sqrt``, of KL(target || prediction). Yang et al., NeurIPS 2021 (arXiv 2106.01883), eq. 7."""
    distance = _kl(g, options)
    return _sqrt(distance) if options.sqrt else distance


@_kind
def jd(g: Gaussians, options: Options) -> Tensor:
    """Square root, if ``sqrt``, of the mean of both divergences (Jeffreys). MMRotate ``jd_loss``."""
    distance = (_kl(g, options) + _kl(g.swapped(), options)) / 2
    return _sqrt(distance) if options.sqrt else distance


@_kind
def kld_symmax(g: Gaussians, options: Options) -> Tensor:
    """Square root, if ``sqrt``, of the larger divergence. MMRotate ``kld_symmax_loss``."""
    distance = torch.maximum(_kl(g, options), _kl(g.swapped(), options))
    return _sqrt(distance) if options.sqrt else distance


@_kind
def kld_symmin(g: Gaussians, options: Options) -> Tensor:
    """Square root, if ``sqrt``, of the smaller divergence. MMRotate ``kld_symmin_loss``."""
    distance = torch.minimum(_kl(g, options), _kl(g.swapped(), options))
    return _sqrt(distance) if options.sqrt else distance


def _bhattacharyya(g: Gaussians, options: Options, divisor: float) -> Tensor:
    """Bhattacharyya distance, of variances w^2 / divisor."""
    scale = g.det_sum.rsqrt()
    offset = (
        _square(g.x1 * (g.h1 * scale))
        + _square(g.y1 * (g.w1 * scale))
        + _square(g.x2 * (g.h2 * scale))
        + _square(g.y2 * (g.w2 * scale))
    )
    width = ((g.w1 - g.w2) / g.w1) * ((g.w1 - g.w2) / g.w2) / 2
    height = ((g.h1 - g.h2) / g.h1) * ((g.h1 - g.h2) / g.h2) / 2
    turned = g.anisotropy / ((g.w1**2 + g.w2**2) * (g.h1**2 + g.h2**2))
    return offset * (divisor / 4 / options.alpha**2) + (width.log1p() + height.log1p() + turned.log1p()) / 2


@_kind
def bcd(g: Gaussians, options: Options) -> Tensor:
    """Bhattacharyya distance. MMRotate ``bcd_loss``."""
    return _bhattacharyya(g, options, 4.0)


@_kind
def kfiou(g: Gaussians, options: Options) -> Tensor:
    """IoU of the boxes and of the Kalman filter's product of their Gaussians, centres aside; at most 1/3.

    Yang et al., ICLR 2023 (arXiv 2201.12558), eq. 6.
    """
    area1, area2 = g.w1 * g.h1, g.w2 * g.h2
    overlap = area1 * (area2 * g.det_sum.rsqrt())
    return overlap / (area1 + area2 - overlap)


#: Added to the square of the Hellinger distance, as Ultralytics does: without a cone, gradients end at the minimum.
PROBIOU_EPS = 1e-7


@_kind
def probiou(g: Gaussians, options: Options) -> Tensor:
    """1 - Hellinger distance, at most 1 - sqrt(1e-7). Llerena et al., 2021 (arXiv 2106.06072), eq. 9."""
    return 1 - (PROBIOU_EPS - torch.expm1(-_bhattacharyya(g, options, 12.0))).sqrt()


#: What ``fun`` makes of a distance: 0 of 0.
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {"none": lambda d: d, "log1p": torch.log1p, "sqrt": _sqrt}
#: Keeps the logarithm of KFIoU finite.
KFIOU_EPS = 1e-6
#: What ``fun`` makes of KFIoU. MMRotate ``KFLoss``.
KFIOU_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda v: 1 - v,
    "ln": lambda v: -(v + KFIOU_EPS).log(),
    "exp": lambda v: torch.expm1(1 - v),
}


def _loss(g: Gaussians, kind: str, fun: str, tau: float, options: Options) -> Tensor:
    if kind == "kfiou":
        return KFIOU_FUNCTIONS[fun](kfiou(g, options))
    if kind == "probiou":  # -ln(1 - H^2) is the distance itself
        return _bhattacharyya(g, options, 12.0) if fun == "ln" else 1 - probiou(g, options)
    distance = FUNCTIONS[fun](KINDS[kind](g, options))
    return 1 - 1 / (tau + distance) if tau >= 1 else distance


def row_loss(
    pred: Tensor,
    target: Tensor,
    kind: str = "gwd",
    fun: str | None = None,
    tau: float = 1.0,
    alpha: float = 1.0,
    sqrt: bool = True,
    normalize: bool = True,
    degrees: bool = False,
    clockwise: bool = True,
    weight: Tensor | None = None,
) -> Tensor:
    """Loss of every pair, times its weight: ``(..., 5) x (..., 5) -> (...)``.

    Of a distance d, f = d (``fun="none"``), ln(1 + d) (``"log1p"``, the default) or sqrt(d) (``"sqrt"``), and
    1 - 1 / (tau + f) if tau >= 1. Of KFIoU v, 1 - v (``"none"``, the default), -ln(v + 1e-6) (``"ln"``) or
    e^(1 - v) - 1 (``"exp"``); of ProbIoU 1 - v (``"none"``, the default) or -ln(1 - H^2) (``"ln"``), where H is the
    Hellinger distance: the distance ``bcd`` of uniform boxes.

    float64 if a box is float64, else float32. Finite, with a finite gradient, for finite boxes of any size; NaN for a
    row that holds NaN or infinity.
    """
    fun = fun or ("none" if kind in ("kfiou", "probiou") else "log1p")
    options = Options(alpha, sqrt, normalize)
    pred, target = torch.broadcast_tensors(pred, target)
    return finite_rows(
        lambda p, t: _loss(gaussians(p, t, degrees, clockwise), kind, fun, tau, options), pred, target, weight
    )


def _score(kind: str, alpha: float, sqrt: bool, normalize: bool, degrees: bool, clockwise: bool):
    options = Options(alpha, sqrt, normalize)
    return lambda boxes1, boxes2: KINDS[kind](gaussians(boxes1, boxes2, degrees, clockwise), options)


def distance(
    boxes1: Tensor,
    boxes2: Tensor,
    kind: str = "gwd",
    alpha: float = 1.0,
    sqrt: bool = True,
    normalize: bool = True,
    degrees: bool = False,
    clockwise: bool = True,
) -> Tensor:
    """Distance, or similarity, of every pair, before ``fun`` and ``tau``: ``(..., 5) x (..., 5) -> (...)``."""
    boxes1, boxes2 = torch.broadcast_tensors(boxes1, boxes2)
    return finite_rows(_score(kind, alpha, sqrt, normalize, degrees, clockwise), boxes1, boxes2)


def pairwise(
    boxes1: Tensor,
    boxes2: Tensor,
    kind: str = "gwd",
    alpha: float = 1.0,
    sqrt: bool = True,
    normalize: bool = True,
    degrees: bool = False,
    clockwise: bool = True,
    mask1: Tensor | None = None,
    mask2: Tensor | None = None,
) -> Tensor:
    """The same of every box of one set with every box of another: ``(..., N, 5) x (..., M, 5) -> (..., N, M)``.

    Masked boxes get 0 and no gradient, whatever their numbers.
    """
    return finite_pairs(_score(kind, alpha, sqrt, normalize, degrees, clockwise), boxes1, boxes2, mask1, mask2)
