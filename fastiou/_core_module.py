"""The pybind11 module, or why there is none. Nothing here needs torch."""

from __future__ import annotations

import os
from types import ModuleType


def _load() -> tuple[ModuleType | None, str]:
    if os.environ.get("FASTIOU_NATIVE") == "0":
        return None, "switched off by FASTIOU_NATIVE=0"
    try:
        from . import _core
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) or "cannot import name" in str(error)
        return None, "this installation was built without compiled parts" if missing else str(error)
    return _core, ""


#: Registry, build facts and NumPy kernels; None in a pure-Python install, and then ``reason`` says why.
core, reason = _load()

#: How four numbers can spell a box, in the order of ``Format`` in ``csrc/math/box.h``.
FORMATS = ("xyxy", "xywh", "cxcywh", "ltrb")

# The tables of csrc/math/rotated_kinds.h, enclosing.h and link.h, in their order.
ROTATED_KINDS = (
    "iou", "iof", "giou", "diou", "ciou", "gwd", "gwd_normalized", "kld", "jd", "kld_symmax", "kld_symmin", "bcd",
    "bcd_uniform", "kfiou", "probiou",
)  # fmt: skip
ENCLOSINGS = ("hull", "min", "target", "aabb")
LINKS = ("none", "one_minus", "log_floor", "square", "log", "exp", "log1p", "sqrt")
