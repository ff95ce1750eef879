"""The errors on rotated boxes are measured right: groups are what they are called, the oracle is exact."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from fastiou.benchmarks import report, run
from fastiou.benchmarks.accuracy import targets
from fastiou.benchmarks.accuracy.errors import gradient_errors, summary
from fastiou.benchmarks.accuracy.groups import ASPECT, GROUPS, THIN, in_degrees, make_pairs
from fastiou.benchmarks.accuracy.results import Results
from fastiou.benchmarks.accuracy.rows import Row
from fastiou.benchmarks.accuracy.targets import targets_table
from fastiou.benchmarks.rows import read_rows, write_rows

ADVERSARIAL = json.loads((Path(__file__).parent / "data" / "rotated_adversarial.json").read_text())["cases"]
TWINS = ("half_turn", "quarter_turn", "half_turn_radians", "quarter_turn_radians")


def row(**changes) -> Row:
    values = {
        "device": "cpu", "device_name": "Some CPU, 2 cores", "torch": "2.13.0", "task": "value", "kind": "iou",
        "group": "identical", "provider": "fastiou", "version": "0.1.0", "pairs": 1000, "max_error": 0.0,
        "p9999_error": 0.0, "above_1e_3": 0.0, "above_1e_1": 0.0, "outside": 0.0, "nan": 0.0, "exact": 1.0,
        "date": "2026-01-01",
    }  # fmt: skip
    return Row(**(values | changes))


def iou_of(*arguments) -> np.ndarray:
    pytest.importorskip("shapely")
    from fastiou.benchmarks.accuracy.oracle import exact_iou

    return exact_iou(*arguments)


def test_oracle_has_25_digits_to_compare_with():
    boxes = [torch.tensor([case[side] for case in ADVERSARIAL], dtype=torch.float64) for side in ("box1", "box2")]
    proper = torch.stack([(x[:, 2:4] > 0).all(-1) for x in boxes]).all(0)
    expected = np.array([float(case["iou"]) for case in ADVERSARIAL])[proper]
    assert len(expected) > 90
    np.testing.assert_allclose(iou_of(boxes[0][proper], boxes[1][proper], False), expected, rtol=0, atol=1e-9)


def test_oracle_reads_degrees_counter_clockwise():
    boxes = torch.tensor([[5.0, 5, 4, 2, 30], [50, 5, 3, 3, 45]])
    moved = torch.tensor([[6.0, 5, 4, 2, 75], [50, 5, 3, 3, 0]])
    turned = [torch.cat([x[:, :4], x[:, 4:] * (-math.pi / 180)], -1).double() for x in (boxes, moved)]
    found = iou_of(boxes, moved, True)
    np.testing.assert_allclose(found, iou_of(*turned, False), rtol=1e-6)
    assert found[1] == pytest.approx(math.sqrt(0.5), rel=1e-9)


def test_oracle_does_not_lose_coinciding_edges():
    """shapely's own intersection of some of these is empty."""
    pred, target = make_pairs("half_turn", 40_000)
    assert (iou_of(pred, target, True) > 0.99999).all()


@pytest.mark.parametrize("group", [*GROUPS, THIN])
def test_groups_are_what_they_are_called(group):
    pred, target = make_pairs(group, 320)
    assert all(torch.equal(*both) for both in zip((pred, target), make_pairs(group, 320), strict=True))
    assert pred.shape == target.shape == (320, 5) and pred.dtype == target.dtype == torch.float32
    sides = target[:, 2:4]
    assert (sides > 0).all() and (pred[:, 2:4] > 0).all()
    if group in (THIN, "lattice"):
        return
    assert (sides.amax(-1) <= 1.001 * ASPECT * sides.amin(-1)).all()
    iou = iou_of(pred, target, in_degrees(group))
    if group == "disjoint":
        assert (iou == 0).all()
    elif group in TWINS:
        assert (iou > 1 - 1e-5).all() and not torch.equal(pred, target)
    elif group == "identical":
        assert torch.equal(pred, target)
    elif group == "one_ulp":
        assert ((pred.view(torch.int32) - target.view(torch.int32)).abs() == 1).all()
    elif group.startswith("noise"):
        size = float(group.removeprefix("noise_"))
        change = ((pred - target).abs() / target.abs()).amax(-1)
        assert (change <= 1.1 * size).all() and change.median() > size / 10
    else:
        assert (iou > 0).mean() > 0.5 and (iou < 0.99).all()


def test_errors_are_summed_up():
    values = np.array([0.5, 1.5, -0.1, math.nan, 1.0])
    found = summary(values, np.array([0.0, 0.5, 2e-3, math.nan, 0.0]))
    assert found == {
        "pairs": 5, "max_error": 0.5, "p9999_error": found["p9999_error"], "above_1e_3": 0.6, "above_1e_1": 0.4,
        "outside": 0.4, "nan": 0.2, "exact": 0.4,
    }  # fmt: skip
    assert 0.49 < found["p9999_error"] <= 0.5
    assert summary(values[3:4], values[3:4])["max_error"] is None


