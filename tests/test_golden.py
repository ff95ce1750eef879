"""Answers of others: torchvision's losses and gradients, and values printed in an article. tests/data holds both."""

import json
import math
from pathlib import Path

import pytest
import torch
from axes import DEVICES, KINDS, loss_and_grads

import fastiou

DATA = Path(__file__).parent / "data"
TORCHVISION = json.loads((DATA / "torchvision_losses.json").read_text())
ARTICLE = json.loads((DATA / "article_boxes.json").read_text())
pytestmark = pytest.mark.parametrize("device", DEVICES)

FUNCTIONS = {
    "generalized_box_iou_loss": fastiou.generalized_box_iou_loss,
    "distance_box_iou_loss": fastiou.distance_box_iou_loss,
    "complete_box_iou_loss": fastiou.complete_box_iou_loss,
}


@pytest.mark.parametrize(
    "case", TORCHVISION["losses"], ids=lambda c: f"{c['function']}-{c['group']}-{c['dtype']}-{c['eps']}"
)
def test_torchvision(device, case):
    """Equal to 1e-6 wherever torchvision is finite, ties and touching edges included."""
    dtype = getattr(torch, case["dtype"])
    boxes = TORCHVISION["inputs"][case["group"]]
    pred, target = (torch.tensor(boxes[side], dtype=dtype, device=device) for side in ("pred", "target"))
    actual = loss_and_grads(FUNCTIONS[case["function"]], pred, target, eps=case["eps"])
    compared = 0
    for ours, key in zip(actual, ("loss", "grad_pred", "grad_target"), strict=True):
        theirs = torch.tensor([[float(x) for x in row] if isinstance(row, list) else float(row) for row in case[key]])
        finite = theirs.isfinite().to(device)
        assert ours.isfinite().all()
        torch.testing.assert_close(ours[finite].double(), theirs.to(device)[finite].double(), rtol=1e-6, atol=1e-6)
        compared += int(finite.sum())
    degenerate = case["function"] == "complete_box_iou_loss" and "point" in case["group"]
    assert compared or degenerate


def test_article(device):
    """Losses of an article's four boxes are 1 minus its scores, to the digits that it prints."""

    def corners(x, y, w, h):
        return [x, y, x + w, y + h]

    pred = torch.tensor([corners(*b) for b in ARTICLE["boxes"]], dtype=torch.float64, device=device)
    target = torch.tensor(corners(*ARTICLE["ground_truth"]), dtype=torch.float64, device=device)
    for kind in ("iou", "giou", "diou", "ciou"):
        score = 1 - fastiou.iou_loss(pred, target, kind, eps=0.0)
        decimals = ARTICLE["iou_decimals" if kind == "iou" else "decimals"]
        printed = torch.tensor(ARTICLE[kind], dtype=torch.float64, device=device)
        assert (score - printed).abs().max() <= 0.5 * 10**-decimals + 4e-7, kind


# (pred, target, loss without eps), worked out by hand: squares, half overlaps, degenerate boxes.
BY_HAND = {
    "iou": [((0, 0, 2, 2), (1, 0, 3, 2), 2 / 3), ((0, 0, 1, 1), (2, 0, 3, 1), 1.0), ((5, 5, 5, 5), (5, 5, 5, 5), 1.0)],
    "iou_log": [((0, 0, 2, 2), (1, 0, 3, 2), math.log(3)), ((0, 0, 4, 1), (0, 0, 2, 1), math.log(2))],
    "iou_square": [((0, 0, 2, 2), (1, 0, 3, 2), 8 / 9), ((0, 0, 1, 1), (2, 0, 3, 1), 1.0)],
    "giou": [((0, 0, 1, 1), (2, 0, 3, 1), 4 / 3), ((0, 0, 1, 1), (1, 0, 2, 1), 1.0)],
    "diou": [((0, 0, 1, 1), (2, 0, 3, 1), 1.4), ((1, 1, 1, 1), (1, 1, 1, 1), 1.0)],
    "ciou": [
        ((0, 0, 1, 1), (2, 0, 3, 1), 1.4),
        ((0, 0, 2, 2), (0, 0, 2, 2), 0.0),
        ((0.5, 1, 0.5, 1), (0, 0, 2, 2), 1 + 1 / 32),
        ((0, 0, 0, 2), (0, 0, 2, 2), 1.125 + 1 / 20),
    ],
}


@pytest.mark.parametrize("kind", KINDS)
def test_by_hand(device, kind):
    if kind not in BY_HAND:
        pytest.skip("no value worked out for this kind")
    for pred, target, expected in BY_HAND[kind]:
        boxes = (torch.tensor(b, dtype=torch.float64, device=device) for b in (pred, target))
        assert fastiou.iou_loss(*boxes, kind, eps=0.0).item() == pytest.approx(expected, abs=1e-12)
