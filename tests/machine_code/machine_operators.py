"""The operators of fastiou whose kernels are executed as sm_90 machine code, and how a test calls them.

What a call does: the machine is allowed to touch the numbers of the input tensors, no byte more, and outputs and
scratch as the host code allocates them; then the operator runs as on a GPU. Afterwards its results must be written all
over, and its inputs must be as they were.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Iterator
from types import ModuleType

import cuda_builds
import torch
from build_flags import ROOT
from compiled import machine_session
from torch import Tensor

#: The kernels that were run in this process, by mangled name.
EXECUTED: set[str] = set()


@functools.cache
def module() -> ModuleType:
    """Loads the emulator with the operators' host code."""
    path = machine_session()
    spec = importlib.util.spec_from_file_location("machine_session", path)
    native = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(native)
    return native


@functools.cache
def source_of(operator: str) -> str:
    """The CUDA source that registers an operator."""
    [source] = [s for s in cuda_builds.SOURCES if re.search(rf'm\.impl\("{operator}"', (ROOT / s).read_text())]
    return source


@functools.cache
def load(source: str) -> None:
    """Hands the machine code of a source to the machine."""
    build = cuda_builds.build(source)
    module().use("")
    module().load(str(build.cubin), str(build.listing))


def bytes_of(tensors: list[Tensor]) -> list[tuple[int, int]]:
    """The memory that the numbers of some tensors take: beginnings and sizes, in order, without overlap."""
    begins = [torch.zeros(0, dtype=torch.int64)]
    for t in tensors:
        at = torch.zeros((), dtype=torch.int64)
        for size, stride in zip(t.shape, t.stride(), strict=True):
            at = at[..., None] + torch.arange(size) * stride
        at = at.reshape(-1, 1) * t.element_size() + torch.arange(t.element_size())
        begins.append(t.data_ptr() + at.flatten())
    each = torch.cat(begins).unique()
    cuts = (each.diff() > 1).nonzero().flatten() + 1
    runs = each.tensor_split(cuts) if len(each) else []
    return [(int(run[0]), len(run)) for run in runs]


class Operators:
    """Stands for torch.ops.fastiou. `runs` is what the launches of the last call did."""

    def __init__(self, seed: int = 0, as_on_gpu: bool = False):
        """`seed`: of the order of blocks, warps and diverged lanes; 0 is the natural one.

        `as_on_gpu`: grids are as large as a GPU's, else small ones that walk over rows.
        """
        self.seed = seed
        self.as_on_gpu = as_on_gpu
        self.runs: list[dict] = []

    def __getattr__(self, name: str):
        if name.startswith("_"):
            raise AttributeError(name)
        return functools.partial(self._call, name)

    def _prepare(self, name: str) -> None:
        """Makes the machine know the kernels of an operator."""
        load(source_of(name))
        module().use("")

    def _note(self, kernels: set[str]) -> None:
        EXECUTED.update(kernels)

    def _call(self, name: str, *args):
        self._prepare(name)
        machine = module()
        inputs = [x for x in args if isinstance(x, Tensor)]
        before = [x.clone() for x in inputs]
        for begin, size in bytes_of(inputs):
            machine.allow(begin, size)
        machine.order(self.seed)
        try:
            operators = torch.ops.fastiou_machine_gpu if self.as_on_gpu else torch.ops.fastiou_machine
            results = getattr(operators, name)(*args)
            for k, result in enumerate(_tensors(results)):
                storage = result.untyped_storage()
                written = machine.written(storage.data_ptr(), storage.nbytes())
                assert written, f"{name}: result {k} is not written all over"
        finally:
            machine.forget()
            self.runs = machine.take_runs()
            self._note({run["kernel"] for run in self.runs})
        for now, old in zip(inputs, before, strict=True):
            torch.testing.assert_close(now, old, rtol=0, atol=0, equal_nan=True)
        return results


def _tensors(results) -> Iterator[Tensor]:
    yield from (x for x in (results if isinstance(results, tuple) else (results,)) if x is not None and x.numel())
