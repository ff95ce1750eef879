"""Bad input to the functions on pixels: the message names the argument, what was expected and what arrived."""

import pytest
import torch

import fastiou

BOXES = torch.rand(5, 5)
LOSS, IOU = fastiou.piou_loss, fastiou.pixel_iou
PAIR = (BOXES, BOXES)
UPRIGHT = (BOXES[:, :4], BOXES[:, :4])
CASES = {
    "width": (LOSS, (BOXES[:, :3], BOXES), {}, ValueError, r"pred: expected .*4\) or .*5\), got \(5, 3\)"),
    "width of fmt": (LOSS, UPRIGHT, dict(fmt="cxcywhr"), ValueError, r"pred: expected shape .*, 5\), got \(5, 4\)"),
    "list": (LOSS, (BOXES, [1]), {}, TypeError, "target: expected a torch.Tensor.*got list"),
    "number": (IOU, (torch.tensor(1.0), BOXES), {}, ValueError, r"boxes1: expected shape .*got \(\)"),
    "integers": (IOU, (BOXES.long(), BOXES), {}, TypeError, "boxes1: expected float16.*got torch.int64"),
    "bool": (IOU, (BOXES.bool(), BOXES), dict(pairwise=True), TypeError, "boxes1: expected floating-point or integer"),
    "one box": (IOU, (BOXES[0], BOXES), dict(pairwise=True), ValueError, r"boxes1: expected .*N, 5\), got \(5,\)"),
    "broadcast": (LOSS, (BOXES, BOXES[:3]), {}, ValueError, r"pred, target: .*broadcast, got \(5, 5\) and \(3, 5\)"),
    "broadcast iou": (IOU, (BOXES, BOXES[:3]), {}, ValueError, "boxes1, boxes2: expected leading shapes"),
    "device": (LOSS, (BOXES, BOXES.to("meta")), {}, ValueError, "target: expected the device of pred, cpu, got meta"),
    "device iou": (IOU, (BOXES, BOXES.to("meta")), {}, ValueError, "boxes2: expected the device of boxes1, cpu"),
    "k": (LOSS, PAIR, dict(k=0), ValueError, "k: expected a number from 1e-06 to 1e.06, got 0"),
    "k nan": (IOU, PAIR, dict(k=float("nan")), ValueError, "k: expected a number from .*got nan"),
    "k text": (IOU, PAIR, dict(k="10"), ValueError, "k: expected a number from .*got '10'"),
    "scale": (IOU, PAIR, dict(scale=1e7), ValueError, "scale: expected a number from 1e-06 to 1e.06, got 10000000.0"),
    "scale pair": (LOSS, PAIR, dict(scale=(4, 4)), ValueError, r"scale: expected a number from .*got \(4, 4\)"),
    "union": (LOSS, PAIR, dict(union="approx"), ValueError, "union: expected one of 'exact', 'area', got 'approx'"),
    "hard": (IOU, PAIR, dict(hard=1), TypeError, "hard: expected True or False, got 1"),
    "hard loss": (LOSS, PAIR, dict(hard=True), TypeError, "unexpected keyword"),
    "pairwise": (IOU, PAIR, dict(pairwise=None), TypeError, "pairwise: expected True or False, got None"),
    "mode": (LOSS, PAIR, dict(mode="square"), ValueError, "mode: expected one of 'linear', 'log', got 'square'"),
    "convention": (LOSS, PAIR, dict(convention="github"), ValueError, "convention: expected one of 'paper'"),
    "official": (LOSS, PAIR, dict(convention="official", mode="linear"), ValueError,
                 "mode: expected 'log' with convention='official', got 'linear'"),
    "floor 0": (LOSS, PAIR, dict(floor=0), ValueError, "floor: expected a number .*got 0"),
    "floor 1": (LOSS, PAIR, dict(floor=1.0), ValueError, "floor: expected a number .*got 1.0"),
    "straight": (LOSS, PAIR, dict(straight_through="yes"), TypeError, "straight_through: expected True or False"),
    "reduction": (LOSS, PAIR, dict(reduction="avg"), ValueError, "reduction: expected one of .*got 'avg'"),
    "weight": (LOSS, PAIR, dict(weight=torch.rand(3)), ValueError, r"weight: .*broadcasts to \(5,\), got \(3,\)"),
    "avg_factor": (LOSS, PAIR, dict(avg_factor="3"), TypeError, "avg_factor: expected a number or a tensor, got str"),
    "avg_factor of sum": (LOSS, PAIR, dict(avg_factor=3, reduction="sum"), ValueError, "avg_factor: expected None"),
    "ltrb": (LOSS, UPRIGHT, dict(fmt="ltrb"), ValueError, "fmt: .*got 'ltrb', distances: convert them to corners"),
    "ltrb of a pair": (IOU, UPRIGHT, dict(fmt=("xyxy", "ltrb")), ValueError, "fmt: .*distances: convert them"),
    "fmt": (LOSS, PAIR, dict(fmt="yxyx"), ValueError, "fmt: expected one of .*got 'yxyx'"),
    "fmt three": (LOSS, PAIR, dict(fmt=("cxcywhr",) * 3), TypeError, "fmt: expected a format or a pair of formats"),
    "flags": (IOU, PAIR, dict(fmt="detectron2", degrees=True), ValueError, "degrees, clockwise: expected the defaults"),
    "flags of upright": (IOU, UPRIGHT, dict(degrees=True), ValueError, "fmt='xyxy', which has no angle"),
    "flag": (LOSS, PAIR, dict(clockwise="no"), TypeError, "clockwise: expected True or False, got 'no'"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    function, args, options, error, message = CASES[case]
    with pytest.raises(error, match=message):
        function(*args, **options)


def test_module_checks_when_it_is_made():
    for argument in ("weight", "avg_factor"):
        with pytest.raises(TypeError, match=f"{argument}: expected in a call of the loss"):
            fastiou.PIoULoss(**{argument: 1.0})
    with pytest.raises(ValueError, match="k: expected a number from"):
        fastiou.PIoULoss(k=-1)
    with pytest.raises(ValueError, match="distances: convert them to corners"):
        fastiou.PIoULoss(fmt="ltrb")
    with pytest.raises(TypeError, match="unexpected keyword"):
        fastiou.PIoULoss(kind="iou")


def test_module_says_what_it_is():
    assert repr(fastiou.PIoULoss(k=4.0, union="area", loss_weight=2.0)) == (
        "PIoULoss(reduction='mean', k=4.0, union='area', loss_weight=2.0)"
    )
