"""The axes that tests run along, written once: kinds, devices, dtypes, shapes, layouts, formats, boxes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import fastiou

KINDS = fastiou.kinds()
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")),
]
FORMATS = fastiou.formats()

#: Largest error of a loss, and of a gradient relative to the largest partial of its row, against the float64 oracle.
#: Half precision is computed in float32; its gradients are rounded to half precision at the end.
TOLERANCE = {
    torch.float64: (1e-13, 1e-11),
    torch.float32: (1e-6, 2e-5),
    torch.float16: (1e-6, 1e-3),
    torch.bfloat16: (1e-6, 8e-3),
}
DTYPES = list(TOLERANCE)

#: Leading shapes: nothing, one, odd, more than one CPU task; one with an empty and one with many dimensions.
SHAPES = [(), (0,), (1,), (33,), (4097,), (3, 0, 2), (2, 3, 1, 5)]


def random_boxes(*leading: int, seed: int = 0, dtype=torch.float32, device="cpu") -> tuple[Tensor, Tensor]:
    """Pairs of boxes in pixels, most of which overlap; some share edges or are identical.

    Coordinates are multiples of 1/64: every format holds them exactly, so edges that are shared stay shared.
    """
    g = torch.Generator().manual_seed(seed)
    corner = torch.rand(*leading, 2, generator=g, dtype=torch.float64) * 80
    size = torch.rand(*leading, 2, generator=g, dtype=torch.float64) * 60 + 1
    target = torch.cat([corner, corner + size], -1)
    shift = torch.randn(*leading, 4, generator=g, dtype=torch.float64) * size.repeat_interleave(2, -1) * 0.15
    snap = torch.rand(*leading, 1, generator=g) < 0.1
    pred = torch.where(snap, target + (shift > 0) * 4.0, target + shift)
    pred, target = ((x * 64).round() / 64 for x in (pred, target))
    return pred.to(device, dtype), target.to(device, dtype)


def encode(boxes: Tensor, fmt: str, points: Tensor | None = None) -> Tensor:
    """Corners -> the four numbers of ``fmt``."""
    a, b = boxes[..., :2], boxes[..., 2:]
    if fmt == "xywh":
        a, b = a, b - a
    elif fmt == "cxcywh":
        a, b = (a + b) / 2, b - a
    elif fmt == "ltrb":
        a, b = points - a, b - points
    return torch.cat([a, b], -1)


def _permuted(x: Tensor) -> Tensor:
    """The layout of a detection head, (B, 4, ...), seen as (B, ..., 4)."""
    return x.movedim(-1, min(1, x.dim() - 1)).contiguous().movedim(min(1, x.dim() - 1), -1)


def _strided(x: Tensor) -> Tensor:
    """Every other element of a larger tensor, at an odd offset: no row is aligned."""
    big = x.new_full((*x.shape[:-1], 2 * x.shape[-1] + 1), float("nan"))
    big[..., 1::2] = x
    return big[..., 1::2]


def _reversed_dims(x: Tensor) -> Tensor:
    order = [*range(x.dim() - 2, -1, -1), x.dim() - 1] if x.dim() > 1 else [0]
    return x.permute(order).contiguous().permute(order)


LAYOUTS = {
    "contiguous": Tensor.contiguous,
    "permuted": _permuted,
    "strided": _strided,
    "reversed": _reversed_dims,
}

#: Boxes that break formulas, named. Corners, any of them against any other.
EDGE_BOXES = {
    "unit": (0, 0, 1, 1),
    "pixels": (10, 20, 110, 70),
    "shifted": (10.5, 20, 110.5, 70),
    "touching": (110, 20, 210, 70),
    "corner": (110, 70, 120, 90),
    "inside": (40, 30, 60, 50),
    "far": (1000, 1000, 1100, 1100),
    "point": (40, 40, 40, 40),
    "origin": (0, 0, 0, 0),
    "flat": (10, 20, 110, 20),
    "thin": (10, 20, 10, 70),
    "inverted_x": (110, 20, 10, 70),
    "inverted_y": (10, 70, 110, 20),
    "inverted": (110, 70, 10, 20),
    "needle": (0, 0, 1e-6, 1e4),
    "negative": (-50, -40, -10, -20),
    "huge": (-1e30, -1e30, 1e30, 1e30),
    "huge_shifted": (0, 0, 1e30, 1.5e30),
    "largest": (-3.4e38, -3.4e38, 3.4e38, 3.4e38),
    "tiny": (0, 0, 1e-30, 1e-30),
    "tiny_shifted": (5e-31, 0, 2e-30, 1e-30),
    "denormal": (0, 0, 1e-42, 1e-42),
    "wide_flat": (0, 0, 1e30, 1e-30),
}


def edge_pairs(dtype=torch.float32, device="cpu") -> tuple[Tensor, Tensor]:
    """Every edge box against every other, as far as the dtype holds their coordinates."""
    boxes = torch.tensor(list(EDGE_BOXES.values()), dtype=torch.float64)
    boxes = boxes[boxes.abs().amax(-1) <= torch.finfo(dtype).max].to(device, dtype)
    n = len(boxes)
    return boxes.repeat_interleave(n, 0), boxes.repeat(n, 1)


def loss_and_grads(function, pred: Tensor, target: Tensor, *args, grad: Tensor | None = None, **kwargs):
    """Loss and the gradients of its sum (or of ``loss * grad``) with respect to both boxes."""
    pred, target = pred.detach().requires_grad_(), target.detach().requires_grad_()
    loss = function(pred, target, *args, **kwargs)
    return (loss.detach(), *torch.autograd.grad(loss, (pred, target), torch.ones_like(loss) if grad is None else grad))


def oracle(pred: Tensor, target: Tensor, kind: str, eps: float = 1e-7, **kwargs):
    """Loss and gradients by the plain-PyTorch formulas in float64, for the very numbers of the inputs."""
    return loss_and_grads(fastiou.reference.row_loss, pred.double(), target.double(), kind, eps, **kwargs)


def assert_grad_close(actual: Tensor, expected: Tensor, tolerance: float) -> None:
    """Largest error relative to the largest partial of the row.

    Boxes here are 1 to 100 pixels: a partial is about 0.01 per pixel, and below 0.001 it is what rounding has left of
    terms that cancel (identical boxes), so errors are relative to that at least.
    """
    assert actual.shape == expected.shape
    scale = expected.abs().amax(-1, keepdim=True).clamp(min=1e-3)
    error = ((actual.double() - expected) / scale).abs()
    assert not error.numel() or error.max() <= tolerance, f"gradient error {error.max():.2e} > {tolerance:.0e}"
