"""The benchmark of rotated boxes: all providers do the same task, goals are judged."""

import math
import sys

import numpy as np
import pytest
import torch
from rotated_boxes import random_pairs

import fastiou
from fastiou.benchmarks import report, run
from fastiou.benchmarks.losses.rows import Row as LossRow
from fastiou.benchmarks.rotated import boxes, composed
from fastiou.benchmarks.rotated.case import TASKS, Case, cases, make_data
from fastiou.benchmarks.rotated.providers import PROVIDERS
from fastiou.benchmarks.rotated.results import Results
from fastiou.benchmarks.rotated.rows import Row
from fastiou.benchmarks.rotated.targets import goals, targets_table
from fastiou.benchmarks.rows import read_rows, write_rows
from fastiou.benchmarks.sets.rows import Row as SetRow
from fastiou.reference import gaussian as reference_gaussian, rotated as reference_rotated

MB = 10**6
LOSS = Case("cpu", 2, "loss", "iou", "", "float32", 100_000, None, "full")
PILE = Case("cpu", 1, "pile", "iou", "", "float32", 1000, 1000)


def row(case: Case, **changes) -> Row:
    values = {
        "device_name": "Some CPU, 2 cores", "torch": "2.13.0", "provider": "fastiou", "version": "0.1.0",
        "samples": 9, "p20_us": 0.9, "p50_us": 1.0, "p80_us": 1.1, "page_faults": 0.0, "kernels": None,
        "peak_bytes": MB, "date": "2026-01-01", "note": "",
    }  # fmt: skip
    return Row(**(case._asdict() | values | changes))


def test_quick_run_writes_csv(tmp_path, capsys):
    out = tmp_path / "{device}.csv"
    assert run.main(["--quick", "--suite", "rotated", "--device", "cpu", "--out", str(out)]) == 0
    rows = read_rows(tmp_path / "cpu_rotated.csv", LossRow, SetRow, Row)
    assert {"clean", "fallback"} <= {r.provider for r in rows}
    assert {r.task for r in rows} == set(TASKS)
    assert not [f"{r.provider}, {r.task}: {r.note}" for r in rows if not r.samples]  # all can do what they claim
    assert all(r.p20_us <= r.p50_us <= r.p80_us for r in rows)
    assert {r.threads for r in rows} <= {1, torch.get_num_threads()}
    assert sys.platform != "linux" or all(r.peak_bytes is not None for r in rows)
    captured = capsys.readouterr()
    assert "per pair" in captured.out and "[1/5]" in captured.err


def test_unknown_tasks_are_explained(capsys):
    assert run.main(["--rotated-tasks", "nope"]) == 2
    assert "--rotated-tasks" in capsys.readouterr().err


SMALL = {case._replace(n=64, m=case.m and 30, threads=1): None for case in cases("cpu", 1, list(TASKS))}


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_providers_do_the_same_task(case):
    data = make_data(case)
    own = [one for one in PROVIDERS.values() if one.name != "compile" and one.has(case) and not one.missing("cpu")]
    calls = {one.name: one.steps(case, data).call("forward") for one in own}
    assert calls
    expected, *answers = (call() for call in calls.values())
    for name, answer in zip(list(calls)[1:], answers, strict=True):
        parts = (x if isinstance(x, tuple) else (x,) for x in (answer, expected))
        for one, other in zip(*parts, strict=True):
            one, other = (x.detach().double().numpy() for x in (one, other))
            np.testing.assert_allclose(one, other, rtol=1e-3, atol=3e-3, err_msg=name)


@pytest.mark.parametrize(("kind", "enclosing"), composed.LOSSES)
def test_composed_losses_are_the_same_losses(kind, enclosing):
    """With gradients; neither the composition by corners nor that by matrices shares a formula with fastiou."""
    target, _ = random_pairs(300, seed=1)
    pred = boxes.jitter(target.float(), torch.Generator().manual_seed(2)).double().requires_grad_()
    if kind in reference_rotated.KINDS:
        expected = reference_rotated.row_loss(pred, target, kind, enclosing=enclosing or "hull")
    else:
        expected = reference_gaussian.row_loss(pred, target, kind)
    loss = composed.LOSSES[kind, enclosing](pred, target)
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)
    grads = [torch.autograd.grad(x.sum(), pred)[0] for x in (loss, expected)]
    torch.testing.assert_close(*grads, rtol=1e-4, atol=1e-5)


