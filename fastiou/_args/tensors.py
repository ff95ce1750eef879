"""Checks of tensors: every message names the argument, what was expected and what arrived."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd import forward_ad

FLOATS = {torch.float16, torch.bfloat16, torch.float32, torch.float64}


def is_forward_mode() -> bool:
    """Whether torch carries tangents along."""
    return forward_ad._current_level >= 0


def check_tensor(name: str, x: Tensor, width: int, what: str) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a torch.Tensor of {what} (..., {width}), got {type(x).__name__}")
    if x.dtype not in FLOATS:
        raise TypeError(f"{name}: expected float16, bfloat16, float32 or float64, got {x.dtype}")
    if x.dim() == 0 or x.shape[-1] != width:
        raise ValueError(f"{name}: expected shape (..., {width}), got {tuple(x.shape)}")


def check_device(name: str, x: Tensor, pred: Tensor, pred_name: str = "pred") -> None:
    if x.device != pred.device:
        raise ValueError(f"{name}: expected the device of {pred_name}, {pred.device}, got {x.device}")
