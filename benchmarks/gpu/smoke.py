"""Stage "smoke": every operator on the GPU against the CPU, and twice for the same bits. No failure ends it.

python -m fastiou.benchmarks.gpu.smoke [FIRST]      from this case on, at the end of the same smoke.csv
"""

from __future__ import annotations

import sys
import time

import torch
from torch import Tensor

from . import context
from .smoke_cases import Case, cases
from .table import Table, read

COLUMNS = ("case", "verdict", "worst", "share_beyond", "share_allowed", "seconds", "note")
Verdict = tuple[float, float, str]  # the largest error as a multiple of its tolerance, the share beyond, what is wrong


def main(first: str = "0") -> int:
    """Runs the cases from the first on; 1 if one of all failed."""
    here = context.read()
    table = Table(here.out / "smoke.csv", COLUMNS)
    if first == "0":
        table.start()
    reason = context.why_not(here.device)
    if reason:
        print(reason)
        return 1
    todo = cases(here.tiny)
    for i, case in enumerate(todo[int(first) :], int(first)):
        if here.left() < 0:
            print(f"out of time before {case.name}")
            break
        _run(case, here.device, table)
        if context.is_lost(here.device):
            print("the GPU has faulted: going on in a new process")
            context.start_over("smoke", str(i + 1))
    done = read(here.out / "smoke.csv")
    failed = sum(row["verdict"] != "ok" for row in done)
    print(f"{len(done) - failed} of {len(todo)} cases agree, {failed} failed")
    return int(failed > 0 or len(done) < len(todo))


def _run(case: Case, device: str, table: Table) -> None:
    start = time.perf_counter()
    try:
        worst, beyond, wrong = check(case, device)
        verdict = "FAILED" if wrong or beyond > case.few else "ok"
        figures = [f"{worst:.2g}", f"{beyond:.1e}", f"{case.few:.0e}"]
    except Exception as error:
        verdict, wrong, figures = "FAILED", f"{type(error).__name__}: {error}".splitlines()[0][:200], [""] * 3
    seconds = time.perf_counter() - start
    table.add([case.name, verdict, *figures, f"{seconds:.2f}", wrong])
    print(
        f"{verdict:6s} {case.name:32s} {figures[0]:>8s} of tolerance {figures[1]:>8s} beyond {seconds:5.2f} s {wrong}",
        flush=True,
    )


def check(case: Case, device: str) -> Verdict:
    """Compares a case on a device with the CPU, with itself, on a stream of its own and on another card."""
    expected = results(case, "cpu")
    found = results(case, device)
    if not _same(found, results(case, device)):
        return float("nan"), 1.0, "not the same bits twice"
    if device == "cuda":
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            there = results(case, device)
        torch.cuda.synchronize()
        if not _same(found, there):
            return float("nan"), 1.0, "not the same bits on another stream"
        if torch.cuda.device_count() > 1 and not _same(found, results(case, "cuda:1")):
            return float("nan"), 1.0, "not the same bits on another card"
    return compare(case, found, expected)


def results(case: Case, device: str) -> list[Tensor]:
    """What a case returns on a device, and then its gradients."""
    arguments = [x.to(device, copy=True) for x in case.inputs()]
    for x in arguments[: case.grads]:
        x.requires_grad_()
    out = case.function(*arguments)
    outs = list(out) if isinstance(out, tuple) else [out]
    if case.grads:
        outs += torch.autograd.grad(outs[0].sum(), arguments[: case.grads])
    return [x.detach() for x in outs]


def compare(case: Case, found: list[Tensor], expected: list[Tensor]) -> Verdict:
    """How far results are from the expected ones: see `Case`."""
    worst, beyond = 0.0, 0.0
    values = len(found) - case.grads
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        if a.shape != b.shape or a.dtype != b.dtype:
            return float("nan"), 1.0, f"{a.dtype} {tuple(a.shape)} in place of {b.dtype} {tuple(b.shape)}"
        if not b.numel():
            continue
        a = a.cpu()
        if not b.is_floating_point():
            error = (a != b).double() * 2
        elif i < values:
            error = _relative(a.double(), b.double()) / case.tolerance
        else:
            error = _relative_to_rows(a.double(), b.double()) / case.grad_tolerance
        worst = max(worst, error.max().item())
        beyond = max(beyond, (error > 1).double().mean().item())
    return worst, beyond, ""


def _relative(a: Tensor, b: Tensor) -> Tensor:
    return ((a - b).abs() / b.abs().clamp(min=1)).nan_to_num(nan=float("inf"))


def _relative_to_rows(a: Tensor, b: Tensor) -> Tensor:
    """Errors of the rows of a gradient: see `Case.grad_tolerance`."""
    rows = b.abs().amax(-1, keepdim=True)
    scale = rows.clamp(min=max(0.1 * rows.median().item(), 1e-30))
    return ((a - b).abs() / scale).nan_to_num(nan=float("inf")).amax(-1)


def _same(first: list[Tensor], second: list[Tensor]) -> bool:
    """Whether these are the same bits, wherever they are."""
    return all(torch.equal(_bits(a), _bits(b)) for a, b in zip(first, second, strict=True))


def _bits(x: Tensor) -> Tensor:
    x = x.cpu().contiguous()
    return x.view({8: torch.int64, 4: torch.int32, 2: torch.int16}[x.element_size()]) if x.is_floating_point() else x


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
