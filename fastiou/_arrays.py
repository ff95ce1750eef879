"""NumPy arrays as the kernels and the torch functions take them. Nothing here imports torch before it is needed."""

from __future__ import annotations

import math

import numpy as np

_READ = frozenset("efdbhilqB")  # dtype characters that kernels read
# What they do not read is copied: into float32 where that holds it, as NumPy promotes it.
_COPIED = {"H": np.dtype(np.float32), "I": np.dtype(np.float64), "L": np.dtype(np.float64), "Q": np.dtype(np.float64)}


def as_array(name: str, x, what: str) -> np.ndarray:
    """Whatever NumPy takes for an array of numbers, in a dtype, byte order and alignment that kernels read."""
    try:
        a = np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name}: expected an array of {what}, got {type(x).__name__}: {error}") from None
    if a.dtype.char in _READ:
        if a.dtype.isnative and a.flags.aligned:
            return a
        return a.astype(a.dtype.newbyteorder("="))
    if a.dtype.char in _COPIED:
        return a.astype(_COPIED[a.dtype.char])
    raise TypeError(f"{name}: expected float16, float32, float64 or integer {what}, got {a.dtype}")


def as_boxes(name: str, boxes) -> np.ndarray:
    """Boxes ``(..., N, 4)``; an empty list is no box."""
    a = as_array(name, boxes, "boxes (..., N, 4)")
    if a.shape == (0,):
        a = a.reshape(0, 4)
    if a.ndim < 2 or a.shape[-1] != 4:
        raise ValueError(f"{name}: expected shape (..., N, 4), got {a.shape}")
    return a


def as_sets(names: tuple[str, str], boxes1, boxes2) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]]:
    """Two sets as ``(batch, N, 4)`` and ``(batch, M, 4)``, and the batch as the caller sees it."""
    b1, b2 = as_boxes(names[0], boxes1), as_boxes(names[1], boxes2)
    if b1.ndim == b2.ndim == 2:
        return b1[None], b2[None], ()
    try:
        batch = np.broadcast_shapes(b1.shape[:-2], b2.shape[:-2])
    except ValueError:
        shapes = f"{b1.shape[:-2]} and {b2.shape[:-2]}"
        raise ValueError(f"{names[0]}, {names[1]}: expected leading shapes that broadcast, got {shapes}") from None
    b1, b2 = (np.broadcast_to(b, (*batch, *b.shape[-2:])).reshape(math.prod(batch), *b.shape[-2:]) for b in (b1, b2))
    return b1, b2, batch


def thread_count(threads) -> int:
    """As kernels take it: 0 stands for all usable cores."""
    if threads is None:
        return 0
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise ValueError(f"threads: expected None or an integer >= 1, got {threads!r}")
    return int(threads)


def score_dtype(*boxes: np.ndarray) -> np.dtype:
    """float32 if NumPy promotes the boxes and float32 to that, else float64: the dtype that kernels compute in."""
    return np.dtype(np.float32 if np.result_type(*boxes, np.float32) == np.float32 else np.float64)


def as_tensors(*boxes: np.ndarray):
    """Copies as torch tensors in the dtype of their scores."""
    import torch

    dtype = score_dtype(*boxes)
    return [torch.from_numpy(np.array(b, dtype, order="C")) for b in boxes]
