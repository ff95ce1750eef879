"""Trains the detector once, with a given box loss, and takes the time."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from data import Canvases
from losses import class_loss
from model import Detector
from targets import Targets, assign
from torch import Tensor
from tqdm import tqdm

BATCH = 16
PEAK_RATE = 4e-3
MAX_NORM = 10.0

BoxLoss = Callable[[Tensor, Targets], Tensor]
Assign = Callable[[Tensor, Tensor, int, int], Targets]


@dataclass(frozen=True)
class History:
    """One value for each step, all (steps,) float64."""

    box_loss: Tensor
    class_loss: Tensor
    box_loss_ms: Tensor  # box loss alone, forward + backward
    step_ms: Tensor  # whole step
    watched: Tensor  # what else was to be watched


def train(
    model: Detector,
    box_loss: BoxLoss,
    canvases: Canvases,
    steps: int,
    seed: int,
    title: str,
    assign: Assign = assign,
    watch: BoxLoss | None = None,
) -> History:
    """Train `model` in place; the same seed gives the same batches.

    `watch` is computed like the box loss, from the same head and targets, but outside of the time and of the training.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps, pct_start=0.15)
    model.train()
    rows = []
    bar = tqdm(_batches(len(canvases), steps, seed), desc=title, total=steps, unit="step")
    for index in bar:
        start = time.perf_counter()
        images, boxes, labels = canvases.batch(index)
        logits, head = model(images)
        targets = assign(boxes, labels, *head.shape[-2:])
        row = _update(model, box_loss, optimizer, logits, head, targets)
        schedule.step()
        step_ms = 1e3 * (time.perf_counter() - start)
        rows.append([*row, step_ms, watch(head.detach(), targets).item() if watch else 0.0])
        bar.set_postfix(box=f"{row[0]:.3f}", cls=f"{row[1]:.3f}", refresh=False)
    return History(*torch.tensor(rows, dtype=torch.float64).unbind(dim=1))


def _update(
    model: Detector,
    box_loss: BoxLoss,
    optimizer: torch.optim.Optimizer,
    logits: Tensor,
    head: Tensor,
    targets: Targets,
) -> tuple[float, float, float]:
    """Losses, gradients, new weights; returns box loss, class loss and the milliseconds spent in the box loss."""
    loss_cls = class_loss(logits, targets)

    leaf = head.detach().requires_grad_()
    start = time.perf_counter()
    loss_box = box_loss(leaf, targets)
    loss_box.backward()
    box_ms = 1e3 * (time.perf_counter() - start)

    optimizer.zero_grad()
    torch.autograd.backward([loss_cls, head], [None, leaf.grad])
    torch.nn.utils.clip_grad_norm_(model.parameters(), MAX_NORM)
    optimizer.step()
    return loss_box.item(), loss_cls.item(), box_ms


def _batches(count: int, steps: int, seed: int) -> list[Tensor]:
    """Indices (BATCH,) of the canvases of each step, in shuffled rounds over all of them."""
    rng = torch.Generator().manual_seed(seed)
    rounds = -(-steps * BATCH // count)
    order = torch.cat([torch.randperm(count, generator=rng) for _ in range(rounds)])
    return list(order[: steps * BATCH].split(BATCH))
