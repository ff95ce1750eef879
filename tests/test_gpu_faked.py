"""What the stages of the GPU check do on a GPU, with one that is faked: what is misspelt there fails here."""

import contextlib
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import torch
from build_flags import ROOT

import fastiou
from fastiou.benchmarks import launches
from fastiou.benchmarks.gpu import (
    bench,
    build,
    context,
    device,
    library,
    probe,
    sanitize,
    smoke,
    smoke_cases,
    stopwatch,
    table,
    times,
)

native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled")


class Event:
    """An event that happens at once."""

    def __init__(self, enable_timing=False):
        assert enable_timing

    def record(self):
        self.at = time.perf_counter()

    def synchronize(self):
        assert self.at

    def elapsed_time(self, end):
        return (end.at - self.at) * 1e3


class Stream:
    def wait_stream(self, other):
        assert other == "the current one"


CARD = {"name": "Fake H100", "major": 9, "minor": 0, "multi_processor_count": 132, "total_memory": 80 << 30}
FAKES = {
    "is_available": lambda: True,
    "device_count": lambda: 1,
    "get_device_name": lambda: "Fake H100",
    "get_device_capability": lambda: (9, 0),
    "get_device_properties": lambda index: SimpleNamespace(**CARD),
    "synchronize": lambda: None,
    "empty_cache": lambda: None,
    "current_stream": lambda: "the current one",
    "stream": lambda stream: contextlib.nullcontext(),
    "_sleep": lambda cycles: None if cycles > 0 else 1 / 0,
    "Event": Event,
    "Stream": Stream,
}


@pytest.fixture
def cuda(monkeypatch, tmp_path):
    """A stage's environment on a GPU whose calls are faked; boxes stay on the CPU. The folder of the results."""
    for name, fake in FAKES.items():
        assert hasattr(torch.cuda, name)
        monkeypatch.setattr(torch.cuda, name, fake)
    for name, value in context.Context(ROOT, tmp_path, "cuda", tiny=True).environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(fastiou, "backend", lambda device="cpu": "native")
    results = smoke.results
    monkeypatch.setattr(smoke, "results", lambda case, where: results(case, "cpu"))
    return tmp_path


class OnCpu(bench.Bench):
    def __init__(self, here):
        super().__init__(here)
        self.device = "cpu"


def fresh_process(monkeypatch):
    """The arguments of the processes that stages become."""
    asked = []

    def start_over(module, *arguments):
        asked.append((module, *arguments))
        raise SystemExit

    monkeypatch.setattr(context, "start_over", start_over)
    return asked


@native
def test_times(cuda, monkeypatch):
    monkeypatch.setattr(times, "Bench", OnCpu)
    monkeypatch.setattr(launches, "can_count", lambda: True)
    monkeypatch.setattr(launches, "count_kernels", lambda work: len([work()]))
    assert times.main() == 0
    rows = {row["name"]: row for row in table.read(cuda / "times.csv")}
    assert len(rows) > 100 and {row["card"] for row in rows.values()} == {"Fake H100"}
    assert rows["launches ciou mean 1000 backward"]["launches"] == "1"
    assert rows["launches ciou mean 1000 backward"]["reached"] == "yes"
    row = rows["loss ciou none 1.6e7 partials"]
    assert float(row["bytes"]) == 200 * 52 and float(row["us_min"]) <= float(row["us"]) < 1e5
    speed = float(row["bytes"]) / float(row["us"]) / 1e3
    assert float(row["gb_per_s"]) == pytest.approx(speed, rel=1e-2)
    assert float(row["share"]) == pytest.approx(speed / float(rows["copy 512 MiB"]["gb_per_s"]), rel=1e-2)


@native
def test_a_section_that_faults_costs_itself_alone(cuda, monkeypatch):
    monkeypatch.setattr(times, "Bench", OnCpu)
    asked = fresh_process(monkeypatch)
    sections = {"first": lambda b: b.add("a row"), "second": lambda b: 1 / 0, "third": lambda b: b.add("another")}
    monkeypatch.setattr(times, "SECTIONS", sections)
    with pytest.raises(SystemExit):
        times.main("first")
    assert asked == [("times", "third")]
    assert times.main("third") == 1
    rows = [(row["name"], row["note"]) for row in table.read(cuda / "times.csv")]
    assert rows == [("a row", ""), ("section second", "failed: ZeroDivisionError: division by zero"), ("another", "")]


