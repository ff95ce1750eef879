"""Runs the stages of the GPU check, one after the other, whatever becomes of any of them.

    python -m benchmarks.gpu.run [--out FOLDER] [--device cpu] [STAGE ...]

A stage is a process of its own. Its output goes straight to log.txt in the folder, and what became of it is a line of
stages.csv: a run that is cut off leaves all that came before. This module needs neither torch nor fastiou.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from . import outcome, process, summary
from .context import Context
from .outcome import Outcome
from .stages import TOTAL, Stage, find, limit_of

ROOT = Path(__file__).resolve().parents[2]
LOG = "log.txt"
PATIENCE = 5  # times the limits of a GPU are those of a rehearsal, whose machine may be slow and busy


def main(argv: list[str] | None = None) -> int:
    """Runs the stages; 0 if none failed, 1 if one did, and 128 plus the signal that ended the run."""
    arguments = _parser().parse_args(argv)
    try:
        stages = find(arguments.stages)
    except ValueError as error:
        print(f"make gpu: {error}", file=sys.stderr)
        return 2
    out = arguments.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    device = arguments.device
    context = Context(root=ROOT, out=out, device=device, tiny=device == "cpu", again=bool(arguments.stages))
    if not context.again:
        for name in (LOG, *summary.FILES):
            (out / name).unlink(missing_ok=True)
    code = run(stages, context)
    with suppress(OSError):
        _say(f"\n{(out / summary.FILE).read_text()}")
    _say(f"make gpu: the results are in {out}")
    return code


def run(stages: tuple[Stage, ...], context: Context, total: float = TOTAL) -> int:
    """Runs these stages, in so many seconds, or in the sum of their limits if that is more: see `main`."""
    start, fails = time.monotonic(), False
    with process.signals() as caught:
        for i, stage in enumerate(stages):
            limit = limit_of(stages[i:], time.monotonic() - start, total)
            one = _attempt(stage, limit * (PATIENCE if context.tiny else 1), context, caught)
            _record(one, context.out)
            if caught:
                return 128 + caught[0]
            fails |= one.fails
    return int(fails)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make gpu", description="The GPU check in stages: docs/gpu.md.")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="these alone; results of others stay (default: all)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results" / "gpu", help="for the results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda",
                        help="cpu: a rehearsal, in small, with the fastiou that is installed")  # fmt: skip
    return parser


def _attempt(stage: Stage, limit: float, context: Context, caught: list[int]) -> Outcome:
    """What becomes of a stage; an error of this module is one of the things that can."""
    try:
        log = context.out / LOG
        with open(log, "ab") as file:
            file.write(f"\n== {stage.name}: at most {limit:.0f} s\n".encode())
        folder = context.root / "build" / "gpu" / "run" if stage.built else context.root  # the first holds no fastiou
        folder.mkdir(parents=True, exist_ok=True)
        _say(f"\n== {stage.name}")
        ended = process.run(command_of(stage), limit, log, folder, _environment(context, limit), caught)
        return Outcome.of(stage, ended, limit, bool(caught))
    except Exception as error:
        _say(traceback.format_exc())
        note = f"{type(error).__name__}: {error}"
        return Outcome(stage.name, "not started", -1, 0.0, limit, note, not stage.informs)


def command_of(stage: Stage) -> list[str]:
    """The command of a stage: a module of the library, or of the sources if it runs before there is one."""
    module, *arguments = stage.module
    return [sys.executable, "-m", f"{'fastiou.' if stage.built else ''}benchmarks.gpu.{module}", *arguments]


def _environment(context: Context, limit: float) -> dict[str, str]:
    """That of a stage: `fastiou` is what was built for the card, or else what is installed."""
    context = context._replace(deadline=time.time() + limit - process.GRACE)
    paths = [str(context.root / "build" / "gpu" / "lib")] if context.device == "cuda" else []
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    own = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
    return {**os.environ, **own, **context.environment()}


def _record(one: Outcome, out: Path) -> None:
    """Writes the line of a stage and the summary so far; a full disk does not end the run."""
    _say(f"[{one.stage}: {one.verdict}, {one.seconds:.0f} s]")
    try:
        outcome.table_in(out).add(one.row())
        summary.write(out)
    except Exception:
        _say(traceback.format_exc())


def _say(text: str) -> None:
    """Prints, unless nobody listens any more."""
    with suppress(OSError, ValueError):
        print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
