"""Bad input to the functions of rotated boxes: the message names the argument, what was expected and what arrived."""

import pytest
import torch

import fastiou

BOXES = torch.rand(5, 5)
SCORES = torch.rand(5)
LOSS, GAUSSIAN, SCORE = fastiou.rotated_iou_loss, fastiou.gaussian_loss, fastiou.rotated_box_iou
CASES = {
    "width": (LOSS, (BOXES[:, :4], BOXES), {}, ValueError, r"pred: expected shape \(\.\.\., 5\), got \(5, 4\)"),
    "list": (LOSS, (BOXES, [1]), {}, TypeError, "target: expected a torch.Tensor.*got list"),
    "integers": (LOSS, (BOXES.long(), BOXES), {}, TypeError, "pred: expected float16.*got torch.int64"),
    "broadcast": (
        LOSS,
        (BOXES, BOXES[:3]),
        {},
        ValueError,
        r"leading shapes that broadcast, got \(5, 5\) and \(3, 5\)",
    ),
    "device": (LOSS, (BOXES, BOXES.to("meta")), {}, ValueError, "target: expected the device of pred, cpu, got meta"),
    "kind": (LOSS, (BOXES, BOXES, "kfiou"), {}, ValueError, "kind: expected one of 'iou'.*'ciou', got 'kfiou'"),
    "mode": (LOSS, (BOXES, BOXES), dict(mode="exp"), ValueError, "mode: expected one of 'linear'.*got 'exp'"),
    "mode of giou": (
        LOSS,
        (BOXES, BOXES, "giou"),
        dict(mode="log"),
        ValueError,
        "mode: expected 'linear' with kind='giou'",
    ),
    "enclosing": (
        LOSS,
        (BOXES, BOXES),
        dict(enclosing="pca"),
        ValueError,
        "enclosing: expected one of 'hull'.*got 'pca'",
    ),
    "eps": (LOSS, (BOXES, BOXES), dict(eps=-1), ValueError, "eps: expected a finite number >= 0, got -1"),
    "reduction": (LOSS, (BOXES, BOXES), dict(reduction="avg"), ValueError, "reduction: expected one of .*got 'avg'"),
    "weight": (
        LOSS,
        (BOXES, BOXES),
        dict(weight=torch.rand(3)),
        ValueError,
        r"weight: .*broadcasts to \(5,\), got \(3,\)",
    ),
    "avg_factor": (
        LOSS,
        (BOXES, BOXES),
        dict(avg_factor="3"),
        TypeError,
        "avg_factor: expected a number or a tensor, got str",
    ),
    "pair of formats": (
        fastiou.nms,
        (BOXES, SCORES, 0.5),
        dict(fmt=("cxcywhr", "detectron2")),
        TypeError,
        "fmt: expected a format, got .'cxcywhr', 'detectron2'.",
    ),
    "fmt": (LOSS, (BOXES, BOXES), dict(fmt="le90"), ValueError, "fmt: expected one of 'cxcywhr'.*got 'le90'"),
    "fmt width": (
        LOSS,
        (BOXES, BOXES),
        dict(fmt="polygon"),
        ValueError,
        r"pred: expected shape \(\.\.\., 8\), got \(5, 5\)",
    ),
    "fmt three": (LOSS, (BOXES, BOXES), dict(fmt=("cxcywhr",) * 3), TypeError, "fmt: expected a format or a pair"),
    "flags": (
        LOSS,
        (BOXES, BOXES),
        dict(fmt="detectron2", degrees=True),
        ValueError,
        "degrees, clockwise: expected the defaults",
    ),
    "flag": (LOSS, (BOXES, BOXES), dict(degrees=1), TypeError, "degrees: expected True or False, got 1"),
    "gaussian kind": (GAUSSIAN, (BOXES, BOXES, "iou"), {}, ValueError, "kind: expected one of 'gwd'.*got 'iou'"),
    "fun": (
        GAUSSIAN,
        (BOXES, BOXES),
        dict(fun="exp"),
        ValueError,
        "fun: expected one of 'none', 'log1p', 'sqrt', got 'exp'",
    ),
    "fun of kfiou": (
        GAUSSIAN,
        (BOXES, BOXES, "kfiou"),
        dict(fun="sqrt"),
        ValueError,
        "fun: expected one of 'none', 'ln', 'exp'",
    ),
    "tau": (GAUSSIAN, (BOXES, BOXES), dict(tau=-1), ValueError, "tau: expected a finite number >= 0, got -1"),
    "alpha": (GAUSSIAN, (BOXES, BOXES), dict(alpha=0), ValueError, "alpha: expected a finite number > 0, got 0"),
    "alpha of kfiou": (
        GAUSSIAN,
        (BOXES, BOXES, "kfiou"),
        dict(alpha=2),
        ValueError,
        "alpha: expected 1 with kind='kfiou'",
    ),
    "score kind": (SCORE, (BOXES, BOXES, "gwd"), {}, ValueError, "kind: expected one of 'iou', 'iof'.*got 'gwd'"),
    "score dim": (SCORE, (BOXES[0], BOXES), {}, ValueError, r"boxes1: expected shape \(\.\.\., N, 5\), got \(5,\)"),
    "mask": (
        SCORE,
        (BOXES, BOXES),
        dict(mask2=torch.rand(5)),
        TypeError,
        "mask2: expected torch.bool, got torch.float32",
    ),
    "batches": (
        SCORE,
        (BOXES.expand(2, 5, 5), BOXES.expand(3, 5, 5)),
        {},
        ValueError,
        "boxes1, boxes2: .*leading shapes",
    ),
    "pairwise": (
        fastiou.pairwise_iou,
        (BOXES, BOXES),
        dict(fmt="cxcywhr"),
        ValueError,
        "fmt: .*fastiou.rotated_box_iou",
    ),
    "max_iou": (fastiou.max_iou, (BOXES[:, :4], BOXES), dict(fmt="cxcywhr"), ValueError, r"boxes: .*\(\.\.\., N, 5\)"),
    "max_iou eps": (
        fastiou.max_iou,
        (BOXES, BOXES),
        dict(fmt="cxcywhr", eps=1e-7),
        ValueError,
        "eps: expected 0 with rotated",
    ),
    "max_iou kind": (
        fastiou.max_iou,
        (BOXES, BOXES, "iou_log"),
        dict(fmt="cxcywhr"),
        ValueError,
        "kind: .*got 'iou_log'",
    ),
    "nms": (fastiou.nms, (BOXES, SCORES, 0.5), {}, ValueError, r"boxes: expected shape \(\.\.\., N, 4\).*cxcywhr"),
    "nms beta": (
        fastiou.nms,
        (BOXES, SCORES, 0.5),
        dict(fmt="cxcywhr", kind="diou", beta=2),
        ValueError,
        "beta: expected 1",
    ),
    "nms kind": (
        fastiou.nms_rotated,
        (BOXES, SCORES, 0.5),
        dict(kind="gwd"),
        ValueError,
        "kind: expected one of 'iou'",
    ),
    "nms batch": (fastiou.nms_rotated, (BOXES[None], SCORES, 0.5), {}, ValueError, r"boxes: expected shape \(N, 5\)"),
    "cluster": (fastiou.cluster_nms, (BOXES, SCORES, 0.5), dict(fmt="cxcywhr"), ValueError, "weighted: expected False"),
}


