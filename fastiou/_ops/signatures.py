"""What operators take between two tensors of boxes and two flags that say whose gradient is wanted, by name.

The fields stand in the order of the schemas in ``csrc/ops``; a test compares them. Everything in Python that calls an
operator, or stands in for one, takes its arguments from here. Kinds, formats and links are numbers: the enums of
``csrc/``.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class PairOptions(NamedTuple):
    """Of ``fastiou::pair_loss``."""

    points: Tensor | None
    weight: Tensor | None
    avg_factor: Tensor | None
    kind: int
    pred_format: int
    target_format: int
    reduction: int
    divisor: float | None
    eps_area: float
    eps_ratio: float


class RotatedOptions(NamedTuple):
    """Of ``fastiou::rotated_loss``."""

    weight: Tensor | None
    avg_factor: Tensor | None
    kind: int
    format: int
    link: int
    alpha: float
    tau: float
    eps: float
    reduction: int
    divisor: float | None


class PixelOptions(NamedTuple):
    """Of ``fastiou::pixel_loss``."""

    weight: Tensor | None
    avg_factor: Tensor | None
    pred_format: int
    target_format: int
    link: int
    area_union: bool
    hard: bool
    k: float
    scale: float
    floor: float
    factor: float
    straight_through: bool
    reduction: int
    divisor: float | None


class PairwiseOptions(NamedTuple):
    """Of ``fastiou::pairwise``, which has no flags, and ``pairwise_backward``."""

    mask1: Tensor | None
    mask2: Tensor | None
    kind: int
    format1: int
    format2: int
    eps_overlap: float
    eps_area: float
    eps_ratio: float


class PixelPairwiseOptions(NamedTuple):
    """Of ``fastiou::pixel_pairwise_backward``; ``pixel_pairwise`` has ``hard`` before ``k``, and no flags."""

    format1: int
    format2: int
    area_union: bool
    k: float
    scale: float


#: Options of the operators that return a loss and its partial derivatives.
LossOptions = PairOptions | RotatedOptions | PixelOptions
