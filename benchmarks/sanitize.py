"""A small run over every kernel, for compute-sanitizer: all kinds, layouts, dtypes and reductions, odd sizes."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

import fastiou

DTYPES = (torch.float32, torch.float16, torch.float64)
COUNTS = ((1, 1), (33, 5), (257, 70), (5, 1030), (0, 3), (3, 0))  # of the two sets


def main(device: str = "cuda") -> None:
    torch.manual_seed(0)
    losses(device)
    scores(device)
    matches(device)
    suppressions(device)
    rotated(device)
    pixels(device)
    if device == "cuda":
        torch.cuda.synchronize()
    print("every kernel ran")


def losses(device: str) -> None:
    """Aligned pairs."""
    for kind, dtype, n in itertools.product(fastiou.kinds(), DTYPES, (1, 300, 2049)):
        pred, target = (boxes(n, device=device, dtype=dtype) for _ in range(2))
        weight = torch.rand(n, device=device)
        head = pred.t().contiguous().t()
        for reduction, own in itertools.product(("none", "mean"), (pred, head)):
            own = own.detach().requires_grad_()
            loss = fastiou.iou_loss(own, target, kind, weight=weight, reduction=reduction, fmt="cxcywh")
            torch.autograd.grad(loss.sum(), own)
        both = torch.stack([pred, target]).requires_grad_()
        torch.autograd.grad(fastiou.iou_loss(both[0], both[1], kind, reduction="sum"), both)


def scores(device: str) -> None:
    """Pairwise scores, forward and backward: with and without a batch, masks, gradients of one side or both."""
    for kind, dtype, (n, m), batch in itertools.product(fastiou.pairwise_kinds(), DTYPES, COUNTS, ((), (3,))):
        first, second = (boxes(*batch, count, device=device, dtype=dtype).requires_grad_() for count in (n, m))
        mask1, mask2 = (torch.rand(*batch, count, device=device) < 0.7 for count in (n, m))
        torch.autograd.grad(fastiou.pairwise_iou(first, second, kind).sum(), (first, second))
        masked = fastiou.pairwise_iou(first, second.detach(), kind, mask1=mask1, mask2=mask2, fmt=("xywh", "cxcywh"))
        torch.autograd.grad(masked, first, torch.rand_like(masked))
    for dtype in (torch.uint8, torch.int16, torch.int64):
        fastiou.box_iou(boxes(33, device=device, dtype=dtype), boxes(70, device=device, dtype=dtype).flip(0))


def matches(device: str) -> None:
    """Best partners on both sides."""
    for kind, dtype, (n, m) in itertools.product(fastiou.pairwise_kinds(), DTYPES, COUNTS):
        if n and m:
            fastiou.max_iou(boxes(n, device=device, dtype=dtype), boxes(m, device=device, dtype=dtype), kind=kind)


def suppressions(device: str) -> None:
    """NMS and its variants."""
    for dtype, n in itertools.product(DTYPES, (0, 1, 63, 300, 1025)):
        own = boxes(n, device=device, dtype=dtype)
        ranks = torch.rand(n, device=device).to(dtype)
        classes = torch.randint(3, (n,), device=device)
        fastiou.nms(own, ranks, 0.5, kind="diou")
        fastiou.batched_nms(own, ranks, classes, 0.5)
        fastiou.nms_mask(own, ranks, 0.5, idxs=classes)
        for method in ("linear", "gaussian"):
            fastiou.soft_nms(own, ranks, method=method)
            fastiou.matrix_nms(own, ranks, idxs=classes, method=method)
        fastiou.cluster_nms(own, ranks, 0.5)


def rotated(device: str) -> None:
    """Losses, scores, matches and suppression of rotated boxes: all kinds, shapes around both, and links."""
    exact = [dict(mode=mode) for mode in ("linear", "log", "square")]
    exact += [dict(kind=k, enclosing=e) for k in ("giou", "diou", "ciou") for e in ("hull", "min", "target", "aabb")]
    gaussian = [dict(kind=kind) for kind in fastiou.gaussian_kinds()]
    gaussian += [dict(fun="sqrt"), dict(fun="none", tau=0), dict(kind="kfiou", fun="ln"), dict(kind="kfiou", fun="exp")]
    calls = [(fastiou.rotated_iou_loss, o) for o in exact] + [(fastiou.gaussian_loss, o) for o in gaussian]
    for (loss, options), dtype, n in itertools.product(calls, DTYPES, (1, 2049)):
        pred, target = (turned(n, device=device, dtype=dtype).requires_grad_() for _ in range(2))
        weight = torch.rand(n, device=device)
        torch.autograd.grad(loss(pred, target, **options, weight=weight).sum(), (pred, target))
        torch.autograd.grad(loss(pred.t().contiguous().t(), target, **options, reduction="mean", degrees=True), pred)
    for kind, dtype, (n, m), batch in itertools.product(("iou", "giou", "probiou"), DTYPES, COUNTS, ((), (3,))):
        first, second = (turned(*batch, count, device=device, dtype=dtype).requires_grad_() for count in (n, m))
        mask = torch.rand(*batch, m, device=device) < 0.7
        scores = fastiou.rotated_box_iou(first, second, kind, mask2=mask)
        torch.autograd.grad(scores, (first, second), torch.rand_like(scores))
        if n and m:
            fastiou.max_iou(first, second, kind, fmt="cxcywhr", gts_mask=mask)
    for dtype, n in itertools.product(DTYPES, (0, 1, 63, 1025)):
        own, ranks = turned(n, device=device, dtype=dtype), torch.rand(n, device=device).to(dtype)
        fastiou.nms_rotated(own, ranks, 0.5)
        fastiou.soft_nms(own, ranks, fmt="cxcywhr")
        fastiou.matrix_nms(own, ranks, fmt="cxcywhr")


def pixels(device: str) -> None:
    """PIoU of rotated, upright and mixed boxes; soft and softer, on rasters of their own, hard; tiny and huge ones."""
    rasters = [dict(), dict(union="area", k=2, scale=2), dict(k=0.1)]
    links = [dict(convention="official"), dict(mode="linear"), dict(straight_through=True)]
    makers = (turned, turned), (boxes, boxes), (turned, boxes)
    for (raster, link), make, dtype, n in itertools.product(zip(rasters, links, strict=True), makers, DTYPES, (1, 70)):
        pred, target = (one(n, device=device, dtype=dtype).requires_grad_() for one in make)
        weight = torch.rand(n, device=device)
        torch.autograd.grad(fastiou.piou_loss(pred, target, **raster, **link, weight=weight), (pred, target))
        torch.autograd.grad(fastiou.piou_loss(pred.t().contiguous().t(), target, **raster, **link), pred)
    for raster, make, dtype, (n, m), batch in itertools.product(rasters, makers[:2], DTYPES, COUNTS[:2], ((), (3,))):
        pairs = zip(make, (n, m), strict=True)
        first, second = (one(*batch, count, device=device, dtype=dtype).requires_grad_() for one, count in pairs)
        scores = fastiou.pixel_iou(first, second, **raster, pairwise=True)
        torch.autograd.grad(scores, (first, second), torch.rand_like(scores))
        fastiou.pixel_iou(first, second, **raster, pairwise=True, hard=True)
    odd = [[5, 5, 0.5, 0.2, 1], [9, 9, 3e3, 2e3, 2], [0, 0, 1e5, 40, 3], [7, 7, 0, 9, 4]]
    odd = torch.tensor(odd, device=device, dtype=torch.float32).requires_grad_()
    torch.autograd.grad(fastiou.piou_loss(odd[:, None], odd, straight_through=True), odd)
    fastiou.pixel_iou(odd[:, None], odd, hard=True)


def turned(*shape: int, device: str, dtype: torch.dtype) -> Tensor:
    """Rotated boxes ``(*shape, 5)`` within 121 pixels."""
    own = boxes(*shape, device=device, dtype=torch.float32)
    angle = torch.rand(*shape, 1, device=device) * 6 - 3
    return torch.cat([own[..., 2:] - own[..., :2] / 2, own[..., 2:] - own[..., :2], angle], -1).to(dtype)


def boxes(*shape: int, device: str, dtype: torch.dtype) -> Tensor:
    """Boxes ``(*shape, 4)`` within 121 pixels: they fit into every dtype."""
    corner, size = torch.rand(2, *shape, 2, device=device)
    return torch.cat([corner * 60, corner * 60 + size * 60 + 1], -1).to(dtype)


if __name__ == "__main__":
    main()
