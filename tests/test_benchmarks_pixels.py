"""The benchmark of PIoU: all providers compute the same, pixels are counted right, goals are judged."""

import sys

import pytest
import torch

import fastiou
from fastiou.benchmarks import report, run
from fastiou.benchmarks.losses.rows import Row as LossRow
from fastiou.benchmarks.pixels import agreement, counts, rasterised
from fastiou.benchmarks.pixels.case import MORE, SIDES, TASKS, Case, cases, make_data
from fastiou.benchmarks.pixels.providers import MOST_PIXELS, PROVIDERS, prepared_call
from fastiou.benchmarks.pixels.results import Results
from fastiou.benchmarks.pixels.rows import Row
from fastiou.benchmarks.pixels.tables import pixel_table
from fastiou.benchmarks.pixels.targets import goals, targets_table
from fastiou.benchmarks.provider import Provider
from fastiou.benchmarks.rotated.rows import Row as RotatedRow
from fastiou.benchmarks.rows import read_rows, write_rows

MB = 10**6
SMALL = Case("cpu", 2, "rotated", "exact", "16-64", "float32", 1000, None)
MEDIUM = Case("cpu", 2, "rotated", "exact", "64-200", "float32", 200, None)


def row(case: Case, **changes) -> Row:
    values = {
        "device_name": "Some CPU, 2 cores", "torch": "2.13.0", "provider": "fastiou", "version": "0.1.0",
        "samples": 9, "p20_us": 0.9, "p50_us": 1.0, "p80_us": 1.1, "page_faults": 0.0, "kernels": None,
        "peak_bytes": MB, "pixels_official": 1000.0, "pixels_grid": 100.0, "pixels_clipped": 50.0, "pixels_edge": 10.0,
        "date": "2026-01-01", "note": "",
    }  # fmt: skip
    return Row(**(case._asdict() | values | changes))


def test_quick_run_writes_csv(tmp_path, capsys):
    out = tmp_path / "{device}.csv"
    assert run.main(["--quick", "--suite", "pixels", "--device", "cpu", "--out", str(out)]) == 0
    rows = read_rows(tmp_path / "cpu_pixels.csv", LossRow, RotatedRow, Row)
    assert {"clean", "fallback"} <= {r.provider for r in rows}
    assert {r.task for r in rows} == set(TASKS) and {r.union for r in rows} == {"exact", "area"}
    assert not [f"{r.provider}, {r.task}: {r.note}" for r in rows if not r.samples]  # all can do what they claim
    assert all(r.p20_us <= r.p50_us <= r.p80_us for r in rows)
    assert all((r.pixels_edge is not None) == (r.task == "rotated") for r in rows)
    assert sys.platform != "linux" or all(r.peak_bytes is not None for r in rows)
    captured = capsys.readouterr()
    assert "soft pixels per pair" in captured.out and "[1/" in captured.err


def test_unknown_tasks_are_explained(capsys):
    assert run.main(["--pixel-tasks", "nope"]) == 2
    assert "--pixel-tasks" in capsys.readouterr().err


FEW = {case._replace(n=12, m=case.m and 7, threads=1): None for case in cases("cpu", 1, list(TASKS))}


@pytest.mark.parametrize("case", [case for case in FEW if case.sides != "500-2000"], ids=lambda case: case.name)
def test_providers_compute_the_same(case):
    own = [one for one in PROVIDERS.values() if not one.compiles and one.has(case) and not one.missing("cpu")]
    assert len(own) > 1
    agreement.check_agreement(case, own)


def test_disagreement_is_found_before_it_is_timed():
    wrong = Provider("wrong", "torch", {"rotated": lambda case: lambda pred, target: (pred - target).square().sum(-1)})
    with pytest.raises(AssertionError, match="wrong: rotated, 16-64 px"):
        agreement.check_agreement(SMALL, [PROVIDERS["clean"], wrong])


@pytest.mark.parametrize("union", ["exact", "area"])
def test_rasterised_scores_are_those_of_fastiou(union):
    """In float64, with the gradients of both boxes, in chunks of a few pairs and of one."""
    case = SMALL._replace(n=40, union=union)
    pred, target = (boxes.detach().double().requires_grad_() for boxes in make_data(case).arguments)
    for chunk in (1, 2**16):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(rasterised.CHUNK, "cpu", chunk)
            found = rasterised.rotated(pred, target, union)
        expected = fastiou.pixel_iou(pred, target, union=union)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-8)
        grads = [torch.autograd.grad(x.sum(), (pred, target)) for x in (found, expected)]
        torch.testing.assert_close(*grads, rtol=0, atol=1e-7)


