"""The benchmarks of the losses run, write what they promise, and judge the goals correctly; and what all share."""

import json
from pathlib import Path

import pytest
import torch

import fastiou
from fastiou.benchmarks import boxes, clean, report, run, timing
from fastiou.benchmarks.clocks import CLOCKS
from fastiou.benchmarks.losses import limits
from fastiou.benchmarks.losses.case import Case, make_data
from fastiou.benchmarks.losses.providers import PROVIDERS
from fastiou.benchmarks.losses.results import Results
from fastiou.benchmarks.losses.rows import Row
from fastiou.benchmarks.losses.suite import SUITE
from fastiou.benchmarks.losses.targets import targets_table
from fastiou.benchmarks.rows import read_rows, write_rows
from fastiou.benchmarks.steps import Steps
from fastiou.benchmarks.summary import summary

SAMPLE = Path(__file__).parent.parent / "benchmarks" / "data" / "coco_val2014_bbox100.json"
native = pytest.mark.skipif(fastiou.backend() != "native", reason="no compiled kernels")


def row(**changes) -> Row:
    values = {
        "device": "cpu", "device_name": "Some CPU, 2 cores", "threads": 2, "torch": "2.13.0", "provider": "fastiou",
        "version": "0.1.0", "boxes": "random", "kind": "ciou", "reduction": "none", "dtype": "float32", "n": 1000,
        "mode": "full", "samples": 9, "p20_us": 0.9, "p50_us": 1.0, "p80_us": 1.1, "bytes": 88, "gb_per_s": 0.088,
        "page_faults": 0.0, "kernels_forward": None, "kernels_backward": None, "peak_bytes": None,
        "date": "2026-01-01", "note": "",
    }  # fmt: skip
    return Row(**(values | changes))


def test_quick_run_writes_csv(tmp_path, capsys):
    out = tmp_path / "{device}.csv"
    assert run.main(["--quick", "--device", "cpu", "--out", str(out), "--boxes", str(SAMPLE), "--threads", "1"]) == 0
    rows = read_rows(tmp_path / "cpu.csv", Row)
    assert {r.mode for r in rows} == {"forward", "backward", "full", "no-grad"}
    assert {r.reduction for r in rows} == {"none", "mean"}
    assert {"fallback", "clean", "copy", "autograd-node"} <= {r.provider for r in rows}
    assert {r.boxes for r in rows} == {SAMPLE.stem}
    assert all(r.p20_us <= r.p50_us <= r.p80_us and r.samples > 0 for r in rows)
    captured = capsys.readouterr()
    assert "| pairs |" in captured.out
    assert "[1/16]" in captured.err and "left" in captured.err


@native
def test_quick_run_measures_fastiou_in_other_dtypes(tmp_path):
    arguments = "--quick --device cpu --dtypes float64,bfloat16 --modes full --sizes 16 --providers fastiou,clean"
    assert run.main([*arguments.split(), "--out", str(tmp_path / "x.csv")]) == 0
    assert len(read_rows(tmp_path / "x.csv", Row)) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--kinds", "nope"], "--kinds"),
        (["--providers", "nope"], "--providers"),
        (["--boxes", "missing.json"], "No such file"),
        ([] if torch.cuda.is_available() else ["--device", "cuda"], "--device cuda"),
    ],
)
def test_wrong_arguments_are_explained(arguments, message, capsys, tmp_path):
    if not arguments:
        pytest.skip("there is a GPU")
    assert run.main(["--quick", "--out", str(tmp_path / "{device}.csv"), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_sizes_may_have_exponents_but_not_be_words(capsys):
    sizes = next(option for option in SUITE.options if option.flag == "--sizes").keywords["type"]
    assert sizes("16,1e3") == [16, 1000]
    with pytest.raises(SystemExit):
        run.main(["--sizes", "many"])
    assert "expected numbers of pairs" in capsys.readouterr().err


def test_real_boxes_are_tiled_and_mostly_overlap():
    pred, target = boxes.make_pairs(str(SAMPLE), 300)
    assert len(boxes.load_boxes(SAMPLE)) < 1000
    again, _ = boxes.make_pairs(str(SAMPLE), 300)
    assert torch.equal(pred, again)
    assert (clean.iou(pred, target) > 0).float().mean() > 0.9


def test_annotation_files_hold_boxes_too(tmp_path):
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"images": [], "annotations": [{"bbox": [1, 2, 3, 4]}, {"bbox": [0, 0, 5, 5]}]}))
    assert boxes.load_boxes(path).tolist() == [[1, 2, 4, 6], [0, 0, 5, 5]]


@pytest.mark.parametrize("content", ["{}", "[]", '[{"score": 1}]', "no json", '{"annotations": [{"bbox": [1, 2]}]}'])
def test_files_without_boxes_are_refused(content, tmp_path):
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="--boxes"):
        boxes.load_boxes(path)


