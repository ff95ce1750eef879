"""The names of what the C++ tables hold, for installations without a compiler. Nothing here needs torch.

A name's place is its number in ``csrc/``: operators take options as numbers. A test compares these tables with those.
"""

from __future__ import annotations

#: How four numbers can spell a box, in the order of ``Format`` in ``csrc/math/box.h``.
FORMATS = ("xyxy", "xywh", "cxcywh", "ltrb")

# The tables of csrc/math/rotated_kinds.h, enclosing.h and link.h, in their order.
ROTATED_KINDS = (
    "iou", "iof", "giou", "diou", "ciou", "gwd", "gwd_normalized", "kld", "jd", "kld_symmax", "kld_symmin", "bcd",
    "bcd_uniform", "kfiou", "probiou",
)  # fmt: skip
ENCLOSINGS = ("hull", "min", "target", "aabb")
LINKS = ("none", "one_minus", "log_floor", "square", "log", "exp", "log1p", "sqrt")
