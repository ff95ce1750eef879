"""Finds and loads the compiled parts, says what is active and why not where something is not.

Loading registers everything that torch has to know about the operators, once, at import time: schemas and kernels (in
the libraries), and here the fake kernels (for tracing) and batching rules (for vmap) of the
families, a file each, and the autocast rule. The operators of ``fallback`` are there without libraries, too, and on
every device.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import torch

from .. import _core_module, _names, reference
from .._core_module import core
from . import fallback, losses, matching, nms, pairwise, pixels, rotated
from .rows import AVG_FACTOR_EPS, REDUCTIONS

__all__ = ["AVG_FACTOR_EPS", "FORMATS", "REDUCTIONS", "core", "devices", "kinds", "operator", "pairwise_kinds"]

# The operators take options as numbers: enums of csrc/.
FORMATS = {name: i for i, name in enumerate(_names.FORMATS)}

_PACKAGE = __package__.partition(".")[0]

#: Device types that have kernels here: a subset of {"cpu", "cuda"}.
devices: set[str] = set()
#: Why a device type has none, by type.
reasons: dict[str, str] = {}


def _load(device: str) -> None:
    """Loads the library for a device type; ``devices`` or ``reasons`` tells how it went."""
    path = next(Path(__file__).parents[1].glob(f"libfastiou_{device}*.so"), None)
    if path is None:
        reasons[device] = "this installation was built without it"
        return
    try:
        torch.ops.load_library(str(path))
        devices.add(device)
    except OSError as error:
        reasons[device] = f"{path.name} does not load: {error.__cause__ or error}"


def _start() -> None:
    if core is None:
        reasons.update(dict.fromkeys(("cpu", "cuda"), _core_module.reason))
        return
    _load("cpu")
    if "cpu" not in devices:
        reasons["cuda"] = "it needs the CPU library, which holds the operators' schemas"
    elif torch.version.cuda is None:
        reasons["cuda"] = "this torch is a CPU build"
    else:
        _load("cuda")


_warned: set[str] = set()


def _callers_level() -> int:
    """The ``stacklevel``, for the function that asks, of the first frame outside of this package."""
    ours = {_PACKAGE, *(f"{_PACKAGE}.{part}" for part in ("_args", "_ops", "reference", "conventions"))}
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") in ours:
        level, frame = level + 1, frame.f_back
    return level


def warn_fallback(device: str) -> None:
    """Says once per device type that boxes there take the plain-PyTorch path."""
    if device not in _warned:
        _warned.add(device)
        why = reasons.get(device, "fastiou has kernels for cpu and cuda only")
        warnings.warn(
            f"fastiou: no compiled kernels for {device} ({why}); plain PyTorch computes the same numbers, slower. "
            "`fastiou info` tells more.",
            RuntimeWarning,
            stacklevel=_callers_level(),
        )


_FAMILIES = losses, pairwise, matching, nms, rotated, pixels
_RULES = {name: rules for family in _FAMILIES for name, rules in family.RULES.items()}
_libraries = []  # keeps the registrations below alive


def _register() -> None:
    library = torch.library.Library("fastiou", "FRAGMENT")
    for name, (schema, kernel) in fallback.OPERATORS.items():
        if not hasattr(torch.ops.fastiou, name):
            library.define(schema)
        library.impl(name, kernel, "CompositeExplicitAutograd")  # what devices have that have nothing of their own
    for name, (fake, batching) in _RULES.items():
        if not hasattr(torch.ops.fastiou, name):
            continue
        torch.library.register_fake(f"fastiou::{name}", fake)
        torch.library.register_vmap(f"fastiou::{name}", batching)
        # Under autocast nothing is cast: the kernels read half precision in place and compute in float32.
        passed = ["AutocastCPU", "AutocastCUDA"]
        if name in {*losses.RULES, *rotated.RULES}:
            passed.append("Autograd")  # derivatives are taken in autograd.py: nothing is to be found out in every call
        for key in passed:
            library.impl(name, torch.library.fallthrough_kernel, key)
    _libraries.append(library)


_start()
_register()


def operator(name: str):
    """The operator of that name; None if it is only compiled, and not here."""
    return getattr(torch.ops.fastiou, name).default if hasattr(torch.ops.fastiou, name) else None


#: Index by kind, as the operators take it: from the C++ registry, or from the reference where nothing is compiled.
kinds: dict[str, int] = {name: i for i, name in enumerate(core.kinds() if core else reference.KINDS)}
#: The same with the kinds that are scores alone.
pairwise_kinds: dict[str, int] = {
    name: i for i, name in enumerate(core.pairwise_kinds() if core else reference.PAIRWISE_KINDS)
}