@pytest.mark.parametrize("kind", clean.SCORES)
def test_clean_loss_is_the_same_loss(kind):
    pred, target = boxes.make_pairs("random", 200)
    expected = fastiou.reference.row_loss(pred.double(), target.double(), kind, 1e-7)
    torch.testing.assert_close(clean.loss(kind)(pred.double(), target.double()), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(("reduction", "moved"), [("none", (52, 36)), ("mean", (48, 32))])
def test_copy_moves_the_bytes_of_the_loss(reduction, moved):
    case = Case("cpu", "random", "ciou", reduction, "float32", 100)
    steps = limits.copy_steps(case, make_data(case, *boxes.make_pairs("random", 100)))
    copied = steps.forward()
    for tensor, expected in zip((copied, steps.backward(copied)), moved, strict=True):
        assert 2 * tensor.nbytes == 100 * expected  # a copy reads and writes
    assert case.bytes_of("full") == 100 * sum(moved)


@native
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_the_bare_operators_return_what_the_function_does(reduction):
    case = Case("cpu", "random", "giou", reduction, "float32", 100)
    data = make_data(case, *boxes.make_pairs("random", 100))
    own, operator = PROVIDERS["fastiou"].steps(case, data), PROVIDERS["operator"].steps(case, data)
    assert torch.equal(operator.forward()[0], own.forward()) and torch.equal(operator.full(), own.full()[0])
    data = data.without_grad()
    loss, *partials = PROVIDERS["operator"].steps(case, data).forward()
    assert torch.equal(loss, PROVIDERS["fastiou"].steps(case, data).forward()) and partials == [None, None]
    assert 2 * limits.copy_steps(case, data).forward().nbytes == case.bytes_of("no-grad") == case.forward_bytes - 1600


def test_series_notes_slow_and_failing_providers():
    def fail():
        raise RuntimeError("no compiler at /some/where/c++\nmore")

    steps = {"good": Steps(lambda: 1, lambda value: None), "bad": Steps(fail, lambda value: None)}
    series = timing.measure(steps, "backward", CLOCKS["cpu"], 16, 0.01)
    assert series["good"].note() == "" and len(series["good"].samples) > timing.MIN_SAMPLES
    assert series["bad"].note() == "RuntimeError: no compiler at ..." and not series["bad"].samples
    slow = timing.measure({"good": steps["good"]}, "full", CLOCKS["cpu"], 16, 0.01, slow=0.0)["good"]
    assert len(slow.samples) == 1 and "one sample" in slow.note()


def test_rows_survive_the_csv(tmp_path):
    rows = [row(), row(n=128, p50_us=None, note="no, none")]
    write_rows(tmp_path / "x.csv", rows)
    assert read_rows(tmp_path / "x.csv", Row) == rows
    (tmp_path / "y.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="expected the columns"):
        read_rows(tmp_path / "y.csv", Row)


def test_goals_are_judged():
    rows = []
    for reduction, own in (("none", 1.0), ("mean", 2.0)):
        rows += [
            row(reduction=reduction, n=10**6, p50_us=own),
            row(reduction=reduction, n=10**6, p50_us=30.0, provider="torchvision"),
            row(reduction=reduction, n=10**6, p50_us=1.0, provider="copy"),
            row(reduction=reduction, n=10**6, p50_us=15.0, provider="compile"),
            row(reduction=reduction, n=128, p50_us=9.0),
            row(reduction=reduction, n=128, p50_us=3.0, provider="autograd-node"),
            row(reduction=reduction, n=128, p50_us=1.3, mode="no-grad"),
            row(reduction=reduction, n=128, p50_us=own, mode="no-grad", provider="operator"),
        ]
    table = targets_table(Results(rows)).splitlines()[2:]
    verdicts = [line.split("|")[4].strip() for line in table]
    assert verdicts == ["in part", "in part", "in part", "not measured", "**no**", "yes"]
    assert "30 (none), 15 (mean)" in table[0]


def test_cuda_goals_count_launches():
    for launches, verdict in ((1, "| yes"), (2, "**no**"), (None, "not measured")):
        rows = [row(device="cuda", reduction="mean", kernels_forward=1, kernels_backward=launches)]
        assert verdict in targets_table(Results(rows)).splitlines()[2]


def test_report_writes_tables_and_plots(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    sizes = (16, 1000, 10**5, 10**6)
    rows = [
        row(n=n, provider=provider, p50_us=(5 + n * slope))
        for n in sizes
        for provider, slope in (("fastiou", 0.002), ("torchvision", 0.1), ("copy", 0.001), ("autograd-node", 0.0))
    ]
    write_rows(tmp_path / "cpu.csv", rows)
    page = tmp_path / "page.md"
    begin, end = report.marks("bench")
    page.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    for _ in range(2):  # the second time replaces the first
        assert report.main([str(tmp_path / "cpu.csv"), "--page", str(page)]) == 0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert text.count("| 1,000,000 |") == 1 and "(cpu_ciou.png)" in text and "49.9x" in text
    assert (tmp_path / "cpu_ciou.png").stat().st_size > 10_000
    page.write_text("no marks")
    assert report.main([str(tmp_path / "cpu.csv"), "--page", str(page)]) == 2
    assert "marks" in capsys.readouterr().err


def test_summary_has_a_line_per_case_that_was_measured(tmp_path):
    """With the largest number of threads; a page gets what its marks ask for, goals before tables."""
    case = {"n": 10**6, "reduction": "mean", "device_name": "a machine"}
    rows = [row(**case, threads=1, p50_us=9000.0), row(**case, threads=2, p50_us=3000.0)]
    rows += [
        row(**case, threads=2, p50_us=90_000.0, provider="torchvision"),
        row(**case, provider="clean", p50_us=None),
    ]
    assert summary({"losses": rows}).splitlines() == [
        "a machine, torch 2.13.0. Median times; peers: how many times as long as fastiou they take.",
        "",
        "|                                                  | fastiou | torchvision |",
        "|--------------------------------------------------|--------:|------------:|",
        "| CIoU loss of 1,000,000 pairs, forward + backward |    3 ms |         30x |",
    ]
    assert summary({"losses": [row(n=16)], "sets": []}) == ""
    write_rows(tmp_path / "cpu.csv", rows)
    page = tmp_path / "page.md"
    page.write_text("\n".join([*report.marks("summary"), *report.marks("bench")]))
    report.write([tmp_path / "cpu.csv"], plots=False, pages=[page])
    above, tables = page.read_text().split(report.marks("summary")[1])
    assert summary({"losses": rows}) in above and tables.index("## Goals") < tables.index("## Losses")