def test_gradient_errors_are_relative_to_the_extent():
    boxes = torch.tensor([[0.0, 0, 30, 40, 0]], dtype=torch.float64)
    grads = [torch.zeros(1, 5, dtype=torch.float64) for _ in range(4)]
    union = torch.tensor([100.0], dtype=torch.float64)
    grads[0][0, 1] = 0.5
    assert gradient_errors((grads[0], grads[1]), (grads[2], grads[3]), (boxes, boxes), union).item() == 1.0
    grads[3][0, 4] = 50.0
    assert gradient_errors((grads[0], grads[1]), (grads[2], grads[3]), (boxes, boxes), union).item() == 2.0


def test_quick_run_reaches_the_goals(tmp_path, capsys):
    """In small; the fallback, whose Gaussian distances are computed in float32, has its own tests."""
    pytest.importorskip("shapely")
    arguments = ["--pairs", "1600", "--device", "cpu", "--providers", "fastiou,clean", "--out", str(tmp_path / "x.csv")]
    assert run.main(arguments) == 0
    rows = read_rows(tmp_path / "x_rotated_accuracy.csv", Row)
    assert {r.group for r in rows} == {*GROUPS, THIN} and {r.pairs for r in rows} == {1600}
    assert {r.task for r in rows} == {"value", "gradient", "gaussian"}
    verdicts = [line.split("|")[4].strip() for line in targets_table(Results(rows)).splitlines()[2:]]
    assert verdicts == ["yes"] * 9
    captured = capsys.readouterr()
    assert "largest error" in captured.out and "[15/15]" in captured.err


@pytest.mark.parametrize(
    ("arguments", "message"), [(["--groups", "nope"], "--groups"), (["--pairs", "17"], "multiple of 16")]
)
def test_wrong_arguments_are_explained(arguments, message, capsys):
    assert run.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_without_shapely_it_is_left_out(monkeypatch, tmp_path, capsys):
    from fastiou.benchmarks.accuracy import suite

    monkeypatch.setattr(suite, "why_missing", lambda module: f"cannot import {module}")
    assert run.main(["--groups", "identical", "--device", "cpu", "--out", str(tmp_path / "x.csv")]) == 0
    assert "cannot import shapely" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_goals_are_judged():
    rows = [row(), row(provider="fastiou-loss", exact=0.999, max_error=1e-7)]
    rows += [row(group=group, max_error=4e-6) for group in TWINS]
    rows += [row(group="one_ulp", max_error=3e-6, provider="fastiou-loss"), row(group="noise_1e-2", max_error=1e-6)]
    rows += [row(group="normalised", max_error=0.9, provider="torchvision"), row(group="disjoint", outside=0.25)]
    rows += [
        row(task="gradient", group="far", p9999_error=4e-6),
        row(task="gradient", kind="ciou", group="far", p9999_error=6e-6),
    ]
    rows += [row(task="gradient", max_error=0.0)]
    rows += [row(task="gaussian", kind=kind, group=THIN, max_error=1e-5) for kind in targets.GAUSSIANS]
    table = targets_table(Results(rows)).splitlines()[2:]
    verdicts = [line.split("|")[4].strip() for line in table]
    assert verdicts == ["**no**", "yes", "in part", "not measured", "yes", "**no**", "**no**", "yes", "in part"]
    assert "0.1 % are not" in table[0] and "3e-06 (one ulp), not measured (noise 1e-6)" in table[2]
    assert "25 % are not" in table[5] and "6e-06 (far)" in table[6] and "1.1 (KFIoU)" in table[8]


def test_report_has_tables(tmp_path):
    path = tmp_path / "cpu_rotated_accuracy.csv"
    rows = [row(group="one_ulp", max_error=4.9e-7), row(task="gradient", group="far", p9999_error=2e-6)]
    rows += [row(group="one_ulp", provider="torchvision", max_error=0.67, above_1e_3=0.012, above_1e_1=0.011)]
    rows += [
        row(task="gaussian", kind="kfiou", group=THIN, provider=one, max_error=0.24, nan=0.04) for one in ("clean",)
    ]
    write_rows(path, rows)
    assert read_rows(path, Row) == rows
    page = tmp_path / "page.md"
    page.write_text("\n".join(report.marks("bench")))
    assert report.main([str(path), "--page", str(page)]) == 0
    text = page.read_text()
    assert "## Accuracy on rotated boxes" in text and "4.9e-07" in text and "1.2 %" in text and "NaN 4 %" in text
