"""What a stage is told by the run that it belongs to, through its environment: where, on what, how long."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple, NoReturn

_PREFIX = "FASTIOU_GPU_CHECK_"


class Context(NamedTuple):
    """A run, as one of its stages sees it.

    Attributes:
        root: the checkout.
        out: the folder of the results.
        device: "cuda", or "cpu" to try out the stages.
        tiny: whether sizes are cut so far that times mean nothing.
        again: whether only chosen stages run: what a cut-off run has done counts.
        deadline: when this stage is killed, in seconds of time.time().
    """

    root: Path
    out: Path
    device: str = "cuda"
    tiny: bool = False
    again: bool = False
    deadline: float = float("inf")

    def environment(self) -> dict[str, str]:
        """The variables that tell a stage all this."""
        return {_PREFIX + name.upper(): str(value) for name, value in self._asdict().items()}

    def left(self, margin: float = 3.0) -> float:
        """Seconds that a stage may still use if it wants to end by itself, ``margin`` seconds before the limit."""
        return self.deadline - margin - time.time()


def read() -> Context:
    """The context of this process; by hand, without a run, it is the current folder and no limit."""
    given = {name: os.environ.get(_PREFIX + name.upper()) for name in Context._fields}
    return Context(
        Path(given["root"] or "."),
        Path(given["out"] or "."),
        given["device"] or "cuda",
        given["tiny"] == "True",
        given["again"] == "True",
        float(given["deadline"] or "inf"),
    )


def why_not(device: str) -> str | None:
    """The reason why this process cannot run kernels on a device, or None if it can."""
    import fastiou

    if fastiou.backend(device) != "native":
        return f"fastiou has no kernels for {device} here"
    return "the GPU cannot be used" if is_lost(device) else None


def is_lost(device: str) -> bool:
    """Whether the GPU has faulted, so that no call works any more in this process, or is not there at all."""
    if device != "cuda":
        return False
    import torch

    try:
        torch.cuda.synchronize()
    except Exception:
        return True
    return False


def start_over(module: str, *arguments: str) -> NoReturn:
    """Becomes a fresh process of a module of this folder.

    After a fault on the GPU, no call of this process works any more: what is left to do needs a new one.
    """
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", f"{__package__}.{module}", *arguments])
