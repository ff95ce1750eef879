"""The losses of rotated boxes, each beside its reference, for the tests that go through all of them."""

from __future__ import annotations

from functools import partial

import fastiou
from fastiou.reference import gaussian as reference_gaussian, rotated as reference_rotated

ENCLOSINGS = ("hull", "min", "target", "aabb")


def _exact(kind, mode="linear", enclosing="hull"):
    def oracle(pred, target, degrees=False, clockwise=True, weight=None):
        return reference_rotated.row_loss(pred, target, kind, mode, enclosing, 1e-6, degrees, clockwise, weight)

    return partial(fastiou.rotated_iou_loss, kind=kind, mode=mode, enclosing=enclosing), oracle


def _gaussian(kind, **options):
    def oracle(pred, target, degrees=False, clockwise=True, weight=None):
        flags = dict(degrees=degrees, clockwise=clockwise, weight=weight)
        return reference_gaussian.row_loss(pred, target, kind, **options, **flags)

    return partial(fastiou.gaussian_loss, kind=kind, **options), oracle


#: (loss, reference) by name: every kind, and every choice that kernels know, at least once.
LOSSES = {
    **{f"iou-{mode}": _exact("iou", mode) for mode in ("linear", "log", "square")},
    **{f"{kind}-{e}": _exact(kind, enclosing=e) for kind in ("giou", "diou", "ciou") for e in ENCLOSINGS},
    **{kind: _gaussian(kind) for kind in fastiou.gaussian_kinds()},
    "gwd-plain": _gaussian("gwd", fun="sqrt", tau=0.0, sqrt=False, normalize=False),
    "gwd-alpha": _gaussian("gwd", fun="none", tau=2.0, alpha=0.5),
    "kld-squared": _gaussian("kld", fun="none", tau=0.0, sqrt=False),
    "kld-alpha": _gaussian("kld", fun="sqrt", tau=1.0, alpha=3.0),
    "kfiou-ln": _gaussian("kfiou", fun="ln"),
    "kfiou-exp": _gaussian("kfiou", fun="exp"),
    "probiou-ln": _gaussian("probiou", fun="ln"),
}
GAUSSIAN = tuple(name for name in LOSSES if name.split("-")[0] in fastiou.gaussian_kinds())
