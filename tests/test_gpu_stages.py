"""The stages of the GPU check on the CPU, in small: what they call, what they find, and that none dies of a typo."""

import subprocess
import sys
import time

import pytest
import torch
from build_flags import ROOT
from torch.utils._python_dispatch import TorchDispatchMode

import fastiou
from fastiou.benchmarks.gpu import context, counters, goals, one_each, sanitize, smoke, smoke_cases, stages, table

native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled")

REHEARSED = [stage.name for stage in stages.STAGES if stage.name not in ("racecheck", "synccheck", "initcheck")]

pytestmark = pytest.mark.xdist_group("rehearsal")


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """The folder after the check on the CPU, in small, and how it ended; one tool of the sanitizer stands for all."""
    out = tmp_path_factory.mktemp("rehearsal")
    command = [sys.executable, "-m", "benchmarks.gpu.run", "--device", "cpu", "--out", str(out), *REHEARSED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.stderr, done.stderr[-3000:]
    return out, done


@native
def test_the_check_runs_on_the_cpu(rehearsal):
    out, done = rehearsal
    rows = table.read(out / "stages.csv")
    assert [row["stage"] for row in rows] == REHEARSED
    assert {row["verdict"] for row in rows} == {"ok"}, done.stdout[-5000:]
    assert done.returncode == 0
    expected = {"log.txt", "summary.md", "stages.csv", "device.json", "smoke.csv", "times.csv", "tests.csv"}
    assert {path.name for path in out.iterdir()} == expected
    assert "A rehearsal of the scripts" in (out / "summary.md").read_text()


@native
def test_times_have_a_row_for_every_goal(rehearsal):
    rows = table.read(rehearsal[0] / "times.csv")
    assert not [row for row in rows if row["note"].startswith("failed")]
    torchvision = any(row["name"].startswith("torchvision ciou") for row in rows)
    for goal in goals.GOALS:
        about = [row for row in rows if goal.is_about(row["name"])]
        if "torchvision" in goal.rows and not torchvision:
            continue
        assert about, goal.text
        if goal.figure != "launches":  # of which a CPU has none
            assert all(float(row[goal.figure]) > 0 and row["reached"] for row in about)
    names = [row["name"] for row in rows]
    assert len(names) == len(set(names)) > 100
    assert {row["card"] for row in rows} == {"cpu, in small: no measurement"}


@native
def test_smoke_agrees_with_itself(rehearsal):
    rows = table.read(rehearsal[0] / "smoke.csv")
    assert len(rows) == len(smoke_cases.cases(tiny=True)) and {row["verdict"] for row in rows} == {"ok"}
    assert {float(row["worst"]) for row in rows} == {0.0}


@native
def test_gpu_tests_are_collected_and_skipped(rehearsal):
    rows = table.read(rehearsal[0] / "tests.csv")
    if torch.cuda.is_available():
        pytest.skip("they run here")
    assert {row["outcome"] for row in rows} == {"skipped"} and len(rows) > 100
    assert "2_to_the_31" in rows[-1]["test"] and "2_to_the_31" in rows[-2]["test"]


class _Operators(TorchDispatchMode):
    """Notes the operators of fastiou that are called."""

    def __init__(self):
        super().__init__()
        self.names = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "fastiou":
            self.names.add(func._schema.name.split("::")[1])
        return func(*args, **(kwargs or {}))


def operators() -> set[str]:
    """The operators that the CUDA library has kernels for."""
    return {schema.name.split("::")[1] for schema in torch._C._jit_get_all_schemas() if schema.name[:9] == "fastiou::"}


@native
@pytest.mark.parametrize("what", ["smoke", "sanitize"])
def test_every_operator_is_called(what):
    with _Operators() as called:
        if what == "smoke":
            for case in smoke_cases.cases(tiny=True):
                smoke.results(case, "cpu")
        else:
            for part in sanitize.PARTS.values():
                part("cpu")
    assert called.names == operators()


@native
def test_smoke_finds_what_is_wrong(tmp_path, monkeypatch):
    """Numbers that differ, NaN, other shapes and dtypes, other bits the second time, errors; and goes on."""
    calls = iter(range(100))
    x = torch.arange(6.0).reshape(2, 3) + 1

    def case(name, wrong):
        turns = iter([x, *wrong])
        return smoke_cases.Case(name, lambda _: next(turns), lambda: (x,))

    wrong = [
        case("ok", [x, x]),
        case("number", [x * 1.001] * 2),
        case("nan", [x * float("nan")] * 2),
        case("shape", [x[:1]] * 2),
        case("dtype", [x.double()] * 2),
        case("bits", [x, x + 1e-6]),
        smoke_cases.Case("error", lambda a: a.nonsense, lambda: (x,)),
        smoke_cases.Case(
            "gradient", lambda a: (a * (1 + 0.1 * (next(calls) > 0))).sum() / 1.1**0, lambda: (x,), grads=1
        ),
        smoke_cases.Case("few", lambda a: a > 2, lambda: (x,), few=0.2),
    ]
    monkeypatch.setattr(smoke, "cases", lambda tiny: wrong)
    for name, value in context.Context(ROOT, tmp_path, "cpu", True).environment().items():
        monkeypatch.setenv(name, value)
    assert smoke.main() == 1
    found = {row["case"]: row for row in table.read(tmp_path / "smoke.csv")}
    assert [name for name, row in found.items() if row["verdict"] == "ok"] == ["ok", "few"]
    assert "the same bits" in found["bits"]["note"] and "AttributeError" in found["error"]["note"]
    assert "(1, 3) in place of" in found["shape"]["note"] and found["nan"]["worst"] == "inf"


def test_smoke_bounds_the_share_of_what_rounding_decides():
    few = smoke_cases.Case("", None, None, few=0.1)
    right = torch.zeros(100, dtype=torch.int64)
    assert smoke.compare(few, [right], [right]) == (0.0, 0.0, "")
    wrong = right.clone()
    wrong[:7] = 1
    assert smoke.compare(few, [wrong], [right])[1] == pytest.approx(0.07)


@native
def test_the_main_kernels_run(monkeypatch, capsys):
    for name, value in context.Context(ROOT, ROOT, "cpu", True).environment().items():
        monkeypatch.setenv(name, value)
    assert one_each.main() == 0 and "once each" in capsys.readouterr().out


def test_counters_are_read_from_what_ncu_prints(tmp_path):
    path = tmp_path / "counters.csv"
    assert counters.digest(path) == []
    path.write_text(
        "==PROF== Connected to process 7\nsome output\n"
        '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"\n'
        '"0","fastiou::loss<float>(Args)","gpu__time_duration.sum","us","12.5"\n'
        '"0","fastiou::loss<float>(Args)","smsp__inst_executed.sum","inst","1,000"\n'
        '"1","fastiou::rows(Args)","gpu__time_duration.sum","us","3.5"\n'
    )
    assert counters.digest(path) == [
        ("fastiou::loss<float>(Args)", "time 12.5 us, instructions of warps 1,000 inst"),
        ("fastiou::rows(Args)", "time 3.5 us"),
    ]


def test_time_that_is_up_ends_the_sanitizers_run_between_parts(monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(sanitize, "PARTS", {name: lambda device, name=name: ran.append(name) for name in "abc"})
    for name, value in context.Context(ROOT, ROOT, "cpu", True, deadline=time.time()).environment().items():
        monkeypatch.setenv(name, value)
    assert sanitize.main() == 0 and ran == ["a"]
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 3 families of kernels ran"