def test_soft_pixels_are_counted_right():
    """Against all pixels of an image, one by one."""
    pred, target = (boxes.detach().double() for boxes in make_data(SMALL._replace(n=20)).arguments)
    y, x = torch.meshgrid(*[torch.arange(-300, 300) + 0.5] * 2, indexing="ij")
    clipped, edge = {"exact": 0, "area": 0}, {"exact": 0, "area": 0}
    for pair in zip(pred, target, strict=True):
        base = pair[0][:2].floor()
        masks = []
        for reach in (rasterised.EDGE / rasterised.K, -rasterised.EDGE / rasterised.K):
            for cx, cy, w, h, angle in pair:
                dx, dy = x + base[0] - cx, y + base[1] - cy
                u, v = dx * angle.cos() + dy * angle.sin(), dy * angle.cos() - dx * angle.sin()
                masks.append((u.abs() <= w / 2 + reach) & (v.abs() <= h / 2 + reach))
        soft1, soft2, core1, core2 = masks
        for union, alone in (("area", 0), ("exact", 1)):
            all_soft = 2 * (soft1 & soft2).sum() + alone * (soft1.sum() + soft2.sum())
            clipped[union] += all_soft.item() / 20
            edge[union] += (all_soft - 2 * (core1 & core2).sum() - alone * (core1.sum() + core2.sum())).item() / 20
    for union in clipped:
        found = counts.pixels_per_pair(pred, target, union, 1024)
        assert found["pixels_clipped"] == pytest.approx(clipped[union], abs=0.06)
        assert found["pixels_edge"] == pytest.approx(edge[union], abs=0.06)
        assert found["pixels_edge"] < found["pixels_clipped"] and found["pixels_grid"] < found["pixels_official"]


def test_the_authors_loop_visits_the_whole_width():
    box = torch.tensor([[50.0, 30.0, 20.0, 10.0, 0.0]])
    found = counts.pixels_per_pair(box, box, "area", 1024)
    assert found["pixels_official"] == 2 * 1224 * 21  # rows 20 to 40
    assert found["pixels_grid"] == 2 * 24 * 14


def test_peers_are_spared_what_takes_them_seconds():
    for case in cases("cpu", 2, list(TASKS)):
        assert PROVIDERS["clean"].has(case) == (case.pixels <= MOST_PIXELS["cpu"])
    for _, few, many in SIDES.values():
        assert few < many["cpu"] < many["cuda"]


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
def test_memory_of_the_peer_is_bounded():
    from fastiou.benchmarks import memory

    case = SMALL._replace(n=4000)
    assert memory.cpu_peak(prepared_call, "clean", case) < 1000 * MB  # all pairs at once take four times that
    if fastiou.backend() == "native":
        assert memory.cpu_peak(prepared_call, "fastiou", case) < 4 * MB


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
    rows = [row(SMALL), row(SMALL, provider="clean", p50_us=51.0)]
    single = MEDIUM._replace(threads=1)
    rows += [row(case) for case in (MEDIUM, single)]
    rows += [row(case, provider="clean", p50_us=micros) for case, micros in ((MEDIUM, 21.0), (single, 19.0))]
    for n, megabytes in ((100_000, 4), (MORE * 100_000, 48)):
        rows.append(row(SMALL._replace(n=n), peak_bytes=megabytes * MB))
    table = targets_table(Results(rows)).splitlines()[2:]
    assert [line.split("|")[4].strip() for line in table] == ["yes", "in part", "in part"]
    assert "21 (exact union), not measured (area union), 19 (one thread)" in table[1]
    assert "40 (100,000), 120 (400,000)" in table[2]


def test_report_has_a_section_and_a_picture(tmp_path):
    pytest.importorskip("matplotlib")
    upright = SMALL._replace(task="upright")
    none = dict.fromkeys(("pixels_official", "pixels_grid", "pixels_clipped", "pixels_edge"))
    rows = [row(SMALL, p50_us=2000.0), row(SMALL, provider="clean", p50_us=105_000.0, peak_bytes=30 * MB)]
    rows += [row(upright, **none), row(upright, provider="fallback", p50_us=None, note="no", **none)]
    write_rows(tmp_path / "cpu_pixels.csv", rows)
    page = tmp_path / "page.md"
    page.write_text("\n".join(["before", *report.marks("bench"), "after\n"]))
    assert report.main([str(tmp_path / "cpu_pixels.csv"), "--page", str(page)]) == 0
    text = page.read_text()
    assert "## PIoU" in text and "52.5x" in text and "500,000" in text and "(cpu_pixels.png)" in text
    assert "upright, 16-64 px" in text and "## Rotated boxes" not in text
    assert (tmp_path / "cpu_pixels.png").stat().st_size > 10_000


def test_pixel_table_compares_with_the_authors():
    table = pixel_table(Results([row(SMALL), row(SMALL, provider="clean")])).splitlines()
    assert len(table) == 3 and "100x" in table[2] and "exact union, 16-64 px" in table[2]


def test_fastiou_is_measured_where_it_is_compiled():
    missing = PROVIDERS["fastiou"].missing("cpu")
    assert (missing is None) == (fastiou.backend() == "native")
