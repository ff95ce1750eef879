"""The stages of the GPU check, in their order: what runs, for how long at most, and whether it can fail the check."""

from __future__ import annotations

from typing import NamedTuple

from ..formatting import markdown_table

#: The exit code by which a stage says that it cannot run here; its last line says why.
SKIPPED = 77


class Stage(NamedTuple):
    """A module of this folder, run in a process of its own.

    Attributes:
        name: what the results call it.
        limit: seconds that it gets in any case. What the stages before it have left is shared out on top of them, and
            then it is killed, with all processes that it has started.
        module: the module, and its arguments.
        about: what it does, for the documentation.
        built: whether it runs what the stage "library" has built; else it needs the sources alone.
        informs: whether its findings are reported only, and do not fail the check.
    """

    name: str
    limit: float
    module: tuple[str, ...]
    about: str
    built: bool = True
    informs: bool = False


STAGES = (
    Stage("device", 25, ("device",), "names the card, its clocks, the driver, torch and Python", built=False),
    Stage("library", 190, ("library",), "takes the carried library if it fits, else builds one", built=False),
    Stage("smoke", 30, ("smoke",), "runs every operator on the GPU and on the CPU, and compares"),
    Stage("times", 75, ("times",), "measures the card's ceilings, then fastiou, then its peers"),
    Stage("tests", 40, ("pytests", "most"), "runs the tests that need a GPU, in several processes"),
    Stage("large", 15, ("pytests", "large"), "runs the tests that need up to 40 GB, one after the other"),
    Stage("memcheck", 30, ("sanitizer", "memcheck"), "looks for accesses out of bounds"),
    Stage("racecheck", 18, ("sanitizer", "racecheck"), "looks for races in shared memory", informs=True),
    Stage("synccheck", 18, ("sanitizer", "synccheck"), "looks for barriers that not all threads reach", informs=True),
    Stage("initcheck", 18, ("sanitizer", "initcheck"), "looks for reads of what nobody wrote", informs=True),
    Stage("counters", 16, ("counters",), "counts instructions and bytes of the main kernels by ncu", informs=True),
)  # fmt: skip
#: Seconds that all of them take at most.
TOTAL = sum(stage.limit for stage in STAGES)
_MOST = 4  # times its own limit: what a stage may get of seconds that others have left


def limit_of(stages: tuple[Stage, ...], spent: float, total: float) -> float:
    """Seconds that the first of the stages that are left gets, after so many are spent.

    All that is left is shared out in proportion to the limits, but nobody gets many times his own.
    """
    own = stages[0].limit
    return min(max(own, own * (total - spent) / sum(stage.limit for stage in stages)), _MOST * own)


def find(names: list[str]) -> tuple[Stage, ...]:
    """The stages of these names, in the order of the check; all of them if none is named.

    Raises:
        ValueError: there is no stage of a name.
    """
    known = [stage.name for stage in STAGES]
    for name in names:
        if name not in known:
            raise ValueError(f"there is no stage {name!r}: the stages are {', '.join(known)}")
    return tuple(stage for stage in STAGES if not names or stage.name in names)


def markdown() -> str:
    """The stages as the table of docs/gpu.md."""
    lines = [[s.name, f"{s.limit:g}", s.about, _consequence(s)] for s in STAGES]
    lines.append(["all", f"{TOTAL:g}", "", ""])
    return markdown_table(["Stage", "Limit in s", "What it does", "A finding"], lines)


def _consequence(stage: Stage) -> str:
    return "is reported" if stage.informs else "fails the check"