@pytest.mark.parametrize("case", CASES)
def test_message(case):
    function, args, options, error, message = CASES[case]
    with pytest.raises(error, match=message):
        function(*args, **options)


@pytest.mark.parametrize("module", [fastiou.RotatedIoULoss, fastiou.GaussianLoss])
def test_modules_take_weights_when_they_are_called(module):
    for argument in ("weight", "avg_factor"):
        with pytest.raises(TypeError, match=f"{argument}: expected in a call of the loss"):
            module(**{argument: 1.0})


@pytest.mark.parametrize("module", [fastiou.RotatedIoULoss, fastiou.GaussianLoss])
def test_modules_check_when_they_are_made(module):
    with pytest.raises(ValueError, match="kind: expected one of"):
        module("jaccard")
    with pytest.raises(ValueError, match="reduction: expected one of"):
        module(reduction="average")
    with pytest.raises(TypeError, match="unexpected keyword"):
        module(epsilon=1)


@pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled")
def test_codes_are_those_of_the_registry():
    from fastiou import _core_module, _names

    core = _core_module.core
    assert tuple(core.rotated_kinds()) == _names.ROTATED_KINDS
    assert tuple(core.enclosings()) == _names.ENCLOSINGS
    assert tuple(core.links()) == _names.LINKS


def test_modules_say_what_they_are():
    assert repr(fastiou.RotatedIoULoss("giou", degrees=True, loss_weight=2.0)) == (
        "RotatedIoULoss(kind='giou', reduction='mean', degrees=True, loss_weight=2.0)"
    )
