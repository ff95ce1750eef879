"""Arguments of ``fastiou.numpy`` as the kernels take them. Nothing here imports torch before it is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ._core_module import FORMATS, core
from ._options import check_eps, check_set_formats, one_of

_READ = frozenset("efdbhilqB")  # dtype characters that kernels read
# What they do not read is copied: into float32 where that holds it, as NumPy promotes it.
_COPIED = {"H": np.dtype(np.float32), "I": np.dtype(np.float64), "L": np.dtype(np.float64), "Q": np.dtype(np.float64)}


_KINDS = {name: i for i, name in enumerate(core.pairwise_kinds())} if core else {}


def kind_index(kind: str) -> int:
    """As kernels take it."""
    if not isinstance(kind, str) or kind not in _KINDS:
        one_of("kind", kind, _KINDS)
    return _KINDS[kind]


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


@dataclass(slots=True)
class SetsCall:
    """Checked arguments of a function on two sets, as kernels take them."""

    boxes1: np.ndarray  # (batch, N, 4)
    boxes2: np.ndarray  # (batch, M, 4)
    batch: tuple[int, ...]  # as the caller sees it
    kind: str
    formats: tuple[str, str]
    eps: float
    threads: int

    @property
    def options(self) -> tuple[int, int, int, float, int]:
        """What a kernel takes after the boxes."""
        return kind_index(self.kind), *map(FORMATS.index, self.formats), self.eps, self.threads

    def fallback(self, function):
        """The torch function of the same meaning."""
        return function(*as_tensors(self.boxes1, self.boxes2), self.kind, fmt=self.formats, eps=self.eps)

    def unflatten(self, x: np.ndarray) -> np.ndarray:
        """A result with the caller's batch dimensions."""
        return x.reshape(*self.batch, *x.shape[1:])


def check_sets(names: tuple[str, str], boxes1, boxes2, kind: str, fmt, eps: float, threads: int | None) -> SetsCall:
    """Checks two sets ``(..., N, 4)`` and ``(..., M, 4)`` and broadcasts their batch dimensions."""
    b1, b2 = as_boxes(names[0], boxes1), as_boxes(names[1], boxes2)
    formats = check_set_formats(fmt, names)
    check_eps(eps)
    threads = thread_count(threads)
    if b1.ndim == b2.ndim == 2:
        return SetsCall(b1[None], b2[None], (), kind, formats, eps, threads)
    try:
        batch = np.broadcast_shapes(b1.shape[:-2], b2.shape[:-2])
    except ValueError:
        shapes = f"{b1.shape[:-2]} and {b2.shape[:-2]}"
        raise ValueError(f"{names[0]}, {names[1]}: expected leading shapes that broadcast, got {shapes}") from None
    b1, b2 = (np.broadcast_to(b, (*batch, *b.shape[-2:])).reshape(math.prod(batch), *b.shape[-2:]) for b in (b1, b2))
    return SetsCall(b1, b2, batch, kind, formats, eps, threads)
