"""Rotated boxes from one convention into another."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor

from .._args.options import one_of
from .._args.tensors import check_tensor
from .layouts import LAYOUTS, Rectangle


class Range(NamedTuple):
    """Half-open, in quarter turns."""

    low: float
    high: float
    closed_above: bool = False


class Convention(NamedTuple):
    """What the numbers of a rotated box mean; x is to the right, y is down."""

    about: str
    numbers: str = "cx cy w h angle"  # a key of LAYOUTS
    degrees: bool = False
    clockwise: bool = True  # as seen on the screen
    range: Range | None = None  # None: any angle
    long_side_first: bool = False  # w >= h

    @property
    def has_angle(self) -> bool:
        return self.numbers.endswith("angle")

    @property
    def radian(self) -> float:
        """One unit of the angle in radians clockwise."""
        return (math.pi / 180 if self.degrees else 1.0) * (1 if self.clockwise else -1)

    def spelled_angle(self, quarter_turns: float) -> str:
        """``1`` -> ``"90°"`` or ``"π/2"``."""
        if self.degrees:
            return f"{90 * quarter_turns:g}°".replace("-", "−")
        half = Fraction(quarter_turns) / 2
        number = {1: "", -1: "−"}.get(half.numerator, str(half.numerator).replace("-", "−"))
        return "0" if half == 0 else f"{number}π" + (f"/{half.denominator}" if half.denominator > 1 else "")

    def spelled_range(self) -> str:
        """``"[−π/2, π/2)"``, ``"any"``, or ``""`` without an angle."""
        if self.range is None:
            return "any" if self.has_angle else ""
        low, high = (self.spelled_angle(x) for x in self.range[:2])
        return f"({low}, {high}]" if self.range.closed_above else f"[{low}, {high})"


_DETECTRON2 = Range(-2, 2)
_LE90, _LE135 = Range(-1, 1), Range(-0.5, 1.5)

#: Conventions by name. Those without an angle are axis-aligned: sources only.
CONVENTIONS: dict[str, Convention] = {
    "cxcywhr": Convention("fastiou; mmcv `box_iou_rotated`, `nms_rotated`"),
    "mmrotate_oc": Convention("mmrotate `oc`", range=Range(0, 1, closed_above=True)),
    "mmrotate_le90": Convention("mmrotate `le90`", range=_LE90, long_side_first=True),
    "mmrotate_le135": Convention(
        "mmrotate `le135`; Ultralytics `xyxyxyxy2xywhr`", range=_LE135, long_side_first=True
    ),
    "ultralytics": Convention("Ultralytics OBB results, `regularize_rboxes`", range=Range(0, 1)),
    "ultralytics_head": Convention("Ultralytics OBB head", range=_LE135),
    "detectron2": Convention("Detectron2 `RotatedBoxes`", degrees=True, clockwise=False, range=_DETECTRON2),
    "torchvision_cxcywhr": Convention("torchvision `cxcywhr`", degrees=True, clockwise=False),
    "torchvision_xywhr": Convention("torchvision `xywhr`", "x1 y1 w h angle", degrees=True, clockwise=False),
    "torchvision_xyxyxyxy": Convention("torchvision `xyxyxyxy`", "x1 y1 ... x4 y4"),
    "opencv": Convention(
        "OpenCV `minAreaRect` before 4.5.1 and since 4.13", degrees=True, range=Range(-1, 0)
    ),
    "opencv_451": Convention(
        "OpenCV `minAreaRect` 4.5.1 to 4.12", degrees=True, range=Range(0, 1, closed_above=True)
    ),
    "polygon": Convention("DOTA labels, mmrotate `qbox`; any quadrilateral", "any four corners"),
    "xyxy": Convention("axis-aligned, source only", "x1 y1 x2 y2"),
    "xywh": Convention("axis-aligned, source only", "x1 y1 w h"),
    "cxcywh": Convention("axis-aligned, source only", "cx cy w h"),
}  # fmt: skip
_TARGETS = tuple(name for name, c in CONVENTIONS.items() if LAYOUTS[c.numbers].write)

#: A quarter turn in parts of few bits, so that multiples of all but the last are exact (Cody and Waite).
_QUARTER = {True: (90.0,), False: (1.5703125, 4.837512969970703125e-4, 7.54978995489188216e-8)}


def rotated_conventions() -> tuple[str, ...]:
    """Names of the conventions that :func:`convert_rotated` reads; it writes all but the axis-aligned ones."""
    return tuple(CONVENTIONS)


def convert_rotated(boxes: Tensor, src: str, dst: str) -> Tensor:
    """The same rectangles in another convention.

    Args:
        boxes: ``(..., 5)``, ``(..., 8)`` corners, or ``(..., 4)`` axis-aligned, as ``src`` has it; float16, bfloat16,
            float32 or float64.
        src: how they are written, one of :func:`rotated_conventions`.
        dst: how they are wanted; not one of the axis-aligned ``"xyxy"``, ``"xywh"``, ``"cxcywh"``.

    Returns:
        ``(..., 5)`` or ``(..., 8)``, dtype and device of ``boxes``, differentiable any number of times.

    The region of the plane stays the same, up to rounding. The angle lies in the range of ``dst``, also after
    rounding; sides are swapped where that takes a quarter turn, or where ``dst`` has the longer side first (a square
    keeps the axis it has). Angles that are in range stay as they are, and degrees are folded without error. Corners
    begin where both axes of the box begin, and go on along its width: clockwise on the screen.

    ``"polygon"`` is read as the rectangle of least area around the four points, in whatever order they come, as
    OpenCV's ``minAreaRect`` has it (mmrotate's ``poly2obb_np``); a rectangle is read as itself, and where several are
    least, as around a triangle, it is one of them. ``"torchvision_xyxyxyxy"`` is read as torchvision reads it, by its
    first two edges: the angle is that of the first, however short (``"polygon"`` reads narrow boxes better).
    ``"torchvision_xywhr"`` has the box's own top left corner, turned with it, not that of the upright box.

    Negative sides count as 0. NaN and infinity spread to the numbers that depend on them.

    Raises:
        TypeError, ValueError: an argument that does not fit, named, with what was expected and what arrived.
    """
    if not isinstance(src, str) or src not in CONVENTIONS:
        one_of("src", src, CONVENTIONS)
    if not isinstance(dst, str) or dst not in _TARGETS:
        one_of("dst", dst, _TARGETS)
    source, target = CONVENTIONS[src], CONVENTIONS[dst]
    layout = LAYOUTS[source.numbers]
    check_tensor("boxes", boxes, layout.width, f"{src} boxes")

    box = layout.read(boxes.to(torch.promote_types(boxes.dtype, torch.float32)), source.radian)
    if source.clockwise != target.clockwise:
        box = box._replace(angle=0 - box.angle)  # not -angle, which is -0.0 for upright boxes
    turns = None
    if target.range is not None:
        box, turns = _fold(box, source.degrees, target)
    if source.degrees != target.degrees:
        box = box._replace(angle=box.angle * abs(source.radian / target.radian))
    if turns is not None:
        box = _settle(box._replace(angle=box.angle.to(boxes.dtype)), turns, target)
    return LAYOUTS[target.numbers].write(box, target.radian).to(boxes.dtype)


def _fold(box: Rectangle, degrees: bool, target: Convention) -> tuple[Rectangle, Tensor]:
    """The angle less as many quarter turns as bring it into the range, and that number.

    A range that is closed above is the mirror image of one that is closed below.
    """
    low, high, mirrored = target.range
    angle = 0 - box.angle if mirrored else box.angle
    turn = (box.w < box.h).to(angle.dtype) if target.long_side_first else torch.zeros_like(angle)
    start, period = -high if mirrored else low, high - low
    quarter = sum(_QUARTER[degrees])
    turns = ((angle / quarter - turn - start) / period).floor() * period + turn
    # The division may round up to the open end.
    first, last = (angle.new_full((), x * quarter) for x in (start, start + period))
    turns = torch.where((turn == 0) & (angle >= first) & (angle < last), 0.0, turns)
    for part in _QUARTER[degrees]:
        angle = angle - turns * part
    return box._replace(angle=0 - angle if mirrored else angle), turns


def _settle(box: Rectangle, turns: Tensor, target: Convention) -> Rectangle:
    """Angles that rounding has moved out of the range go to its closed end; an odd number of turns swaps the sides."""
    low, high, closed_above = target.range
    quarter = 90.0 if target.degrees else math.pi / 2
    angle = box.angle
    first, last = (angle.new_full((), x * quarter) for x in (low, high))
    if closed_above:
        closed, beyond, around = last, angle > last, angle <= first
    else:
        closed, beyond, around = first, angle < first, angle >= last
    settled = torch.where(beyond | around, closed, angle)
    angle = settled.detach() + (angle - angle.detach())  # the gradient of a turned box is that of its angle
    swap = torch.remainder(turns + around * (high - low), 2) == 1
    w, h = torch.where(swap, box.h, box.w), torch.where(swap, box.w, box.h)
    return box._replace(w=w, h=h, angle=angle)
