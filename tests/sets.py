"""Sets of boxes and detections that several test files use."""

import torch
from axes import random_boxes


def sets(n, m, *batch, dtype=torch.float32, device="cpu"):
    """Boxes of which many overlap, and some are the same in both sets."""
    first, second = random_boxes(*batch, max(n, m), seed=n + m, device=device)
    return first[..., :n, :].to(dtype), second[..., :m, :].to(dtype)


def scores_and_grads(function, boxes1, boxes2, *args, grad=None, **kwargs):
    """Scores, and the gradients of sum(scores * grad) with respect to both sets."""
    boxes1, boxes2 = boxes1.detach().requires_grad_(), boxes2.detach().requires_grad_()
    scores = function(boxes1, boxes2, *args, **kwargs)
    grad = torch.ones_like(scores) if grad is None else grad.to(scores.dtype)
    return scores.detach(), *torch.autograd.grad(scores, (boxes1, boxes2), grad)


def detections(n, device="cpu", dtype=torch.float32, seed=0):
    """Boxes on a grid of 1/64, scores with ties, classes that are no small numbers."""
    boxes, _ = random_boxes(n, seed=seed, dtype=dtype, device=device)
    g = torch.Generator().manual_seed(n + seed)
    scores = (torch.rand(n, generator=g) * 200).round() / 200
    idxs = torch.tensor([-3, 7, 10**12])[torch.randint(0, 3, (n,), generator=g)]
    return boxes, scores.to(device), idxs.to(device)


def assert_indices(actual, expected):
    assert actual.dtype == torch.int64
    assert actual.tolist() == expected.tolist()
