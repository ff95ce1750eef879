"""The benchmarks of sets of boxes: all providers do the same task, memory is measured, goals are judged."""

import importlib
import sys

import numpy as np
import pytest
import torch

import fastiou
from fastiou.benchmarks import formatting, memory, report, run
from fastiou.benchmarks.losses.rows import Row as LossRow
from fastiou.benchmarks.rows import read_rows, write_rows
from fastiou.benchmarks.sets.case import TASKS, Case, cases, make_data
from fastiou.benchmarks.sets.providers import PROVIDERS, prepared_call
from fastiou.benchmarks.sets.results import Results
from fastiou.benchmarks.sets.rows import Row
from fastiou.benchmarks.sets.targets import TARGETS, targets_table
from fastiou.benchmarks.suites import SUITES

native = pytest.mark.skipif(fastiou.backend() != "native", reason="no compiled kernels")
linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is measured on Linux")
MB = 10**6


def row(case: Case, **changes) -> Row:
    values = {
        "device_name": "Some CPU, 2 cores", "threads": 2, "torch": "2.13.0", "provider": "fastiou", "version": "0.1.0",
        "samples": 9, "p20_us": 0.9, "p50_us": 1.0, "p80_us": 1.1, "page_faults": 0.0, "kernels": None,
        "peak_bytes": MB, "date": "2026-01-01", "note": "",
    }  # fmt: skip
    return Row(**(case._asdict() | values | changes))


def as_arrays(result) -> list[np.ndarray]:
    parts = result if isinstance(result, tuple) else (result,)
    return [part.detach().numpy() if isinstance(part, torch.Tensor) else np.asarray(part) for part in parts]


def test_quick_run_writes_csv(tmp_path, capsys):
    out = tmp_path / "{device}.csv"
    assert run.main(["--quick", "--suite", "sets", "--device", "cpu", "--out", str(out)]) == 0
    rows = read_rows(tmp_path / "cpu_sets.csv", LossRow, Row)
    assert {"clean", "fallback", "numpy", "write"} <= {r.provider for r in rows}
    assert {r.task for r in rows} == set(TASKS)
    assert not [f"{r.provider}, {r.task}: {r.note}" for r in rows if not r.samples]  # all can do what they claim
    assert all(r.p20_us <= r.p50_us <= r.p80_us for r in rows)
    assert sys.platform != "linux" or all(r.peak_bytes is not None for r in rows)
    assert not (tmp_path / "cpu.csv").exists()
    captured = capsys.readouterr()
    assert "peak memory" in captured.out and "[1/" in captured.err


def test_options_of_a_suite_select_it(monkeypatch):
    def chosen(*arguments):
        options = run._parser().parse_args(arguments)
        return [suite.title for suite in run._chosen(options)], options

    everything = [suite.title for suite in SUITES.values()]
    assert chosen()[0] == chosen("--suite", "all", "--kinds", "giou")[0] == everything
    assert chosen("--kinds", "giou")[0] == ["Losses"]
    titles, options = chosen("--tasks", "nms,numpy")
    assert titles == ["Sets of boxes"] and options.tasks == ["nms", "numpy"] and options.kinds == ["ciou"]


def test_unknown_tasks_are_explained(capsys):
    assert run.main(["--tasks", "nope"]) == 2
    assert "--tasks" in capsys.readouterr().err


#: cython_bbox counts another pixel on each side of a box.
SAME = [name for name in PROVIDERS if name not in ("write", "cython_bbox")]


SMALL = {case._replace(n=40, m=case.m and 30): None for case in cases("cpu", list(TASKS))}


@pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
def test_providers_do_the_same_task(case):
    data = make_data(case)
    own = [PROVIDERS[name] for name in SAME if name != "compile" and PROVIDERS[name].has(case)]
    answers = {p.name: as_arrays(p.steps(case, data).call(case.mode)()) for p in own if p.missing("cpu") is None}
    names = list(answers)
    for name in names[1:]:
        for expected, answer in zip(answers[names[0]], answers[name], strict=True):
            np.testing.assert_allclose(answer, expected, rtol=2e-4, atol=2e-5, err_msg=f"{name} against {names[0]}")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_done_by_fastiou_and_a_peer(task):
    case = next(case for case in cases("cpu", [task]))
    own = [provider.name for provider in PROVIDERS.values() if provider.has(case)]
    assert "fastiou" in own and len(own) > 1


def test_versions_that_lack_a_function_fail_when_called(monkeypatch):
    def lacks(case):
        return importlib.import_module("json").no_such_function

    monkeypatch.setitem(PROVIDERS["clean"].tasks, "pairwise", lacks)
    case = Case("cpu", "pairwise", "iou", "float32", 3, 3)
    steps = PROVIDERS["clean"].steps(case, make_data(case))
    with pytest.raises(AttributeError, match="no_such_function"):
        steps.forward()


