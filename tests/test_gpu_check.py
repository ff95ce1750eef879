"""The GPU check, without a GPU: its runner on stages that misbehave, what it writes, what it builds."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from build_flags import ROOT

import fastiou
from fastiou.benchmarks.gpu import build, context, goals, run, stages, summary, table

native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="nothing is compiled")

#: What stages may do, by their names.
MISDEEDS = {
    "prints": "print('hello'); print('all is well')",
    "hangs": "import time\nprint('so far so good', flush=True)\ntime.sleep(60)",
    "fails": "print('wrong'); raise SystemExit(3)",
    "is-killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "faults": "import ctypes; ctypes.string_at(0)",
    "prints-bytes": "import sys; sys.stdout.buffer.write(bytes(range(256)) * 40 + b'\\n')",
    "prints-much": "for _ in range(20_000): print('x' * 200)",
    "skips": "print('it is not here'); raise SystemExit(77)",
    "ignores-signals": "import signal, time\nsignal.signal(signal.SIGABRT, signal.SIG_IGN)\ntime.sleep(60)",
    "leaves-children": "import subprocess; print(subprocess.Popen(['sleep', '60']).pid)",
    "reports": "print('a finding'); raise SystemExit(1)",
    "last": "print('still here')",
}
LIMITS = {"hangs": 3.5, "ignores-signals": 3.5}
STAGES = tuple(stages.Stage(name, LIMITS.get(name, 20.0), (name,), "", informs=name == "reports") for name in MISDEEDS)


def is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture(scope="module")
def misdeeds(tmp_path_factory):
    """The folder after a run of all of them, and the exit code."""
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "command_of", lambda stage: [sys.executable, "-c", MISDEEDS[stage.name]])
        code = run.run(STAGES, context.Context(out, out, "cpu"), 0)
    return out, code


def test_no_stage_stops_another(misdeeds):
    out, code = misdeeds
    rows = table.read(out / "stages.csv")
    assert [row["stage"] for row in rows] == list(MISDEEDS) and code == 1
    assert {row["stage"]: row["verdict"] for row in rows} == {
        "prints": "ok",
        "hangs": "cut off",
        "fails": "failed",
        "is-killed": "signal 9",
        "faults": "signal 11",
        "prints-bytes": "ok",
        "prints-much": "ok",
        "skips": "skipped",
        "ignores-signals": "cut off",
        "leaves-children": "ok",
        "reports": "findings",
        "last": "ok",
    }
    fails = {row["stage"] for row in rows if row["fails"] == "yes"}
    assert fails == {"hangs", "fails", "is-killed", "faults", "ignores-signals"}
    by_name = {row["stage"]: row for row in rows}
    assert by_name["prints"]["note"] == "all is well" and by_name["skips"]["note"] == "it is not here"
    assert by_name["hangs"]["note"] == "so far so good" and by_name["fails"]["code"] == "3"
    assert all(float(row["seconds"]) < 10 for row in rows)


def test_every_output_is_on_the_disk(misdeeds):
    log = (misdeeds[0] / "log.txt").read_bytes()
    assert bytes(range(256)) * 40 in log and log.count(b"x" * 200) == 20_000
    assert [line for line in log.splitlines() if line.startswith(b"== ")][-1] == b"== last: at most 20 s"
    hangs = log[log.index(b"== hangs") : log.index(b"== fails")]
    assert b"most recent call first" in hangs and b'File "<string>", line 3' in hangs  # where it hung


def test_children_do_not_outlive_their_stage(misdeeds):
    rows = {row["stage"]: row for row in table.read(misdeeds[0] / "stages.csv")}
    assert not is_alive(int(rows["leaves-children"]["note"]))


def test_the_summary_says_what_became_of_stages(misdeeds):
    page = (misdeeds[0] / "summary.md").read_text()
    assert re.search(r"\| hangs +\| \*\*cut off\*\* +\| +\d\.\d of 3\.5 \| so far so good", page)
    assert re.search(r"\| reports +\| findings ", page) and re.search(r"\| memcheck +\| not run", page)
    assert len(page.splitlines()) < 60


def test_a_program_that_is_missing_is_no_more_than_that(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "command_of", lambda stage: ["/no/such/program"])
    assert run.run(STAGES[:2], context.Context(tmp_path, tmp_path, "cpu"), 0) == 1
    rows = table.read(tmp_path / "stages.csv")
    assert [row["verdict"] for row in rows] == ["not started"] * 2 and "no/such" in rows[0]["note"]


def test_a_folder_that_cannot_be_written_does_not_end_the_run(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(run, "command_of", lambda stage: [sys.executable, "-c", MISDEEDS["prints"]])
    monkeypatch.setattr(summary, "page", lambda out: 1 / 0)
    assert run.run(STAGES[:1], context.Context(tmp_path, tmp_path, "cpu"), 0) == 0
    assert "ZeroDivisionError" in capfd.readouterr().out


def test_findings_that_only_inform_do_not_fail_the_check(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "command_of", lambda stage: [sys.executable, "-c", MISDEEDS[stage.name]])
    harmless = [stage for stage in STAGES if stage.name in ("prints", "skips", "reports")]
    assert run.run(tuple(harmless), context.Context(tmp_path, tmp_path, "cpu"), 0) == 0


RUN_SLEEPERS = """
import sys
from fastiou.benchmarks.gpu import context, run, stages
from pathlib import Path
run.command_of = lambda stage: [sys.executable, "-c", {code!r}.replace("NAME", stage.name)]
sleepers = tuple(stages.Stage(name, 60, (name,), "") for name in ("first", "second", "third"))
out = Path(sys.argv[1])
sys.exit(run.run(sleepers, context.Context(out, out, "cpu"), 0))
"""
SLEEPER = "import os, time\nprint('NAME', os.getpid(), flush=True)\ntime.sleep(0 if 'NAME' == 'first' else 60)"


def start_sleepers(out):
    """A run whose second stage sleeps, and that stage's process."""
    command = [sys.executable, "-c", RUN_SLEEPERS.format(code=SLEEPER), str(out)]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT / "tests")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        log = out / "log.txt"
        found = re.search(rb"^second (\d+)\n", log.read_bytes() if log.exists() else b"", re.M)
        if found:
            return started, int(found[1])
        time.sleep(0.05)
    raise AssertionError("the second stage did not start")


