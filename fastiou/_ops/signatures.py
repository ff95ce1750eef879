"""What operators take beside the tensors that they are about and flags that say whose gradient is wanted, by name.

The fields stand in the order of the schemas in ``csrc/ops``; a test compares them. Everything in Python that calls an
operator, or stands in for one, takes its arguments from here. Kinds, formats and links are numbers: the enums of
``csrc/``.
"""

from __future__ import annotations

from typing import NamedTuple, get_type_hints

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
    """Of ``fastiou::pairwise`` and ``pairwise_backward``."""

    mask1: Tensor | None
    mask2: Tensor | None
    kind: int
    format1: int
    format2: int
    eps_overlap: float
    eps_area: float
    eps_ratio: float


class MatchingOptions(NamedTuple):
    """Of ``fastiou::max_iou``."""

    boxes_mask: Tensor | None
    gts_mask: Tensor | None
    kind: int
    format1: int
    format2: int
    eps_overlap: float
    eps_area: float
    eps_ratio: float


class TiedGtsOptions(NamedTuple):
    """Of ``fastiou::tied_gts``."""

    boxes_mask: Tensor | None
    gts_mask: Tensor | None
    gt_values: Tensor
    least: float
    kind: int
    format1: int
    format2: int
    eps_overlap: float
    eps_area: float
    eps_ratio: float


class NmsOptions(NamedTuple):
    """Of ``fastiou::nms``, as the next ones after boxes, scores and idxs."""

    threshold: float
    kind: int
    beta: float
    format: int
    merge: bool


class SoftNmsOptions(NamedTuple):
    """Of ``fastiou::soft_nms``."""

    gaussian: bool
    sigma: float
    threshold: float
    score_threshold: float
    kind: int
    beta: float
    format: int


class MatrixNmsOptions(NamedTuple):
    """Of ``fastiou::matrix_nms``."""

    gaussian: bool
    sigma: float
    kind: int
    beta: float
    format: int


class PixelPairwiseOptions(NamedTuple):
    """Of ``fastiou::pixel_pairwise``."""

    format1: int
    format2: int
    area_union: bool
    hard: bool
    k: float
    scale: float


class SoftPixelOptions(NamedTuple):
    """Of ``fastiou::pixel_pairwise_backward``: hard pixels have no derivative."""

    format1: int
    format2: int
    area_union: bool
    k: float
    scale: float

    def forward(self, *, hard: bool) -> PixelPairwiseOptions:
        return PixelPairwiseOptions(hard=hard, **self._asdict())


#: Options of the operators that return a loss and its partial derivatives.
LossOptions = PairOptions | RotatedOptions | PixelOptions

#: The fields' types in a schema.
SCHEMA_TYPES = {
    Tensor: "Tensor",
    Tensor | None: "Tensor?",
    int: "int",
    float: "float",
    float | None: "float?",
    bool: "bool",
}


def schema_of(options: type[NamedTuple]) -> str:
    """The options as arguments in a schema."""
    return ", ".join(f"{SCHEMA_TYPES[hint]} {name}" for name, hint in get_type_hints(options).items())
