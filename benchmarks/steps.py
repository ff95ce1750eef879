"""What is timed: the steps that every provider takes on a case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

MODES = ("forward", "backward", "full")
DTYPES = {name: getattr(torch, name) for name in ("float32", "float16", "bfloat16", "float64")}


class Steps(NamedTuple):
    """A forward pass, and a backward pass that takes what the forward one returned. Nothing is kept between calls."""

    forward: Callable[[], Any]
    backward: Callable[[Any], Any]

    def full(self) -> Any:
        """Both passes."""
        return self.backward(self.forward())

    def call(self, mode: str) -> Callable[[], Any]:
        """One call of the mode ``"forward"`` or ``"full"``."""
        return self.forward if mode == "forward" else self.full
