"""fastiou: fused IoU losses, pairwise IoU, matching and NMS for object detection, on CPU and CUDA.

``fastiou.numpy`` does without torch. So that importing it does not import torch, the public names are loaded when torch
is there already, or else when the first of them is asked for. ``__init__.pyi`` lists them, for type checkers and for
this file.
"""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path

__version__ = "0.1.0"


def _read_table() -> dict[str, str]:
    """The module of every public name, relative to this package; that of a module is the package."""
    lines = ast.parse(Path(__file__).with_name("__init__.pyi").read_text()).body
    imports = [line for line in lines if isinstance(line, ast.ImportFrom)]
    return {name.name: line.module or "" for line in imports for name in line.names}


_HOME = _read_table()
__all__ = sorted(_HOME)


def _load_all() -> None:
    for name, module in _HOME.items():
        globals()[name] = getattr(_load(module), name) if module else _load(name)


def _load(module: str):
    return import_module(f".{module}", __name__)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if not _HOME[name]:  # modules of this package ask for it while they load: what else there is has to wait
        return _load(name)
    _load_all()
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if "torch" in sys.modules:
    _load_all()
