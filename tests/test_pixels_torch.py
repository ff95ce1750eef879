"""PIoU as a part of torch: opcheck, compile, export, func transforms, autocast, second derivatives."""

import math

import pytest
import torch
import torch._dynamo.testing
from axes import DEVICES
from pixels import pairs, value_and_grads

import fastiou
from fastiou._ops import fallback

pytestmark = pytest.mark.parametrize("device", DEVICES)

LOSSES = {
    "log": dict(k=4.0),
    "area": dict(k=4.0, union="area", mode="linear", reduction="sum"),
    "official": dict(convention="official", degrees=True, reduction="none"),
    "through": dict(straight_through=True, clockwise=False, scale=0.5),
}
each_loss = pytest.mark.parametrize("name", LOSSES)


def float_pairs(n, device, seed=0, dtype=torch.float32):
    return [x.to(device, dtype) for x in pairs(n, 3, 20, seed=seed, shift=0.7)]


def sets_of(n, m, *batch, device="cpu"):
    count = math.prod(batch)
    first, second = float_pairs(max(n, m) * count, device)
    first[:, :2], second[:, :2] = first[:, :2] * 0.2, second[:, :2] * 0.2
    return [x[: k * count].reshape(*batch, k, 5) for x, k in ((first, n), (second, m))]


def assert_same(actual, expected):
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------------------------------------------------- operators
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64], ids=str)
@pytest.mark.parametrize("reduction", [0, 1])
def test_opcheck_of_the_loss(device, dtype, reduction):
    pred, target = float_pairs(5, device, dtype=dtype)
    weight, factor = torch.rand(5, device=device), torch.tensor(3.0, device=device)
    head = pred.reshape(5, 1, 5).permute(2, 0, 1).contiguous().permute(1, 2, 0)  # not contiguous
    cases = [
        ((pred, target, None, None, 4, 4, 0), (False, False)),
        ((pred, target, weight, None, 5, 5, 1), (True, False)),
        ((pred, target, weight, factor, 4, 4, 2), (True, True)),
        ((pred[:, :4], target[:, :4], weight, None, 0, 2, 2), (False, True)),
        ((head, target[:, None], None, None, 6, 6, 2), (True, True)),
    ]
    for args, wanted in cases:
        args = (*args, False, False, 4.0, 1.0, 1e-6, 2.0, True, reduction, None, *wanted)
        torch.library.opcheck(torch.ops.fastiou.pixel_loss.default, args)
    args = (*cases[0][0], True, True, 4.0, 1.0, 1e-6, 1.0, False, 0, None, False, False)
    torch.library.opcheck(torch.ops.fastiou.pixel_loss.default, args)


@pytest.mark.parametrize("batch", [(), (2,)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64, torch.int32], ids=str)
def test_opcheck_of_pairs(device, batch, dtype):
    boxes = [x.to(dtype) for x in sets_of(3, 4, *batch, device=device)]
    for hard in (False, True):
        args = (*boxes, 4, 4, False, hard, 4.0, 1.0)
        torch.library.opcheck(torch.ops.fastiou.pixel_pairwise.default, args)
    if dtype.is_floating_point:
        grad = torch.rand(*batch, 3, 4, device=device, dtype=torch.float64 if dtype == torch.float64 else None)
        for wanted in ((True, True), (False, True)):
            args = (grad, *boxes, 4, 4, True, 4.0, 1.0, *wanted)
            torch.library.opcheck(torch.ops.fastiou.pixel_pairwise_backward.default, args)


def test_opcheck_of_scaled_rows(device):
    partials = torch.rand(6, 5, device=device)
    for grad in (torch.rand(6, device=device), torch.tensor(2.0, device=device)):
        torch.library.opcheck(torch.ops.fastiou.scale_rows.default, (partials, grad, torch.float16))


def test_schemas_are_those_of_the_libraries(device):
    for name, (schema, _) in fallback.OPERATORS.items():
        compiled = getattr(torch.ops.fastiou, name).default._schema
        expected = torch._C.parse_schema(f"fastiou::{schema}")
        assert str(compiled) == str(expected)


# --------------------------------------------------------------------------------------------------------- transforms
@each_loss
def test_compile_with_dynamic_shapes(device, name):
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")

    def loss(pred, target):
        return fastiou.piou_loss(pred * 1.5, target * 1.5, **LOSSES[name]) * 3

    compiled = torch.compile(loss, backend=counter, fullgraph=True, dynamic=True)
    compilations = None
    for n in (9, 20, 50):
        pair = float_pairs(n, device, seed=n)
        assert_same(value_and_grads(compiled, *pair), value_and_grads(loss, *pair))
        compilations = compilations or counter.frame_count
    assert counter.frame_count == compilations


def test_compile_of_pairs_with_dynamic_shapes(device):
    torch._dynamo.reset()
    counter = torch._dynamo.testing.CompileCounterWithBackend("aot_eager")

    def total(a, b):
        return fastiou.pixel_iou(a * 1.5, b, k=4.0, pairwise=True)

    compiled = torch.compile(total, backend=counter, fullgraph=True, dynamic=True)
    compilations = None
    for n, m in ((6, 9), (7, 4), (12, 3)):
        pair = sets_of(n, m, device=device)
        assert_same(value_and_grads(compiled, *pair), value_and_grads(total, *pair))
        compilations = compilations or counter.frame_count
    assert counter.frame_count == compilations


