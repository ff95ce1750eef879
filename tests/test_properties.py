"""Properties that hold for all boxes, tried on boxes that hypothesis makes up."""

import pytest
import torch
from axes import KINDS

import fastiou

pytest.importorskip("hypothesis", reason="hypothesis is not installed")
from hypothesis import given, settings, strategies as st

#: Largest loss of proper boxes, where there is one.
UPPER = {"iou": 1.0, "iou_square": 1.0, "giou": 2.0, "diou": 2.0, "ciou": 3.0}

coordinate = st.floats(-1e4, 1e4, width=32)
size = st.floats(2**-10, 1e4, width=32)


@st.composite
def proper_boxes(draw):
    """A pair of boxes of positive size, sometimes sharing an edge or a centre."""
    x, y, w, h = draw(coordinate), draw(coordinate), draw(size), draw(size)
    first = (x, y, x + w, y + h)
    x2 = draw(st.sampled_from([x, x + w, None])) if draw(st.booleans()) else None
    x2 = draw(coordinate) if x2 is None else x2
    y2, w2, h2 = draw(coordinate), draw(st.sampled_from([w]) | size), draw(size)
    return torch.tensor([first, (x2, y2, x2 + w2, y2 + h2)], dtype=torch.float64)


pytestmark = pytest.mark.parametrize("kind", KINDS)
examples = settings(max_examples=150, deadline=None)


def loss(boxes, kind, **kwargs):
    return fastiou.iou_loss(boxes[0], boxes[1], kind, eps=kwargs.pop("eps", 0.0), **kwargs).item()


@examples
@given(boxes=proper_boxes())
def test_symmetric(kind, boxes):
    assert loss(boxes, kind) == pytest.approx(loss(boxes.flip(0), kind), rel=1e-12, abs=1e-12)


@examples
@given(boxes=proper_boxes(), by=st.floats(0.01, 100))
def test_scale_invariant(kind, boxes, by):
    assert loss(boxes * by, kind) == pytest.approx(loss(boxes, kind), rel=1e-6, abs=1e-6)


@examples
@given(boxes=proper_boxes(), x=st.integers(-(2**12), 2**12), y=st.integers(-(2**12), 2**12))
def test_translation_invariant(kind, boxes, x, y):
    boxes = (boxes * 64).round() / 64  # so that moving rounds nothing
    if (boxes[:, 2:] > boxes[:, :2]).all():
        moved = boxes + torch.tensor([x, y, x, y])
        assert loss(moved, kind) == pytest.approx(loss(boxes, kind), rel=1e-9, abs=1e-9)


@examples
@given(boxes=proper_boxes())
def test_mirror_and_transpose(kind, boxes):
    x1, y1, x2, y2 = boxes.unbind(-1)
    assert loss(torch.stack([-x2, y1, -x1, y2], -1), kind) == pytest.approx(loss(boxes, kind), rel=1e-9, abs=1e-9)
    assert loss(torch.stack([y1, x1, y2, x2], -1), kind) == pytest.approx(loss(boxes, kind), rel=1e-9, abs=1e-9)


@examples
@given(boxes=proper_boxes())
def test_range_and_zero(kind, boxes):
    value = loss(boxes, kind)
    assert -1e-12 <= value <= UPPER.get(kind, float("inf")) + 1e-12
    same = boxes[:1].expand(2, 4)
    assert loss(same, kind) == 0


@examples
@given(boxes=proper_boxes())
def test_order_of_kinds(kind, boxes):
    """GIoU, DIoU <= IoU and CIoU <= DIoU as scores: the other way round as losses."""
    below = {"giou": "iou", "diou": "iou", "ciou": "diou", "iou_log": "iou"}
    if kind in below:
        assert loss(boxes, kind) >= loss(boxes, below[kind]) - 1e-12


@examples
@given(boxes=proper_boxes())
def test_gradient_sums(kind, boxes):
    """Invariance, differentiated: moving both boxes changes nothing, and neither does scaling both."""
    boxes = boxes.requires_grad_()
    (grad,) = torch.autograd.grad(fastiou.iou_loss(boxes[0], boxes[1], kind, eps=0.0), boxes)
    unit = grad.abs().max().item() + 1e-30
    total = grad.sum(0)
    assert (total[:2] + total[2:]).abs().max() <= 1e-7 * unit
    if kind != "ciou":  # alpha is held constant, but v itself does not change with scale either
        extent = boxes.detach().abs().max().item()
        assert abs((grad * boxes.detach()).sum().item()) <= 1e-7 * unit * extent
