"""Finds and loads the compiled parts, says what is active and why not where something is not.

Loading registers everything that torch has to know about the operators, once, at import time: schemas and kernels (in
the libraries), and here fake kernels for tracing, batching rules for vmap, and the autocast rule.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor

from . import reference

# The operators take options as numbers: enums of csrc/.
FORMATS = {name: i for i, name in enumerate(reference.FORMATS)}
REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}
#: MMDetection divides by avg_factor + this, whatever the dtype.
AVG_FACTOR_EPS = torch.finfo(torch.float32).eps

#: Device types that have kernels here: a subset of {"cpu", "cuda"}.
devices: set[str] = set()
#: Why a device type has none, by type.
reasons: dict[str, str] = {}
#: The pybind11 module: registry and build facts. None in a pure-Python install.
core: ModuleType | None = None
#: The operators; None without compiled kernels.
pair_loss = scale_rows = None


def _load(device: str) -> None:
    """Loads the library for a device type; ``devices`` or ``reasons`` tells how it went."""
    path = next(Path(__file__).parent.glob(f"libfastiou_{device}*.so"), None)
    if path is None:
        reasons[device] = "this installation was built without it"
        return
    try:
        torch.ops.load_library(str(path))
        devices.add(device)
    except OSError as error:
        reasons[device] = f"{path.name} does not load: {error.__cause__ or error}"


def _start() -> None:
    global core
    if os.environ.get("FASTIOU_NATIVE") == "0":
        reasons.update(dict.fromkeys(("cpu", "cuda"), "switched off by FASTIOU_NATIVE=0"))
        return
    try:
        from . import _core
    except ImportError as error:
        missing = isinstance(error, ModuleNotFoundError) or "cannot import name" in str(error)
        why = "this installation was built without compiled parts" if missing else str(error)
        reasons.update(dict.fromkeys(("cpu", "cuda"), why))
        return
    core = _core
    _load("cpu")
    if "cpu" not in devices:
        reasons["cuda"] = "it needs the CPU library, which holds the operators' schemas"
    elif torch.version.cuda is None:
        reasons["cuda"] = "this torch is a CPU build"
    else:
        _load("cuda")
    if "cpu" in devices:
        _register()


_warned: set[str] = set()


def warn_fallback(device: str) -> None:
    """Says once per device type that boxes there take the plain-PyTorch path."""
    if device not in _warned:
        _warned.add(device)
        why = reasons.get(device, "fastiou has kernels for cpu and cuda only")
        warnings.warn(
            f"fastiou: no compiled kernels for {device} ({why}); plain PyTorch computes the same numbers, slower. "
            "`fastiou info` tells more.",
            RuntimeWarning,
            stacklevel=4,
        )


def _dense_like(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The memory order of empty_dense_like() in csrc/ops/operands.h."""
    dense = torch.empty_like(x, dtype=dtype)
    return dense if dense.stride() == x.stride() else torch.empty(x.shape, dtype=dtype, device=x.device)


def _fake_pair_loss(pred, target, points, weight, avg_factor, kind, pred_format, target_format, reduction, divisor,
                    eps_area, eps_ratio, grad_pred, grad_target):  # fmt: skip
    dtype = torch.float64 if torch.float64 in (pred.dtype, target.dtype) else torch.float32
    none = pred.new_empty(0, dtype=dtype)
    return (
        pred.new_empty(pred.shape[:-1] if reduction == 0 else (), dtype=dtype),
        _dense_like(pred, dtype) if grad_pred else none,
        _dense_like(target, dtype) if grad_target else none.clone(),
    )


def _fake_scale_rows(partials, grad, dtype, link=None):
    return _dense_like(partials, dtype)


def _batch_first(info, dims, tensors):
    """Batch dimension to the front of every tensor, expanded where a tensor has none."""
    return [
        x if x is None else (x.expand(info.batch_size, *x.shape) if d is None else x.movedim(d, 0))
        for x, d in zip(tensors, dims, strict=True)
    ]


def _vmap_pair_loss(info, in_dims, pred, target, points, weight, avg_factor, kind, pred_format, target_format,
                    reduction, divisor, eps_area, eps_ratio, grad_pred, grad_target):  # fmt: skip
    rows = _batch_first(info, in_dims[:4], (pred, target, points, weight))
    loss, *partials = pair_loss(
        *rows,
        None,
        kind,
        pred_format,
        target_format,
        REDUCTIONS["none"],
        None,
        eps_area,
        eps_ratio,
        grad_pred,
        grad_target,
    )
    wanted = (grad_pred, grad_target)
    if reduction != REDUCTIONS["none"]:  # one sum per sample
        count = max(loss.shape[1:].numel(), 1) if reduction == REDUCTIONS["mean"] else 1
        loss = loss.flatten(1).sum(1) if loss.dim() > 1 else loss
        if divisor is not None:
            count = divisor + AVG_FACTOR_EPS
        elif avg_factor is not None:
            (count,) = _batch_first(info, in_dims[4:5], (avg_factor,))
            count = count.to(loss.dtype) + AVG_FACTOR_EPS
        loss = loss / count
        by_sample = count if isinstance(count, Tensor) else pred.new_full((), count, dtype=loss.dtype)
        partials = [
            p / by_sample.reshape(-1, *[1] * (p.dim() - 1)) if w else p for p, w in zip(partials, wanted, strict=True)
        ]
    return (loss, *partials), (0, *[0 if w else None for w in wanted])


def _vmap_scale_rows(info, in_dims, partials, grad, dtype, link=None):
    partials, grad = _batch_first(info, in_dims[:2], (partials, grad))
    grad = grad.reshape(*grad.shape, *[1] * (partials.dim() - 1 - grad.dim()))  # one number per sample
    return scale_rows(partials, grad.expand(partials.shape[:-1]), dtype), 0


_libraries = []  # keeps the registrations below alive


def _register() -> None:
    global pair_loss, scale_rows
    pair_loss, scale_rows = torch.ops.fastiou.pair_loss.default, torch.ops.fastiou.scale_rows.default
    torch.library.register_fake("fastiou::pair_loss", _fake_pair_loss)
    torch.library.register_fake("fastiou::scale_rows", _fake_scale_rows)
    torch.library.register_vmap("fastiou::pair_loss", _vmap_pair_loss)
    torch.library.register_vmap("fastiou::scale_rows", _vmap_scale_rows)
    # Under autocast nothing is cast: the kernels read half precision in place and compute in float32.
    library = torch.library.Library("fastiou", "IMPL")
    for key in ("AutocastCPU", "AutocastCUDA"):
        library.impl("pair_loss", torch.library.fallthrough_kernel, key)
        library.impl("scale_rows", torch.library.fallthrough_kernel, key)
    _libraries.append(library)


_start()

#: Index by kind, as the operators take it: from the C++ registry, or from the reference where nothing is compiled.
kinds: dict[str, int] = {name: i for i, name in enumerate(core.kinds() if core else reference.LOSSES)}