def test_composed_intersection_of_simple_boxes():
    pairs = torch.tensor(
        [
            [[0, 0, 2, 2, 0], [0, 0, 2, 2, math.pi / 4]],
            [[0, 0, 10, 1, 0], [0, 0, 1, 10, 0]],
            [[0, 0, 2, 2, 0.3], [0, 0, 8, 8, 1]],
            [[0, 0, 2, 2, 0], [9, 0, 2, 2, 1]],
        ],
        dtype=torch.float64,
    )
    areas = composed.intersection(composed.corners(pairs[:, 0]), composed.corners(pairs[:, 1]))
    expected = torch.tensor([8 * (math.sqrt(2) - 1), 1, 4, 0], dtype=torch.float64)
    torch.testing.assert_close(areas, expected, rtol=1e-9, atol=1e-9)


def test_scenes_are_what_they_are_called():
    """Nearly all pairs of a pile overlap, one in two thousand of a scene, and detections their object."""
    for task, low, high in (("pile", 0.9, 1.0), ("scene", 2e-4, 1e-3)):
        case = next(iter(cases("cpu", 1, [task])))._replace(n=500, m=500)
        share = (reference_rotated.pairwise(*make_data(case).arguments) > 0).double().mean()
        assert low < share < high
    pred, target = make_data(LOSS._replace(n=1000)).arguments
    assert (reference_rotated.row_loss(pred, target) < 0.7).double().mean() > 0.8


@pytest.mark.parametrize("threads", [1, 2, 16])
def test_goals_are_about_cases_that_are_measured(threads):
    measured = cases("cpu", threads, list(TASKS))
    assert len(set(measured)) == len(measured)
    for goal in goals(threads):
        assert set(goal.cases.values()) <= set(measured)


def test_the_gpu_measures_every_task_once():
    measured = cases("cuda", 2, list(TASKS))
    assert {case.task for case in measured} == set(TASKS)
    assert len({case._replace(threads=0) for case in measured}) == len(measured)


def test_goals_are_judged():
    rows = [row(PILE), row(PILE, provider="torchvision", p50_us=5.9)]
    rows += [row(LOSS), row(LOSS, provider="clean", p50_us=51.0), row(LOSS, provider="fallback", p50_us=20.0)]
    ciou = LOSS._replace(kind="ciou", enclosing="hull")
    rows += [row(ciou), row(ciou, provider="clean", p50_us=49.0)]
    table = targets_table(Results(rows)).splitlines()[2:]
    verdicts = [line.split("|")[4].strip() for line in table]
    assert verdicts == ["**no**", "not measured", "in part", "**no**"]
    assert "51 (IoU), not measured (GIoU aabb), 49 (CIoU hull)" in table[2]


def test_report_has_a_section_and_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    scene = PILE._replace(task="scene", n=2000, m=2000)
    rows = [row(PILE, p50_us=6000.0), row(PILE, provider="torchvision", p50_us=105_000.0, peak_bytes=30 * MB)]
    write_rows(
        tmp_path / "cpu_rotated.csv", [*rows, row(scene), row(scene, provider="fallback", p50_us=None, note="no")]
    )
    page = tmp_path / "page.md"
    page.write_text("\n".join(["before", *report.marks("bench"), "after\n"]))
    assert report.main([str(tmp_path / "cpu_rotated.csv"), "--page", str(page)]) == 0
    text = page.read_text()
    assert "## Rotated boxes" in text and "17.5x" in text and "6 ns" in text and "(cpu_rotated.png)" in text
    assert "IoU, aerial scene, 1 thread" in text and "## Sets of boxes" not in text
    assert (tmp_path / "cpu_rotated.png").stat().st_size > 10_000


def test_fastiou_is_measured_where_it_is_compiled():
    missing = PROVIDERS["fastiou"].missing("cpu")
    assert (missing is None) == (fastiou.backend() == "native")
