"""Bad input raises before any kernel runs; the message names the argument, what was expected and what arrived."""

import pytest
import torch

import fastiou

BOXES = torch.rand(5, 4)
CASES = {
    "pred is a list": (dict(pred=[[0, 0, 1, 1]]), TypeError, "pred: expected a torch.Tensor.*got list"),
    "target is None": (dict(target=None), TypeError, "target: expected a torch.Tensor.*got NoneType"),
    "integer pred": (dict(pred=torch.zeros(5, 4, dtype=torch.int64)), TypeError, "pred: expected float16.*torch.int64"),
    "integer target": (dict(target=torch.zeros(5, 4, dtype=torch.int32)), TypeError, "target: .*got torch.int32"),
    "complex pred": (dict(pred=torch.zeros(5, 4, dtype=torch.complex64)), TypeError, "pred: .*got torch.complex64"),
    "last dim": (dict(pred=torch.rand(5, 5)), ValueError, r"pred: expected shape \(\.\.\., 4\), got \(5, 5\)"),
    "no dim": (dict(target=torch.tensor(1.0)), ValueError, r"target: expected shape \(\.\.\., 4\), got \(\)"),
    "broadcast": (
        dict(target=torch.rand(3, 4)),
        ValueError,
        r"leading shapes that broadcast, got \(5, 4\) and \(3, 4\)",
    ),
    "device": (dict(target=BOXES.to("meta")), ValueError, "target: expected the device of pred, cpu, got meta"),
    "kind": (dict(kind="xiou"), ValueError, "kind: expected one of 'iou'.*'ciou', got 'xiou'"),
    "kind None": (dict(kind=None), ValueError, "kind: expected one of .* got None"),
    "reduction": (
        dict(reduction="average"),
        ValueError,
        "reduction: expected one of 'none', 'mean', 'sum', got 'average'",
    ),
    "eps": (dict(eps=-1.0), ValueError, "eps: expected a finite number >= 0, got -1.0"),
    "eps NaN": (dict(eps=float("nan")), ValueError, "eps: expected a finite number >= 0, got nan"),
    "eps None": (dict(eps=None), ValueError, "eps: expected a finite number >= 0, got None"),
    "fmt": (dict(fmt="yxyx"), ValueError, "fmt: expected one of 'xyxy'.*'ltrb', got 'yxyx'"),
    "fmt pair": (dict(fmt=("xyxy", "foo")), ValueError, "fmt: expected one of .* got 'foo'"),
    "fmt three": (dict(fmt=("xyxy",) * 3), TypeError, "fmt: expected a format or a pair"),
    "fmt number": (dict(fmt=1), TypeError, "fmt: expected a format or a pair of formats .*got 1"),
    "no points": (dict(fmt="ltrb"), ValueError, "points: expected anchor points .* with fmt='ltrb', got None"),
    "needless points": (dict(points=torch.rand(5, 2)), ValueError, "points: expected None with fmt='xyxy'"),
    "points width": (dict(fmt="ltrb", points=torch.rand(5, 3)), ValueError, r"points: expected shape \(\.\.\., 2\)"),
    "points rows": (
        dict(fmt="ltrb", points=torch.rand(4, 2)),
        ValueError,
        r"points: .*broadcasts to \(5, 2\), got \(4, 2\)",
    ),
    "points dtype": (
        dict(fmt="ltrb", points=torch.zeros(2, dtype=torch.int64)),
        TypeError,
        "points: .*got torch.int64",
    ),
    "points with gradient": (
        dict(fmt="ltrb", points=torch.rand(5, 2, requires_grad=True)),
        ValueError,
        "points: expected constants, got a tensor that requires grad",
    ),
    "kind list": (dict(kind=["ciou"]), ValueError, r"kind: expected one of .* got \['ciou'\]"),
    "reduction list": (dict(reduction=["sum"]), ValueError, r"reduction: expected one of .* got \['sum'\]"),
    "fmt lists": (dict(fmt=[[], []]), ValueError, r"fmt: expected one of .* got \[\]"),
    "eps infinite": (dict(eps=float("inf")), ValueError, "eps: expected a finite number >= 0, got inf"),
    "complex weight": (dict(weight=torch.zeros(5, dtype=torch.complex64)), TypeError, "weight: .*got torch.complex64"),
    "weight type": (dict(weight=2.0), TypeError, "weight: expected a torch.Tensor, got float"),
    "weight rows": (dict(weight=torch.rand(4)), ValueError, r"weight: expected a shape .* \(5,\), got \(4,\)"),
    "weight width": (dict(weight=torch.rand(5, 4)), ValueError, r"weight: expected a shape .* \(5,\), got \(5, 4\)"),
    "weight device": (dict(weight=torch.rand(5).to("meta")), ValueError, "weight: expected the device of pred"),
    "avg_factor with sum": (dict(avg_factor=2.0, reduction="sum"), ValueError, "avg_factor: .*reduction='sum'"),
    "avg_factor type": (dict(avg_factor="2", reduction="mean"), TypeError, "avg_factor: .*got str"),
    "avg_factor shape": (dict(avg_factor=torch.ones(2), reduction="mean"), ValueError, r"avg_factor: .*\(2,\)"),
}


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    arguments, error, message = CASES[case]
    with pytest.raises(error, match=message):
        fastiou.iou_loss(**{"pred": BOXES, "target": BOXES, **arguments})


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_different_devices():
    with pytest.raises(ValueError, match="target: expected the device of pred, cpu, got cuda:0"):
        fastiou.iou_loss(BOXES, BOXES.cuda())


@pytest.mark.parametrize("argument", ["kind", "reduction", "eps", "fmt"])
def test_modules_check_when_they_are_made(argument):
    with pytest.raises((ValueError, TypeError), match=f"{argument}: expected"):
        fastiou.IoULoss(**{argument: 17.5j})