def test_compile_by_inductor(device):
    torch._dynamo.reset()
    weight = torch.rand(10, device=device)

    def loss(pred, target):
        boxes = pred.sigmoid() * 30
        scores = fastiou.pixel_iou(boxes[:3], target, union="area", pairwise=True)
        count = fastiou.pixel_iou(boxes, target, hard=True)
        return fastiou.piou_loss(boxes, target, weight=weight, straight_through=True) + scores.sum() + count.sum()

    pred, target = torch.randn(10, 5, device=device), float_pairs(10, device)[1]
    compiled = torch.compile(loss, fullgraph=True)
    assert_same(value_and_grads(compiled, pred, target), value_and_grads(loss, pred, target))
    with torch.no_grad():
        assert_same([compiled(pred, target)], [loss(pred, target)])


def test_export(device):
    class Model(torch.nn.Module):
        def forward(self, pred, target):
            loss = fastiou.piou_loss(pred, target, reduction="none")
            return loss + fastiou.pixel_iou(pred, target, hard=True) + fastiou.pixel_iou(pred, target).exp()

    n = torch.export.Dim("n")
    pair = tuple(float_pairs(10, device))
    program = torch.export.export(Model(), pair, dynamic_shapes=({0: n}, {0: n}))
    other = float_pairs(21, device, seed=1)
    assert_same([program.module()(*other)], [Model()(*other)])


@each_loss
def test_vmap_and_func_grad(device, name):
    pred, target = (x.reshape(3, 4, 5) for x in float_pairs(12, device))
    weight = torch.rand(3, 4, device=device)

    def total(p, t, w):
        return fastiou.piou_loss(p, t, weight=w, **LOSSES[name]).sum()

    per_sample = torch.vmap(torch.func.grad(total, argnums=(0, 1, 2)))(pred, target, weight)
    values = torch.vmap(total)(pred, target, weight)
    for i in range(3):
        expected = value_and_grads(total, pred[i], target[i], weight[i])
        assert_same((values[i], *(g[i] for g in per_sample)), expected)


@pytest.mark.parametrize("hard", [False, True])
def test_vmap_of_pairs(device, hard):
    boxes1, boxes2 = sets_of(3, 4, 2, device=device)

    def scores(a, b):
        return fastiou.pixel_iou(a, b, k=4.0, hard=hard, pairwise=True)

    assert_same([torch.vmap(scores)(boxes1, boxes2)], [scores(boxes1, boxes2)])
    assert_same([torch.vmap(scores, (0, None))(boxes1, boxes2[0])], [scores(boxes1, boxes2[:1])])
    twice = torch.vmap(torch.vmap(scores, (0, None)), (0, None))(boxes1[None], boxes2[0])
    assert_same([twice[0]], [scores(boxes1, boxes2[0])])
    aligned = torch.vmap(lambda a, b: fastiou.pixel_iou(a, b, k=4.0, hard=hard), (None, 0))(boxes1[0], boxes2[:, :3])
    assert_same([aligned], [fastiou.pixel_iou(boxes1[0], boxes2[:, :3], k=4.0, hard=hard)])
    gradient = torch.vmap(torch.func.grad(lambda a, b: scores(a, b).square().sum(), argnums=(0, 1)))(boxes1, boxes2)
    for i in range(2):
        if hard:
            assert all((g == 0).all() for g in gradient)
        else:
            expected = value_and_grads(lambda a, b: scores(a, b).square(), boxes1[i], boxes2[i])
            assert_same([g[i] for g in gradient], expected[1:])


@pytest.mark.parametrize("pairwise", [False, True])
def test_second_derivative_is_refused(device, pairwise):
    pred, target = float_pairs(4, device)
    pred.requires_grad_()
    value = fastiou.pixel_iou(pred, target, pairwise=pairwise).sum()
    (grad,) = torch.autograd.grad(value, pred, create_graph=True)
    with pytest.raises(NotImplementedError, match="no second derivative"):
        (pred.sum() + grad.square().sum()).backward()


@pytest.mark.parametrize("pairwise", [False, True])
def test_gradient_of_one_side(device, pairwise):
    pred, target = float_pairs(5, device)
    expected = value_and_grads(fastiou.pixel_iou, pred, target, pairwise=pairwise)
    first = value_and_grads(lambda x: fastiou.pixel_iou(x, target, pairwise=pairwise), pred)
    second = value_and_grads(lambda x: fastiou.pixel_iou(pred, x, pairwise=pairwise), target)
    assert torch.equal(first[1], expected[1]) and torch.equal(second[1], expected[2])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_autocast(device, dtype):
    pred, target = float_pairs(10, device, dtype=dtype)
    with torch.autocast(device, dtype=dtype):
        loss = fastiou.piou_loss(pred, target)
        scores = fastiou.pixel_iou(pred[:, :4], target[:, :4], fmt="xywh", pairwise=True)
    assert loss.dtype == scores.dtype == torch.float32
    assert torch.equal(loss, fastiou.piou_loss(pred.float(), target.float()))
    expected = fastiou.pixel_iou(pred[:, :4].float(), target[:, :4].float(), fmt="xywh", pairwise=True)
    assert torch.equal(scores, expected)


def test_inference_mode(device):
    with torch.inference_mode():
        pred, target = float_pairs(6, device)
        loss = fastiou.piou_loss(pred, target, straight_through=True)
    assert torch.equal(loss, fastiou.piou_loss(*float_pairs(6, device)))