@native
def test_a_call_that_fails_leaves_a_note(cuda):
    one = OnCpu(context.read())
    one.time("bad", [lambda: 1 / 0])
    one.time("good", [lambda: None], than="bad")
    assert [(r["name"], r["note"]) for r in table.read(cuda / "times.csv")] == [
        ("bad", "failed: ZeroDivisionError: division by zero"),
        ("good", ""),
    ]
    late = OnCpu(context.read()._replace(deadline=time.time()))
    late.time("late", [lambda: None])
    assert table.read(cuda / "times.csv")[-1]["note"] == "out of time"


def test_a_device_waits_until_calls_are_queued(cuda, monkeypatch):
    slept = []
    monkeypatch.setattr(torch.cuda, "_sleep", slept.append)
    watch = stopwatch.Stopwatch("cuda", 0.001)
    done = []
    calls = [lambda i=i: done.append(i) for i in range(3)]
    sample = watch.time(calls)
    assert slept and all(isinstance(cycles, int) and cycles > 0 for cycles in slept)
    assert 0 < sample.minimum <= sample.median and sample.count == len(slept) >= 5
    assert abs(done.count(0) - done.count(1)) <= 1 + 1  # the first one more, to see how long it takes
    slept.clear()
    watch.time(calls, waits=True)
    assert not slept


@native
def test_smoke(cuda, monkeypatch):
    assert smoke.main() == 0
    assert {row["verdict"] for row in table.read(cuda / "smoke.csv")} == {"ok"}
    lost = iter([False, True])
    monkeypatch.setattr(context, "is_lost", lambda where: next(lost))
    asked = fresh_process(monkeypatch)
    with pytest.raises(SystemExit):
        smoke.main()
    assert asked == [("smoke", "1")] and len(table.read(cuda / "smoke.csv")) == 1


@native
@pytest.mark.parametrize("stage", [smoke, times, sanitize], ids=lambda module: module.__name__.split(".")[-1])
def test_without_a_card_nothing_runs(cuda, monkeypatch, capsys, stage):
    def fails():
        raise RuntimeError("no driver")

    monkeypatch.setattr(torch.cuda, "synchronize", fails)
    assert stage.main() == 1 and capsys.readouterr().out.endswith("the GPU cannot be used\n")
    monkeypatch.setattr(fastiou, "backend", lambda device="cpu": "fallback")
    assert stage.main() == 1 and "no kernels for cuda" in capsys.readouterr().out
    assert not table.read(cuda / "smoke.csv") and not table.read(cuda / "times.csv")


@native
def test_smoke_looks_at_other_streams_and_cards(cuda, monkeypatch):
    x = torch.ones(3)
    turns = []
    case = smoke_cases.Case("", None, None)
    monkeypatch.setattr(smoke, "results", lambda case, where: turns.append(where) or [x * (len(turns) < 4)])
    assert smoke.check(case, "cuda")[2] == "not the same bits on another stream"
    turns.clear()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(smoke, "results", lambda case, where: turns.append(where) or [x * (where != "cuda:1")])
    assert smoke.check(case, "cuda")[2] == "not the same bits on another card"
    assert turns == ["cpu", "cuda", "cuda", "cuda", "cuda:1"]


def test_device(cuda, monkeypatch, capsys):
    answer = "Fake H100, 580.1, 1980 MHz, 1980 MHz, 2619 MHz, 700 W, 30, 81559 MiB"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout=answer))
    assert device.main() == 0
    said = capsys.readouterr().out
    assert "driver_version   580.1" in said and "multiprocessors 132" in said and "capability 9.0" in said
    assert '"clocks.max.sm": "1980 MHz"' in (cuda / "device.json").read_text()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.main() == 1


def test_device_without_its_driver_tool(cuda, monkeypatch):
    def missing(*_, **__):
        raise FileNotFoundError("nvidia-smi")

    monkeypatch.setattr(subprocess, "run", missing)
    assert device.main() == 0 and '"driver": "unknown"' in (cuda / "device.json").read_text()