def test_a_run_that_is_asked_to_end_says_so(tmp_path):
    started, pid = start_sleepers(tmp_path)
    started.send_signal(signal.SIGHUP)  # the terminal goes away: that is no reason
    time.sleep(0.3)
    started.send_signal(signal.SIGTERM)
    assert started.wait(timeout=20) == 128 + signal.SIGTERM and not is_alive(pid)
    rows = table.read(tmp_path / "stages.csv")
    assert [(row["stage"], row["verdict"]) for row in rows] == [("first", "ok"), ("second", "interrupted")]


def test_a_run_that_is_killed_leaves_what_came_before(tmp_path):
    started, pid = start_sleepers(tmp_path)
    started.kill()
    started.wait(timeout=20)
    os.kill(pid, signal.SIGKILL)
    assert [row["verdict"] for row in table.read(tmp_path / "stages.csv")] == ["ok"]
    assert re.search(r"\| first +\| ok ", (tmp_path / "summary.md").read_text())
    assert b"== second: at most 60 s\nsecond " in (tmp_path / "log.txt").read_bytes()


def test_seconds_that_stages_leave_are_shared_by_those_after_them():
    own = [stages.Stage(str(i), limit, ("",), "") for i, limit in enumerate((100, 30, 10))]
    assert stages.limit_of(tuple(own), 0, 140) == 100
    assert stages.limit_of(tuple(own[1:]), 100, 140) == 30
    assert stages.limit_of(tuple(own[1:]), 20, 140) == 30 * 120 / 40
    assert stages.limit_of(tuple(own[1:]), 115, 140) == 30  # the one before has taken longer than it may
    assert stages.limit_of(tuple(own[2:]), 0, 140) == 4 * 10
    spent = 0.0
    for i in range(len(stages.STAGES)):  # every one hangs
        spent += stages.limit_of(stages.STAGES[i:], spent, stages.TOTAL)
    assert spent == pytest.approx(stages.TOTAL)
    spent = 0.0
    for i in range(len(stages.STAGES)):  # some do
        spent += stages.limit_of(stages.STAGES[i:], spent, stages.TOTAL) * (i % 3 > 0)
    assert spent <= stages.TOTAL


def test_the_check_takes_less_than_eight_minutes():
    assert sum(stage.limit for stage in stages.STAGES) == stages.TOTAL < 480
    assert [s.name for s in stages.find([])] == [s.name for s in stages.STAGES]
    assert [s.name for s in stages.find(["times", "device"])] == ["device", "times"]
    assert run.main(["nonsense"]) == 2


def test_the_documentation_has_the_tables():
    text = (ROOT / "docs" / "gpu.md").read_text()
    for name, made in (("stages", stages.markdown()), ("goals", goals.markdown())):
        assert text.split(f"<!-- {name}:begin -->\n")[1].split(f"<!-- {name}:end -->")[0] == made, made


# --------------------------------------------------------------------------------------------------------------- tables
def test_tables_survive_what_a_run_that_ends_leaves(tmp_path):
    path = tmp_path / "some.csv"
    assert table.read(path) == []
    own = table.Table(path, ["a", "b"])
    own.start()
    assert path.read_text() == "a,b\n"
    own.add(["x, y", None])
    own.add([1, "z"])
    with open(path, "ab") as file:
        file.write(b"\xff\0half of a li")
    assert table.read(path) == [{"a": "x, y", "b": ""}, {"a": "1", "b": "z"}]
    assert table.latest([{"a": "1", "b": "2"}, {"a": "1", "b": "3"}], "a") == {"1": {"a": "1", "b": "3"}}


