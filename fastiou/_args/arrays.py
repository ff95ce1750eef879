"""Arguments of ``fastiou.numpy`` as the kernels take them. Nothing here imports torch before it is needed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .._core_module import core
from .._names import FORMATS
from .options import check_eps, check_set_format, check_set_formats, one_of

_READ = frozenset("efdbhilqB")  # dtype characters that kernels read
# What they do not read is copied: into float32 where that holds it, as NumPy promotes it.
_COPIED = {"H": np.dtype(np.float32), "I": np.dtype(np.float64), "L": np.dtype(np.float64), "Q": np.dtype(np.float64)}


_KINDS = {name: i for i, name in enumerate(core.pairwise_kinds())} if core else {}


def kind_index(kind: str) -> int:
    """As kernels take it."""
    if not isinstance(kind, str) or kind not in _KINDS:
        one_of("kind", kind, _KINDS)
    return _KINDS[kind]


def _as_array(name: str, x, what: str) -> np.ndarray:
    try:
        return np.asarray(x)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name}: expected an array of {what}, got {type(x).__name__}: {error}") from None


def _readable(a: np.ndarray) -> np.ndarray:
    """In native byte order and aligned."""
    return a if a.dtype.isnative and a.flags.aligned else a.astype(a.dtype.newbyteorder("="))


def as_boxes(name: str, boxes) -> np.ndarray:
    """Boxes ``(..., N, 4)``; an empty list is no box."""
    a = _as_array(name, boxes, "boxes (..., N, 4)")
    if a.dtype.char in _COPIED:
        a = a.astype(_COPIED[a.dtype.char])
    elif a.dtype.char not in _READ:
        raise TypeError(f"{name}: expected float16, float32, float64 or integer boxes, got {a.dtype}")
    if a.shape == (0,):
        a = a.reshape(0, 4)
    if a.ndim < 2 or a.shape[-1] != 4:
        raise ValueError(f"{name}: expected shape (..., N, 4), got {a.shape}")
    return _readable(a)


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


@dataclass(slots=True)
class NmsCall:
    """Checked detections of an NMS function, as kernels take them."""

    boxes: np.ndarray  # (N, 4)
    scores: np.ndarray  # (N,)
    idxs: np.ndarray | None  # (N,)
    kind: str
    fmt: str

    @property
    def detections(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """What a kernel takes first."""
        return self.boxes[None], self.scores, self.idxs

    def tensors(self):
        """The same for the torch functions."""
        import torch

        columns = [None if c is None else torch.from_numpy(np.array(c, order="C")) for c in (self.scores, self.idxs)]
        return *as_tensors(self.boxes), *columns


def _as_column(name: str, x, what: str, count: int) -> np.ndarray:
    a = _as_array(name, x, f"{what} (N,)")
    if a.shape != (count,):
        raise ValueError(f"{name}: expected shape ({count},), one for every box, got {a.shape}")
    return a


def _as_scores(scores, count: int) -> np.ndarray:
    a = _as_column("scores", scores, "floating-point numbers", count)
    if a.dtype.char not in "efd":
        raise TypeError(f"scores: expected float16, float32 or float64, got {a.dtype}")
    return _readable(a)


def _as_idxs(idxs, count: int) -> np.ndarray:
    a = _as_column("idxs", idxs, "integers", count)
    if count == 0:  # an empty list is float64
        return np.empty(0, np.int64)
    if a.dtype.kind not in "iu":
        raise TypeError(f"idxs: expected integers, got {a.dtype}")
    return _readable(a) if a.dtype.char in _READ else a.astype(np.int64)


def check_detections(boxes, scores, idxs, kind: str, fmt) -> NmsCall:
    """Checks what all NMS functions have in common."""
    boxes = as_boxes("boxes", boxes)
    if boxes.ndim != 2:
        raise ValueError(f"boxes: expected shape (N, 4), got {boxes.shape}")
    scores = _as_scores(scores, len(boxes))
    idxs = None if idxs is None else _as_idxs(idxs, len(boxes))
    check_set_format(fmt)
    return NmsCall(boxes, scores, idxs, kind, fmt)
