"""Pairwise scores as a part of torch: compile, export, opcheck, func transforms, autocast."""

import pytest
import torch
import torch._dynamo.testing
from axes import DEVICES
from sets import scores_and_grads, sets

import fastiou

KINDS = fastiou.pairwise_kinds()
pytestmark = pytest.mark.parametrize("device", DEVICES)
native = pytest.mark.skipif(fastiou.backend() == "fallback", reason="the operators are not compiled")


@pytest.mark.parametrize("kind", KINDS)
def test_compile_with_dynamic_shapes(device, kind):
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")

    def total(a, b):
        return fastiou.pairwise_iou(a * 2, b * 2, kind)

    compiled = torch.compile(total, backend=counter, fullgraph=True, dynamic=True)
    compilations = None
    for n, m in ((33, 20), (50, 60), (1000, 7)):
        boxes1, boxes2 = sets(n, m, device=device)
        actual, expected = (scores_and_grads(f, boxes1, boxes2) for f in (compiled, total))
        for a, e in zip(actual, expected, strict=True):
            torch.testing.assert_close(a, e, rtol=1e-5, atol=1e-6)
        compilations = compilations or counter.frame_count
    assert counter.frame_count == compilations


def test_compile_by_inductor_with_masks(device):
    torch._dynamo.reset()
    boxes1, boxes2 = sets(20, 12, 2, device=device)
    mask = torch.rand(2, 12, device=device) > 0.4

    def cost(a, b):
        return 1 - fastiou.pairwise_iou(a.sigmoid() * 50, b, "giou", fmt=("cxcywh", "xyxy"), mask2=mask)

    compiled = torch.compile(cost, fullgraph=True)
    for a, e in zip(scores_and_grads(compiled, boxes1, boxes2), scores_and_grads(cost, boxes1, boxes2), strict=True):
        torch.testing.assert_close(a, e, rtol=1e-5, atol=1e-6)


def test_export(device):
    class Model(torch.nn.Module):
        def forward(self, a, b):
            return fastiou.generalized_box_iou(a, b)

    n, m = torch.export.Dim("n"), torch.export.Dim("m")
    program = torch.export.export(Model(), sets(10, 12, device=device), dynamic_shapes=({0: n}, {0: m}))
    other = sets(77, 31, device=device)
    torch.testing.assert_close(program.module()(*other), fastiou.generalized_box_iou(*other))


@native
@pytest.mark.parametrize("batch", [(), (3,)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64, torch.int32], ids=str)
def test_opcheck(device, batch, dtype):
    boxes1, boxes2 = sets(7, 9, *batch, dtype=dtype, device=device)
    mask = torch.rand(*batch, 9, device=device) > 0.3
    options = (5, 0, 0, 0.0, 1e-7, 1e-7)
    for masks in ((None, None), (None, mask)):
        torch.library.opcheck(torch.ops.fastiou.pairwise.default, (boxes1, boxes2, *masks, *options))
        if dtype.is_floating_point:
            grad = torch.rand(*batch, 7, 9, device=device, dtype=torch.float64 if dtype == torch.float64 else None)
            for wanted in ((True, True), (True, False)):
                args = (grad, boxes1, boxes2, *masks, *options, *wanted)
                torch.library.opcheck(torch.ops.fastiou.pairwise_backward.default, args)


@pytest.mark.parametrize("kind", ["iou", "ciou", "iof"])
def test_func_grad_and_vmap(device, kind):
    boxes1, boxes2 = sets(8, 5, 4, device=device)
    mask = torch.rand(4, 5, device=device) > 0.3

    def scores(a, b, mask2=None):
        return fastiou.pairwise_iou(a, b, kind, mask2=mask2)

    torch.testing.assert_close(torch.vmap(scores)(boxes1, boxes2, mask), scores(boxes1, boxes2, mask))
    torch.testing.assert_close(torch.vmap(scores, (0, None))(boxes1, boxes2[0]), scores(boxes1, boxes2[:1]))
    twice = torch.vmap(torch.vmap(scores, (0, None)), (0, None))(boxes1[None], boxes2[0])
    torch.testing.assert_close(twice[0], scores(boxes1, boxes2[0]))
    gradient = torch.func.grad(lambda a, b: scores(a, b).square().sum(), argnums=(0, 1))
    per_sample = torch.vmap(gradient)(boxes1, boxes2)
    for i in range(4):
        a, b = boxes1[i].clone().requires_grad_(), boxes2[i].clone().requires_grad_()
        expected = torch.autograd.grad(scores(a, b).square().sum(), (a, b))
        for p, e in zip(per_sample, expected, strict=True):
            torch.testing.assert_close(p[i], e, rtol=1e-5, atol=1e-6)


@native
def test_second_derivative_is_refused(device):
    boxes1, boxes2 = sets(4, 5, dtype=torch.float64, device=device)
    boxes1.requires_grad_()
    (grad,) = torch.autograd.grad(fastiou.box_iou(boxes1, boxes2).sum(), boxes1, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        (boxes1.sum() + grad.square().sum()).backward()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(device, dtype):
    boxes1, boxes2 = sets(6, 7, dtype=dtype, device=device)
    with torch.autocast(device, dtype=dtype):
        scores = fastiou.box_iou(boxes1, boxes2)
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores, fastiou.box_iou(boxes1.float(), boxes2.float()))
