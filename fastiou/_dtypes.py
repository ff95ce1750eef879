"""What is computed in what, and returned as what."""

from __future__ import annotations

import torch
from torch import Tensor


def compute_dtype(*boxes: Tensor) -> torch.dtype:
    """What scores of these boxes are computed in: integers of 32 bits and more do not fit a float32."""
    wide = {torch.float64, torch.int32, torch.int64}
    return torch.float64 if any(b.dtype in wide for b in boxes) else torch.float32


def score_dtype(*boxes: Tensor) -> torch.dtype:
    """What they are returned as."""
    return torch.float64 if any(b.dtype == torch.float64 for b in boxes) else torch.float32


def decayed_dtype(scores: Tensor) -> torch.dtype:
    """What decayed scores are returned as."""
    return torch.float64 if scores.dtype == torch.float64 else torch.float32


def largest_gradient(boxes: Tensor, dtype: torch.dtype) -> float:
    """The largest partial derivative that boxes of this dtype can be given."""
    largest = torch.finfo(dtype).max
    return min(torch.finfo(boxes.dtype).max, largest) if boxes.is_floating_point() else largest
