"""``fastiou info``: versions, what is active and why not where something is not, and a self-check."""

from __future__ import annotations

import platform

import torch

import fastiou

from . import reference
from ._ops import kernels

#: Largest difference of loss and gradient between kernels and reference that the self-check accepts, in float32.
TOLERANCE = 2e-5


def _check_device(device: str) -> float:
    """Largest difference between the kernels on ``device`` and the float64 reference, over all kinds."""
    g = torch.Generator().manual_seed(0)
    corner, size = torch.rand(2, 500, 2, generator=g), torch.rand(2, 500, 2, generator=g) + 0.1
    pred, target = torch.cat([corner, corner + size], -1).to(device)
    worst = 0.0
    for kind in fastiou.kinds():
        answers = []
        for function, boxes in ((fastiou.iou_loss, pred), (reference.row_loss, pred.double())):
            boxes = boxes.detach().requires_grad_()
            loss = function(boxes, target.to(boxes.dtype), kind, eps=1e-7)
            answers.append(torch.cat([loss.detach()[:, None], torch.autograd.grad(loss.sum(), boxes)[0]], -1).double())
        answers = [torch.cat([a, b.double()], -1) for a, b in zip(answers, _pairwise(pred, target, kind), strict=True)]
        difference = (answers[0] - answers[1]).abs() / (1 + answers[1].abs())
        worst = max(worst, difference.max().nan_to_num(float("inf")).item())
    return worst


def _pairwise(boxes1: torch.Tensor, boxes2: torch.Tensor, kind: str) -> list[torch.Tensor]:
    """Scores with a few boxes and the best gt of every box, by the kernels and by the reference."""
    scores = (
        fastiou.pairwise_iou(boxes1, boxes2[:7], kind),
        reference.pairwise(boxes1.double(), boxes2[:7].double(), kind),
    )
    best = fastiou.max_iou(boxes1, boxes2[:7], kind).values, scores[1].amax(1)
    return [torch.cat([s, b[:, None]], -1) for s, b in zip(scores, best, strict=True)]


def kinds_table() -> str:
    """The kinds as a Markdown table, described by their reference functions."""
    rows = []
    for name, score in reference.PAIRWISE_KINDS.items():
        kind = reference.KINDS.get(name)
        loss = kind.loss.__doc__.strip() if kind else "none: for sets of boxes only"
        rows.append(f"| `{name}` | {score.__doc__.strip()} | {loss} |")
    return "\n".join(["| kind | score | loss |", "|---|---|---|", *rows])


def main() -> int:
    """Prints the report; 1 if the self-check fails, else 0."""
    build = kernels.core.build() if kernels.core else {}
    print(f"fastiou    {fastiou.__version__}, Python {platform.python_version()}, {platform.machine()}")
    cuda = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU build"
    print(f"torch      {torch.__version__} ({cuda}), {torch.get_num_threads()} threads")
    if build:
        print(f"built      by {build['compiler']}, torch {build['torch']}, CUDA {build['cuda']}")
    else:
        print("built      without compiled parts, or they are switched off")
    print(f"kinds      {', '.join(fastiou.pairwise_kinds())}")

    failed = False
    for device in ("cpu", "cuda"):
        if device not in kernels.devices:
            print(f"{device:<10} plain PyTorch: {kernels.reasons[device]}")
            failed |= "does not load" in kernels.reasons[device]
            if device == "cuda":
                continue
        if device == "cuda" and not torch.cuda.is_available():
            print(f"{device:<10} kernels loaded; no CUDA device here to run them on")
            continue
        name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or platform.machine()
        worst = _check_device(device)
        ok = worst <= TOLERANCE
        failed |= not ok
        what = "kernels active" if device in kernels.devices else "fallback"
        verdict = "ok" if ok else "FAILED"
        print(f"{device:<10} {what} ({name}); self-check against the reference {verdict}: largest error {worst:.1e}")
    return int(failed)
