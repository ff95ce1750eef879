"""Errors of float32 on rotated boxes: groups of pairs x providers, against shapely and float64."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..machine import device_name
from ..packages import why_missing
from ..progress import Progress
from ..suite import Option, Options, Suite, check_names, names
from . import providers, report
from .errors import gradient_errors, summary
from .groups import GROUPS, THIN, in_degrees, make_pairs
from .oracle import exact_iou
from .providers import BLOCK, GAUSSIANS, VALUES
from .rows import Row
from .tables import all_tables

PAIRS, QUICK_PAIRS = 1_000_000, 10_000
#: Kinds and groups whose gradients are compared with those in float64.
GRADIENT_KINDS = ("iou", "giou", "diou", "ciou")
GRADIENT_GROUPS = ("generic", "far", "normalised", "noise_1e-2", "identical")

OPTIONS = [
    Option("--groups", [*GROUPS, THIN], {"type": names, "help": f"of {','.join([*GROUPS, THIN])} (default: all)"}),
    Option("--pairs", None, {"type": float, "help": f"in each group (default: {PAIRS:,}), a multiple of {BLOCK}"}),
]


def _check(options: Options) -> None:
    check_names("--groups", options.groups, [*GROUPS, THIN])
    if options.pairs is not None and (options.pairs < BLOCK or options.pairs % BLOCK):
        raise ValueError(f"--pairs: expected a multiple of {BLOCK}, got {options.pairs:g}")


def _measure(options: Options, device: str) -> Iterator[list[Row]]:
    """Rows, group by group."""
    reason = why_missing("shapely")
    if reason:
        print(f"accuracy is left out: {reason}", file=sys.stderr)
        return
    torch.set_num_threads(options.threads)
    n = int(options.pairs or (QUICK_PAIRS if options.quick else PAIRS))
    chosen = _available(options.providers)
    progress = Progress(len(options.groups))
    for group in options.groups:
        progress.step(f"{device} {group}, {n:,} pairs")
        pairs = tuple(boxes.to(device) for boxes in make_pairs(group, n))
        found = _gaussians(pairs, chosen) if group == THIN else _exact(group, pairs, chosen)
        yield [_row(device, group, *one) for one in found]
    progress.finish()


def _available(chosen: list[str]) -> list[str]:
    """Those that can be measured; says what is left out and why."""
    found = []
    for name in (name for name in providers.MODULES if name in chosen):
        reason = providers.missing(name)
        if reason is None:
            found.append(name)
        else:
            print(f"{name} is left out: {reason}", file=sys.stderr)
    return found


Found = tuple[str, str, str, dict[str, Any]]  # task, kind, provider, numbers


def _exact(group: str, pairs: tuple[Tensor, Tensor], chosen: list[str]) -> Iterator[Found]:
    """Values against shapely, gradients against float64."""
    degrees = in_degrees(group)
    expected = exact_iou(*pairs, degrees)
    for name, values in VALUES.items():
        if name.partition("-")[0] not in chosen or (name == "torchvision" and not degrees):
            continue
        found = values(*pairs, degrees).double().cpu().numpy()
        # The identical boxes' IoU is 1, which shapely misses in the last place.
        truth = np.ones_like(expected) if group == "identical" else expected
        yield "value", "iou", name, summary(found, np.abs(found - truth))
    if group in GRADIENT_GROUPS and "fastiou" in chosen:
        for kind in GRADIENT_KINDS:
            yield "gradient", kind, "fastiou", _gradient(kind, pairs, expected, degrees)


def _gradient(kind: str, pairs: tuple[Tensor, Tensor], iou: np.ndarray, degrees: bool) -> dict[str, Any]:
    actual = providers.gradients(kind, *pairs, degrees)
    doubles = tuple(boxes.double() for boxes in pairs)
    expected = providers.gradients(kind, *doubles, degrees)
    if degrees:
        for grad in (*actual, *expected):
            grad[:, 4] *= 180 / torch.pi  # by radians, whose unit is that of the extent
    area = sum(boxes[:, 2] * boxes[:, 3] for boxes in doubles)
    union = area / (1 + torch.from_numpy(iou).to(area))
    errors = gradient_errors(actual, expected, doubles, union).cpu().numpy()
    return summary(torch.zeros_like(union).cpu().numpy(), errors)


def _gaussians(pairs: tuple[Tensor, Tensor], chosen: list[str]) -> Iterator[Found]:
    """Against the matrices in float64; relative, of values above 1."""
    for kind, (matrices, _) in GAUSSIANS.items():
        expected = matrices(*(boxes.double() for boxes in pairs)).cpu().numpy()
        ways: dict[str, Callable[[], Tensor]] = {
            "fastiou": lambda kind=kind: providers.fastiou_gaussian(kind, *pairs),
            "clean": lambda matrices=matrices: matrices(*pairs),
        }
        if kind == "probiou":
            ways["ultralytics"] = lambda: providers.ultralytics_probiou(*pairs)
        for name in (name for name in ways if name in chosen):
            found = ways[name]().double().cpu().numpy()
            yield "gaussian", kind, name, summary(found, np.abs(found - expected) / np.maximum(expected, 1))


def _row(device: str, group: str, task: str, kind: str, provider: str, numbers: dict[str, Any]) -> Row:
    return Row(
        device=device,
        device_name=device_name(device),
        torch=torch.__version__,
        task=task,
        kind=kind,
        group=group,
        provider=provider,
        version=providers.version(provider, device),
        date=datetime.date.today().isoformat(),
        **numbers,
    )


SUITE = Suite(
    title=report.TITLE,
    suffix="_rotated_accuracy",
    row=Row,
    providers=list(providers.MODULES),
    options=OPTIONS,
    check=_check,
    measure=_measure,
    tables=all_tables,
    goals=report.goals,
    section=report.section,
    draw=lambda path, rows: [],
)