def row(name, **figures):
    return {"name": name, **{column: str(value) for column, value in figures.items()}}


def test_goals_are_judged_by_the_figure_that_they_are_about():
    (share,) = goals.judge(row("loss ciou none 1.6e7 partials", share=0.91, us=250.0))
    assert share.reached and share.goal.bound == "at least 90.0 %" and share.goal.show(share.value) == "91.0 %"
    assert not goals.judge(row("loss ciou none 1.6e7 partials", share=0.89))[0].reached
    assert goals.judge(row("loss ciou none 1e6 partials", share=0.1)) == []
    assert goals.judge(row("loss ciou none 1.6e7 backward", share=0.1)) == []
    assert (
        goals.judge(row("nms 20000", us=999.0))[0].reached and not goals.judge(row("nms 20000", us=1001.0))[0].reached
    )
    assert goals.judge(row("nms 20000", us="")) == goals.judge(row("nms 20000", us="?")) == []
    assert not goals.judge(row("nms 20000", us="nan"))[0].reached
    assert not goals.judge(row("launches ciou mean 1000 backward", launches=2))[0].reached


def test_the_summary_puts_each_figure_beside_its_goal(tmp_path):
    with open(tmp_path / "times.csv", "w") as file:
        writer = csv.DictWriter(file, ["name", "us", "share", "ratio", "launches"])
        writer.writeheader()
        writer.writerow(row("loss ciou none 1.6e7 forward", share=0.95))
        writer.writerow(row("loss giou none 1.6e7 forward", share=0.85))
        writer.writerow(row("nms 20000", us=400))
        writer.writerow(row("max_iou 200000x500 grid", ratio=1.5))
    (tmp_path / "smoke.csv").write_text(
        "case,verdict,worst,note\nloss iou,ok,0.1,\nnms,FAILED,,not the same bits twice\n"
    )
    (tmp_path / "tests.csv").write_text(
        "test,outcome,seconds,note\na,failed,1,E x\na,passed,1,\nb,crashed,,ended with 9\n"
    )
    page = summary.page(tmp_path)
    assert re.search(r"\| 85.0 % \(loss giou none 1.6e7 forward\) +\| in 1 of 2 +\|", page)
    assert re.search(r"\| 400.0 µs \(nms 20000\) +\| yes +\|", page)
    assert re.search(r"\| 1.50x \(max_iou 200000x500 grid\) +\| \*\*no\*\* +\|", page)
    assert "- max_iou 200000x500 grid: 1.50x, the goal is at most 1.00x" in page
    assert "- smoke nms: not the same bits twice" in page and "- b: ended with 9" in page and "- a:" not in page
    assert "The device is not known" in page


# -------------------------------------------------------------------------------------------------------------- library
def test_a_library_is_taken_only_where_it_fits(tmp_path, monkeypatch):
    (tmp_path / "csrc").mkdir()
    (tmp_path / "setup.py").write_text("1")
    assert build.why_unfit(tmp_path, "9.0") == "no library was carried here"
    done = []
    monkeypatch.setattr(build, "_setup", lambda root, environment, *arguments: done.append(environment) or 0)
    build.library(tmp_path).mkdir(parents=True)
    assert build.build(tmp_path, "8.0;9.0+PTX") == 0 and done[0]["TORCH_CUDA_ARCH_LIST"] == "8.0;9.0+PTX"
    assert build.why_unfit(tmp_path, "9.0") is None and build.why_unfit(tmp_path, "8.0") is None
    assert "this card is 10.0" in build.why_unfit(tmp_path, "10.0")
    (tmp_path / "csrc" / "new.h").write_text("2")
    assert build.why_unfit(tmp_path, "9.0") == "the carried library is of other sources"
    assert build.build(tmp_path, "9.0") == 0
    monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-399")
    assert "is for" in build.why_unfit(tmp_path, "9.0")


def test_a_build_that_fails_leaves_nothing_that_fits(tmp_path, monkeypatch):
    (tmp_path / "csrc").mkdir()
    (tmp_path / "setup.py").write_text("1")
    build.library(tmp_path).mkdir(parents=True)
    monkeypatch.setattr(build, "_setup", lambda *_: 0)
    assert build.build(tmp_path, "9.0") == 0
    monkeypatch.setattr(build, "_setup", lambda *_: 1)
    assert build.build(tmp_path, "9.0") == 1 and build.why_unfit(tmp_path, "9.0") == "no library was carried here"


@native
def test_what_a_library_needs_is_read_from_it():
    from fastiou._ops import kernels

    found = build.needed_versions(Path(kernels.core.__file__))
    assert re.fullmatch(r"GLIBC 2\.\d+(\.\d+)?, GLIBCXX 3\.4(\.\d+)?", found), found
