"""The example with rotated digits: canvases, targets, metrics, a short training, and the figures of docs/rotated.md."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import fastiou

ROOT = Path(__file__).parent.parent
SHARED, EXAMPLE = ROOT / "examples" / "digits", ROOT / "examples" / "rotated_digits"
for package in ("sklearn", "pycocotools", "matplotlib", "tqdm"):
    pytest.importorskip(package)

pytestmark = pytest.mark.xdist_group("rotated_digits")


@pytest.fixture(scope="module")
def example():
    """The example's modules, which import each other as scripts do."""
    before = sys.path[:]
    names = {path.stem for place in (EXAMPLE, SHARED) for path in place.glob("*.py")}
    sys.path[:0] = [str(EXAMPLE), str(SHARED)]
    try:
        __import__("demo")
        yield {name: sys.modules[name] for name in names if name in sys.modules}
    finally:
        sys.path[:] = before
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def canvases(example):
    scans, _ = example["data"].load_scans()
    return example["data"].make_canvases(scans, 24, 3, "canvases", example["rotated_data"].ROTATED)


def test_ink_is_in_the_boxes(canvases):
    """Pixels of a box are darker than paper on average, and those outside of all boxes are paper."""
    ys, xs = torch.meshgrid(torch.arange(128) + 0.5, torch.arange(128) + 0.5, indexing="ij")
    for image, boxes, labels in zip(canvases.images[:, 0], canvases.boxes, canvases.labels, strict=True):
        boxes = boxes[labels >= 0]
        corners = fastiou.convert_rotated(boxes, "cxcywhr", "polygon")
        assert corners.min() >= -1e-3 and corners.max() <= 128 + 1e-3
        free = torch.ones(128, 128, dtype=torch.bool)
        for cx, cy, w, h, r in boxes.tolist():
            assert 1.4 <= h / w <= 2.0 and abs(r) <= math.pi / 2
            u = (xs - cx) * math.cos(r) + (ys - cy) * math.sin(r)
            v = (ys - cy) * math.cos(r) - (xs - cx) * math.sin(r)
            inside = (2 * u.abs() <= w) & (2 * v.abs() <= h)
            assert image[inside].float().mean() > 60
            free &= ~inside
        assert image[free].max() < 110


def test_a_target_is_the_box_around_its_location(example, canvases):
    targets = example["rotated_model"].assign_rotated(canvases.boxes, canvases.labels, 32, 32)
    assert targets.count == targets.positive.sum() >= (canvases.labels >= 0).sum()
    points = targets.points.expand(*targets.positive.shape, 2)[targets.positive]
    boxes = targets.boxes[targets.positive]
    dots = torch.cat([points, torch.full((len(points), 2), 1e-3), torch.zeros(len(points), 1)], dim=1)
    inside = torch.stack([fastiou.rotated_box_iou(a[None], b[None], "iof") for a, b in zip(dots, boxes, strict=True)])
    torch.testing.assert_close(inside, torch.ones_like(inside), rtol=0, atol=1e-3)
    head = targets.boxes.permute(0, 3, 1, 2)
    assert example["rotated_losses"].mean_iou(head, targets) > 0.9999


def test_half_turns_make_no_difference_to_the_head(example):
    """The last layer's (cos 2r, sin 2r) of any length is read as r, and r + 180 degrees is the same."""
    r = torch.linspace(-1.5, 1.5, 16).reshape(4, 4)
    raw = torch.zeros(1, 6, 4, 4)
    raw[0, 4], raw[0, 5] = 3 * torch.cos(2 * r), 3 * torch.sin(2 * r)
    head = example["rotated_model"].RotatedDetector().read(raw)
    torch.testing.assert_close(head[0, 4], r)
    torch.testing.assert_close(head[0, :2], example["model"].grid_points(4, 4).permute(2, 0, 1))


def test_metrics_see_what_is_wrong(example, canvases):
    """The truth as detections is perfect, also written otherwise; 10 degrees off is measured as such."""
    evaluation = example["rotated_evaluate"]

    def measure(boxes):
        used = canvases.labels >= 0
        found = [
            example["evaluate"].Detections(b[u], torch.linspace(0.9, 0.5, len(b))[u], c[u])
            for b, u, c in zip(boxes, used, canvases.labels, strict=True)
        ]
        precision = example["evaluate"].score(canvases, found, spell=list, judge=evaluation.RotatedCOCOeval)
        return precision, evaluation.match(canvases, found)

    precision, matches = measure(canvases.boxes)
    assert min(precision.ap, precision.ap50, precision.ap75) > 0.9999
    assert len(matches.iou) == matches.digits and matches.iou.min() > 0.9999 and matches.degrees.max() < 0.1

    swapped = canvases.boxes[..., [0, 1, 3, 2, 4]] + torch.tensor([0, 0, 0, 0, math.pi / 2])
    precision, matches = measure(swapped)
    assert precision.ap > 0.9999 and matches.degrees.max() < 0.1

    tilted = canvases.boxes + torch.tensor([0, 0, 0, 0, math.radians(10)])
    precision, matches = measure(tilted)
    assert precision.ap50 > 0.9999 and precision.ap < 0.8 and matches.iou.max() < 0.9
    torch.testing.assert_close(matches.degrees, torch.full_like(matches.degrees, 10.0), rtol=0, atol=0.1)

    precision, matches = measure(canvases.boxes + torch.tensor([64.0, 64.0, 0, 0, 0]))
    assert precision.ap < 0.05 and len(matches.iou) < 0.1 * matches.digits


def test_quick_run(example, tmp_path):
    """It fails if a loss does not fall or boxes do not get better with it."""
    out = tmp_path / "picture.png"
    command = [sys.executable, str(EXAMPLE / "demo.py"), "--quick", "--steps", "30", "--out", str(out)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # threads that wait for each other are slow on a busy machine
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert out.stat().st_size > 50_000
    rows = example["rotated_report"].load_results(out.with_suffix(".csv"))
    assert [row["loss"] for row in rows] == ["giou", "kfiou", "probiou"]
    assert example["rotated_report"].table(rows) in done.stdout
    for row in rows:
        assert 0 <= row["ap75"] <= row["ap50"] <= 1 and 0 <= row["found"] <= 1
        assert 0 < row["box_loss_ms"] < row["step_ms"]


def test_the_pages_quote_the_results(example):
    report = example["rotated_report"]
    rows = report.load_results(EXAMPLE / "rotated_digits.csv")
    assert report.table(rows) in (ROOT / "docs" / "rotated.md").read_text()
