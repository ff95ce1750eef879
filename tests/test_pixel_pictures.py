"""The pictures of PIoU: their maps add up to what the functions return, their curves show what docs/pixels.md says."""

import csv
import sys
from pathlib import Path

import pytest
import torch

import fastiou

PIXELS = Path(__file__).parent.parent / "examples" / "pixels"
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def pictures():
    """The scripts, by name."""
    sys.path.insert(0, str(PIXELS))
    try:
        yield {name: __import__(name) for name in ("soft_pixels", "aliasing")}
    finally:
        sys.path.remove(str(PIXELS))
        for name in ("soft_pixels", "aliasing"):
            sys.modules.pop(name, None)


def test_maps_add_up(pictures):
    draw = pictures["soft_pixels"]
    pred, target = (torch.tensor(box, dtype=torch.float64) for box in (draw.PRED, draw.TARGET))
    maps = draw.make_maps(pred, target)
    numbers = draw.check(maps, pred, target)
    assert numbers["PIoU"][0] == fastiou.pixel_iou(pred, target, k=draw.K)
    torch.testing.assert_close(numbers["PIoU"][0], numbers["exact IoU"][0], rtol=0, atol=0.02)
    with pytest.raises(AssertionError):
        draw.check(maps._replace(gradient=maps.gradient * 1.001), pred, target)
    assert maps.gradient.shape == (5, draw.ROWS, draw.COLUMNS)


def test_gradients_of_upright_boxes_alias(pictures):
    """With k = 10 they are wrong by more than their size; sampled densely, rotated, or with k = 2, they are right."""
    ratios = pictures["aliasing"].gradient_ratios
    assert ratios(0, 10.0, 1).min() < 0 and ratios(0, 10.0, 1).max() > 2
    for angle, k, scale, error in ((0, 2.0, 1, 0.03), (0, 2.5, 4, 0.03), (0.3, 10.0, 1, 0.15), (0.3, 4.0, 1, 0.02)):
        assert (ratios(angle, k, scale) - 1).abs().max() < error


def test_small_boxes_are_far_from_the_exact_iou(pictures):
    errors = pictures["aliasing"].errors
    assert errors(4, 10.0, 1).mean() > 0.03
    assert errors(64, 10.0, 1).mean() < 0.001
    assert errors(16, 2.0, 1).mean() > 5 * errors(16, 10.0, 1).mean()


def test_committed_numbers_are_what_comes_out(pictures):
    with (PIXELS / "piou_aliasing.csv").open(newline="") as file:
        columns, *committed = csv.reader(file)
    found = [[str(x) for x in row] for row in pictures["aliasing"].numbers()]
    assert tuple(columns) == pictures["aliasing"].COLUMNS and len(committed) == len(found)
    for expected, actual in zip(committed, found, strict=True):
        assert expected[:5] == actual[:5]
        pairs = [(float(e), float(a)) for e, a in zip(expected[5:], actual[5:], strict=True) if e]
        assert pairs and all(a == pytest.approx(e, rel=0.02, abs=1e-6) for e, a in pairs)


@pytest.mark.parametrize("name", ["soft_pixels", "aliasing"])
def test_pictures_are_drawn(pictures, name, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures["aliasing"], "PHASES", 3)
    monkeypatch.setattr(pictures["aliasing"], "SIZES", (4.0, 16.0))
    pictures[name].picture().savefig(tmp_path / "x.png", dpi=40)
    assert (tmp_path / "x.png").stat().st_size > 10_000
