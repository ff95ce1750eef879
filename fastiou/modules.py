"""The losses as ``nn.Module``: arguments only, the computation is in the modules of the functions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ._args.losses import check_options
from ._args.pixels import check_formats_of_pixels
from ._args.rotated import pair_of_formats, width_of
from .gaussian import gaussian_loss
from .losses import iou_loss
from .pixels import piou_loss
from .rotated import rotated_iou_loss


class IoULoss(nn.Module):
    """Aligned IoU loss of a given kind, with the arguments of MMDetection's loss modules.

    Args:
        kind: one of :func:`fastiou.kinds`.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        loss_weight: factor on the loss.
        eps: added to every denominator, see :func:`fastiou.iou_loss`.
        fmt: how boxes are written, see :func:`fastiou.iou_loss`.
    """

    def __init__(
        self,
        kind: str = "ciou",
        reduction: str = "mean",
        loss_weight: float = 1.0,
        eps: float = 1e-7,
        fmt: str | tuple[str, str] = "xyxy",
    ) -> None:
        super().__init__()
        check_options(kind, reduction, eps, fmt)
        self.kind, self.reduction, self.loss_weight, self.eps, self.fmt = kind, reduction, loss_weight, eps, fmt

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
        points: Tensor | None = None,
    ) -> Tensor:
        """Loss of boxes ``(..., 4)``; arguments of :func:`fastiou.iou_loss`, ``reduction_override`` for one call."""
        reduction = self.reduction if reduction_override is None else reduction_override
        loss = iou_loss(
            pred,
            target,
            self.kind,
            weight=weight,
            reduction=reduction,
            avg_factor=avg_factor,
            eps=self.eps,
            fmt=self.fmt,
            points=points,
        )
        return loss if self.loss_weight == 1 else loss * self.loss_weight

    def extra_repr(self) -> str:
        return (
            f"kind={self.kind!r}, reduction={self.reduction!r}, loss_weight={self.loss_weight}, eps={self.eps}, "
            f"fmt={self.fmt!r}"
        )


class GIoULoss(IoULoss):
    """Generalized IoU loss (Rezatofighi et al., CVPR 2019); arguments of :class:`IoULoss` without ``kind``."""

    def __init__(self, reduction="mean", loss_weight=1.0, eps=1e-7, fmt="xyxy") -> None:
        super().__init__("giou", reduction, loss_weight, eps, fmt)


class DIoULoss(IoULoss):
    """Distance IoU loss (Zheng et al., AAAI 2020); arguments of :class:`IoULoss` without ``kind``."""

    def __init__(self, reduction="mean", loss_weight=1.0, eps=1e-7, fmt="xyxy") -> None:
        super().__init__("diou", reduction, loss_weight, eps, fmt)


class CIoULoss(IoULoss):
    """Complete IoU loss (Zheng et al., AAAI 2020); arguments of :class:`IoULoss` without ``kind``."""

    def __init__(self, reduction="mean", loss_weight=1.0, eps=1e-7, fmt="xyxy") -> None:
        super().__init__("ciou", reduction, loss_weight, eps, fmt)


class _RotatedLoss(nn.Module):
    """What the modules of rotated boxes do; ``_loss`` is their function."""

    _loss: Callable[..., Tensor]
    _formats: Callable[..., tuple[str, str]] = staticmethod(pair_of_formats)

    def __init__(self, loss_weight: float, options: dict) -> None:
        super().__init__()
        for name in ("weight", "avg_factor"):
            if name in options:
                raise TypeError(f"{name}: expected in a call of the loss, not of {type(self).__name__}")
        self.options = options
        self.loss_weight = loss_weight
        # Options that do not fit are to fail where they are given, not where the loss is called.
        fmt = options.get("fmt")
        formats = self._formats("cxcywhr" if fmt is None else fmt, ("pred", "target"))
        self._loss(*(torch.zeros(0, width_of(fmt)) for fmt in formats), **options)

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Loss of boxes as the function takes them; ``reduction_override`` for one call."""
        options = self.options if reduction_override is None else {**self.options, "reduction": reduction_override}
        loss = self._loss(pred, target, weight=weight, avg_factor=avg_factor, **options)
        return loss if self.loss_weight == 1 else loss * self.loss_weight

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={x!r}" for name, x in {**self.options, "loss_weight": self.loss_weight}.items())


class RotatedIoULoss(_RotatedLoss):
    """Aligned loss of rotated boxes by the area that they share: MMRotate's ``RotatedIoULoss``, and its kin.

    MMRotate's own default is ``mode="log"``.

    Args:
        kind, mode, enclosing, eps, fmt, degrees, clockwise: as of :func:`fastiou.rotated_iou_loss`.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        loss_weight: factor on the loss.
    """

    _loss = staticmethod(rotated_iou_loss)

    def __init__(self, kind: str = "iou", reduction: str = "mean", loss_weight: float = 1.0, **options) -> None:
        super().__init__(loss_weight, dict(kind=kind, reduction=reduction, **options))


class GaussianLoss(_RotatedLoss):
    """Aligned loss of rotated boxes by the distance of their Gaussians: MMRotate's ``GDLoss`` and ``KFLoss``, ProbIoU.

    Args:
        kind, fun, tau, alpha, sqrt, normalize, fmt, degrees, clockwise: as of :func:`fastiou.gaussian_loss`.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        loss_weight: factor on the loss.
    """

    _loss = staticmethod(gaussian_loss)

    def __init__(self, kind: str = "gwd", reduction: str = "mean", loss_weight: float = 1.0, **options) -> None:
        super().__init__(loss_weight, dict(kind=kind, reduction=reduction, **options))


class PIoULoss(_RotatedLoss):
    """Aligned loss of rotated or upright boxes by the pixels that they share (Chen et al., ECCV 2020).

    Args:
        k, union, mode, floor, scale, straight_through, convention, fmt, degrees, clockwise: as of
            :func:`fastiou.piou_loss`.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        loss_weight: factor on the loss.
    """

    _loss = staticmethod(piou_loss)
    _formats = staticmethod(check_formats_of_pixels)

    def __init__(self, reduction: str = "mean", loss_weight: float = 1.0, **options) -> None:
        super().__init__(loss_weight, dict(reduction=reduction, **options))