@pytest.mark.parametrize(
    ("unfit", "probes", "builds", "code"),
    [(None, [0], 0, 0), (None, [1, 0], 1, 0), ("old", [0], 1, 0), ("old", [1], 1, 1), ("old", [], 1, 2)],
    ids=["carried", "carried but broken", "built", "built but broken", "not built"],
)
def test_library(cuda, monkeypatch, unfit, probes, builds, code):
    built = []
    monkeypatch.setattr(build, "why_unfit", lambda root, arch: unfit)
    monkeypatch.setattr(build, "refresh", lambda root: 0)
    monkeypatch.setattr(build, "build", lambda root, archs: built.append(archs) or (0 if probes else 2))
    answers = iter(probes)
    monkeypatch.setattr(library, "_probe", lambda here: next(answers))
    assert library.main() == code and built == ["9.0"] * builds


@native
def test_probe(monkeypatch, capsys):
    assert probe.main("cpu") == 0 and "is 0.333333" in capsys.readouterr().out
    monkeypatch.setattr(fastiou, "backend", lambda device: "fallback")
    assert probe.main("cpu") == 1


TOOL = """#!{python}
import sys
print("the tool gets", *sys.argv[1:])
for i, argument in enumerate(sys.argv):
    if argument == "--log-file":
        open(sys.argv[i + 1], "w").write({log!r})
sys.exit({code})
"""
LOG = '"ID","Kernel Name","Metric Name","Metric Unit","Metric Value"\n"0","a","launch__registers_per_thread","","32"\n'


def run_with_tool(folder, module, name, code=0, log="", argument=()):
    (folder / name).write_text(TOOL.format(python=sys.executable, code=code, log=log))
    (folder / name).chmod(0o755)
    here = context.Context(ROOT, folder, "cuda").environment()
    environment = {**os.environ, **here, "PATH": str(folder), "CUDA_HOME": ""}
    command = [sys.executable, "-m", f"fastiou.benchmarks.gpu.{module}", *argument]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True)


def test_sanitizer(tmp_path):
    done = run_with_tool(tmp_path, "sanitizer", "compute-sanitizer", 1, argument=["racecheck"])
    assert done.returncode == 1, done.stderr
    assert "gets --tool racecheck --error-exitcode 1 --print-limit 20 --kernel-regex kns=fastiou" in done.stdout
    assert done.stdout.endswith("-m fastiou.benchmarks.gpu.sanitize\n")
    assert "kns" not in run_with_tool(tmp_path, "sanitizer", "compute-sanitizer", argument=["initcheck"]).stdout


def test_counters(tmp_path):
    done = run_with_tool(tmp_path, "counters", "ncu", log=LOG)
    assert done.returncode == 0 and "a: registers 32" in done.stdout and "regex:fastiou" in done.stdout, done.stderr
    complaint = "==ERROR== ERR_NVGPUCTRPERM - no permission\n"
    done = run_with_tool(tmp_path, "counters", "ncu", code=1, log=complaint)
    assert done.returncode == 1 and done.stdout.endswith(complaint)


@pytest.mark.parametrize("module", ["sanitizer", "counters"])
def test_tools_that_are_missing_are_skipped(tmp_path, monkeypatch, module):
    monkeypatch.setattr("fastiou.benchmarks.gpu.tools._FOLDERS", ())
    from fastiou.benchmarks.gpu import counters, sanitizer

    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_HOME", raising=False)
    for name, value in context.Context(ROOT, tmp_path, "cuda").environment().items():
        monkeypatch.setenv(name, value)
    assert (sanitizer.main("memcheck") if module == "sanitizer" else counters.main()) == 77


def test_launches_are_of_categories(monkeypatch):
    """The profiler's trace also holds annotations and what runs on the host."""
    events = [
        {"cat": "kernel", "name": "k"},
        {"cat": "gpu_memset", "name": "m"},
        {"cat": "gpu_user_annotation", "name": "a"},
    ]
    events += [{"cat": "cpu_op", "name": "o"}, {"name": "without"}, {"cat": "cuda_runtime", "name": "cudaLaunchKernel"}]

    class Profile:
        def __init__(self, activities):
            assert len(activities) == 2

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def export_chrome_trace(self, path):
            import json

            with open(path, "w") as file:
                json.dump({"traceEvents": events}, file)

    monkeypatch.setattr(launches, "profile", Profile)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    assert launches.names_of(lambda: None) == ["k"]
    assert launches.names_of(lambda: None, ("kernel", "gpu_memcpy", "gpu_memset")) == ["k", "m"]
