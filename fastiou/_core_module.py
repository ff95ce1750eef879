"""The pybind11 module, or why there is none. Nothing here needs torch."""

from __future__ import annotations

import os
from types import ModuleType


def _load() -> tuple[ModuleType | None, str]:
    if os.environ.get("FASTIOU_NATIVE") == "0":
        return None, "switched off by FASTIOU_NATIVE=0"
    try:
        from . import _core
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) or "cannot import name" in str(error)
        return None, "this installation was built without compiled parts" if missing else str(error)
    return _core, ""


#: Registry, build facts and NumPy kernels; None in a pure-Python install, and then ``reason`` says why.
core, reason = _load()