def allocate(count: int):
    """A call that needs `count` bytes twice, one after the other, and returns nothing."""
    torch.ones(1, dtype=torch.uint8)

    def call():
        for _ in range(2):
            torch.ones(count, dtype=torch.uint8)

    return call


def fail():
    raise RuntimeError("no")


@linux
def test_memory_of_a_call_is_what_it_allocates():
    for _ in range(2):
        assert memory.cpu_peak(allocate, 100 * MB) == pytest.approx(100 * MB, rel=0.1)
    assert memory.cpu_peak(allocate, 0) < 5 * MB  # two huge pages
    assert memory.cpu_peak(fail) is None


@linux
def test_memory_of_a_score_matrix():
    case = Case("cpu", "pairwise", "iou", "float32", 4000, 2500)
    assert memory.cpu_peak(prepared_call, "write", case) == pytest.approx(40 * MB, rel=0.1)
    if fastiou.backend() == "native":
        assert memory.cpu_peak(prepared_call, "fastiou", case) == pytest.approx(40 * MB, rel=0.1)
    assert memory.cpu_peak(prepared_call, "clean", case) > 100 * MB


def test_rows_survive_the_csv(tmp_path):
    case = Case("cpu", "nms", "", "float32", 2000, None)
    rows = [row(case), row(case, p50_us=None, peak_bytes=None, note="no, none")]
    write_rows(tmp_path / "x.csv", rows)
    assert read_rows(tmp_path / "x.csv", LossRow, Row) == rows


def test_goals_are_judged():
    iou, giou, ciou = (Case("cpu", "pairwise", kind, "float32", 8400, 100) for kind in ("iou", "giou", "ciou"))
    match = Case("cpu", "max_iou", "iou", "float32", 200_000, 500)
    array = Case("cpu", "numpy", "iou", "float64", 1000, 1000)
    rows = [row(case) for case in (iou, giou, ciou, array)] + [row(match, peak_bytes=60 * MB)]
    rows += [row(case, provider="torchvision", p50_us=20.0) for case in (iou, giou, match)]
    rows += [row(ciou, provider="torchvision", p50_us=25.0), row(iou, provider="write", p50_us=0.5)]
    rows += [row(array, provider="numpy", p50_us=9.0), row(array, provider="pycocotools", p50_us=2.9)]
    table = targets_table(Results(rows)).splitlines()[2:]
    verdicts = [line.split("|")[4].strip() for line in table]
    assert verdicts == ["yes", "in part", "**no**", "not measured", "yes", "**no**", "not measured", "**no**"]
    assert "20 (GIoU), 25 (CIoU)" in table[1] and "60 MB" in table[5] and "2.9 (float64), not measured" in table[7]


def test_cuda_goals_are_about_writing():
    case = Case("cuda", "pairwise", "iou", "float32", 20_000, 5000)
    for own, verdict in ((1.0, "| yes"), (2.0, "**no**")):
        table = targets_table(Results([row(case, p50_us=own), row(case, provider="write", p50_us=0.9)]))
        assert verdict in table.splitlines()[2] and "CPU" not in table


def test_goals_are_about_cases_that_are_measured():
    for target in TARGETS:
        assert set(target.cases.values()) <= set(cases(target.device, list(TASKS)))


def test_report_writes_both_suites(tmp_path):
    pytest.importorskip("matplotlib")
    case = Case("cpu", "pairwise", "iou", "float32", 8400, 100)
    array = Case("cpu", "numpy", "iou", "float64", 1000, 1000)
    rows = [row(case), row(case, provider="torchvision", p50_us=17.5, peak_bytes=30 * MB), row(array)]
    write_rows(tmp_path / "cpu_sets.csv", rows)
    page = tmp_path / "page.md"
    page.write_text("\n".join(["before", *report.marks("bench"), "after\n"]))
    assert report.main([str(tmp_path / "cpu_sets.csv"), "--page", str(page)]) == 0
    text = page.read_text()
    assert "17.5x" in text and "30 MB" in text and "(cpu_sets.png)" in text and "## Sets of boxes" in text
    assert "## Losses" not in text and text.endswith("\nafter\n")
    assert (tmp_path / "cpu_sets.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("count", "text"), [(None, "–"), (0, "0 kB"), (1.5e6, "1.5 MB"), (4e8, "400 MB"), (2e9, "2 GB")]
)
def test_sizes_have_units(count, text):
    assert formatting.size(count) == text
