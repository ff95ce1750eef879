"""A small run over every kernel, for compute-sanitizer: all kinds, layouts, dtypes and reductions, odd sizes."""

import itertools

import torch

import fastiou


def main() -> None:
    torch.manual_seed(0)
    for kind, dtype, n in itertools.product(
        fastiou.kinds(), (torch.float32, torch.float16, torch.float64), (1, 300, 2049)
    ):
        corner, size = torch.rand(2, n, 2, device="cuda") * 80, torch.rand(2, n, 2, device="cuda") * 60 + 1
        pred, target = torch.cat([corner, corner + size], -1).to(dtype)
        weight = torch.rand(n, device="cuda")
        head = pred.t().contiguous().t()
        for reduction, boxes in itertools.product(("none", "mean"), (pred, head)):
            boxes = boxes.detach().requires_grad_()
            loss = fastiou.iou_loss(boxes, target, kind, weight=weight, reduction=reduction, fmt="cxcywh")
            torch.autograd.grad(loss.sum(), boxes)
        both = torch.stack([pred, target]).requires_grad_()
        torch.autograd.grad(fastiou.iou_loss(both[0], both[1], kind, reduction="sum"), both)
    torch.cuda.synchronize()
    print("every kernel ran")


if __name__ == "__main__":
    main()
