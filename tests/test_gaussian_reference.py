"""The plain-PyTorch formulas of Gaussian distances against their definition with matrices, and values of others."""

import json
import math
from pathlib import Path

import pytest
import torch
from axes import DEVICES, loss_and_grads
from rotated_boxes import edge_pairs, random_pairs

from fastiou.reference.gaussian import FUNCTIONS, KFIOU_FUNCTIONS, KINDS, distance, pairwise, row_loss

PEERS = json.loads((Path(__file__).parent / "data" / "probiou.json").read_text())
SIMILARITIES = ("kfiou", "probiou")

pytestmark = pytest.mark.parametrize("device", DEVICES)
each_kind = pytest.mark.parametrize("kind", KINDS)


def functions(kind):
    return KFIOU_FUNCTIONS if kind == "kfiou" else ("none", "ln") if kind == "probiou" else FUNCTIONS


def gaussian(boxes, divisor=4.0):
    """Mean and covariance, as MMRotate's ``xy_wh_r_2_xy_sigma``."""
    sizes = boxes[..., 2:4].clamp(1e-7, 1e7)
    c, s = boxes[..., 4].cos(), boxes[..., 4].sin()
    turn = torch.stack([c, -s, s, c], -1).unflatten(-1, (2, 2))
    return boxes[..., :2], turn @ torch.diag_embed(sizes**2 / divisor) @ turn.mT


def matrix_kl(first, second, alpha):
    (mu1, sigma1), (mu2, sigma2) = first, second
    d = (mu1 - mu2).unsqueeze(-1)
    inverse = sigma1.inverse()
    trace = (inverse @ sigma2).diagonal(dim1=-2, dim2=-1).sum(-1)
    log = (sigma1.det() / sigma2.det()).log()
    return (d.mT @ inverse @ d)[..., 0, 0] / (2 * alpha**2) + trace / 2 + log / 2 - 1


def matrix_bhattacharyya(first, second, alpha):
    (mu1, sigma1), (mu2, sigma2) = first, second
    d, sigma = (mu1 - mu2).unsqueeze(-1), (sigma1 + sigma2) / 2
    log = (sigma.det() / (sigma1.det() * sigma2.det()).sqrt()).log()
    return (d.mT @ sigma.inverse() @ d)[..., 0, 0] / (8 * alpha**2) + log / 2


def matrix_distance(boxes1, boxes2, kind, alpha=1.0, sqrt=True, normalize=True):
    """The definitions, written with matrices."""
    first, second = gaussian(boxes1), gaussian(boxes2)
    (mu1, sigma1), (mu2, sigma2) = first, second
    trace = lambda m: m.diagonal(dim1=-2, dim2=-1).sum(-1)  # noqa: E731
    root = torch.sqrt if sqrt else lambda d: d
    if kind == "gwd":
        cross = (trace(sigma1 @ sigma2) + 2 * (sigma1.det() * sigma2.det()).sqrt()).sqrt()
        d2 = (mu1 - mu2).square().sum(-1) + alpha**2 * (trace(sigma1) + trace(sigma2) - 2 * cross)
        scale = 2 * (sigma1.det() * sigma2.det()) ** (1 / 8) if normalize else 1
        return root(d2 / scale**2)
    if kind == "bcd":
        return matrix_bhattacharyya(first, second, alpha)
    if kind == "probiou":
        uniform = (gaussian(boxes, 12.0) for boxes in (boxes1, boxes2))
        return 1 - (1 - torch.exp(-matrix_bhattacharyya(*uniform, alpha)) + 1e-7).sqrt()
    if kind == "kfiou":
        gain = sigma1 @ (sigma1 + sigma2).inverse()
        area1, area2, overlap = (4 * m.det().sqrt() for m in (sigma1, sigma2, sigma1 - gain @ sigma1))
        return overlap / (area1 + area2 - overlap)
    there, back = matrix_kl(first, second, alpha), matrix_kl(second, first, alpha)
    if kind == "kld":
        return root(there)
    return root({"jd": (there + back) / 2, "kld_symmax": there.maximum(back), "kld_symmin": there.minimum(back)}[kind])


@each_kind
@pytest.mark.parametrize("options", [{}, {"alpha": 0.5, "sqrt": False}, {"normalize": False}], ids=str)
def test_matrices(device, kind, options):
    boxes = random_pairs(2000, seed=1, device=device)
    expected = loss_and_grads(matrix_distance, *boxes, kind, **options)
    actual = loss_and_grads(distance, *boxes, kind, **options)
    torch.testing.assert_close(actual, expected, rtol=1e-8, atol=1e-9)


def test_ultralytics(device):
    """Values and gradients of Ultralytics' ``probiou`` and ``batch_probiou``."""
    boxes = [torch.tensor(PEERS[side], dtype=torch.float64, device=device) for side in ("boxes1", "boxes2")]
    actual = loss_and_grads(distance, *boxes, "probiou")
    for tensor, name, tolerance in zip(
        actual, ("value", "grad_boxes1", "grad_boxes2"), (1e-6, 2e-6, 2e-6), strict=True
    ):
        expected = torch.tensor(PEERS[name], dtype=torch.float64, device=device)
        torch.testing.assert_close(tensor, expected, rtol=0, atol=tolerance)
    expected = torch.tensor(PEERS["pairwise"], dtype=torch.float64, device=device)
    torch.testing.assert_close(pairwise(*boxes, "probiou"), expected, rtol=0, atol=1e-6)


@each_kind
def test_functions(device, kind):
    """``fun`` and ``tau`` of a loss, as MMRotate applies them."""
    boxes = random_pairs(100, seed=2, device=device)
    d = distance(*boxes, kind)
    if kind == "kfiou":
        expected = {"none": 1 - d, "ln": -(d + 1e-6).log(), "exp": (1 - d).exp() - 1}
    elif kind == "probiou":
        hellinger2 = (1 - d) ** 2 - 1e-7
        expected = {"none": 1 - d, "ln": -(1 - hellinger2).log()}
    else:
        expected = {"none": d, "log1p": (1 + d).log(), "sqrt": d.sqrt()}
    assert set(expected) == set(functions(kind))
    for fun, value in expected.items():
        for tau in (0.0, 1.0, 2.0):
            bounded = 1 - 1 / (tau + value) if tau >= 1 and kind not in SIMILARITIES else value
            torch.testing.assert_close(row_loss(*boxes, kind, fun, tau), bounded, rtol=1e-9, atol=1e-12)
    default = "none" if kind in SIMILARITIES else "log1p"
    assert torch.equal(row_loss(*boxes, kind), row_loss(*boxes, kind, default, 1.0))


@each_kind
def test_gradcheck(device, kind):
    boxes = [x.requires_grad_() for x in random_pairs(4, seed=3, device=device, aspect=4)]
    for fun in functions(kind):
        for options in ({"tau": 1.0}, {"tau": 0.0, "alpha": 0.7, "sqrt": False}):
            assert torch.autograd.gradcheck(lambda p, t, f=fun, o=options: row_loss(p, t, kind, f, **o), boxes)


@each_kind
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_identical(device, kind, dtype):
    """Distance and gradient are exactly 0; KFIoU is 1/3 and ProbIoU 1 - sqrt(1e-7), without gradient but rounding."""
    boxes, _ = random_pairs(500, seed=4, dtype=dtype, device=device, aspect=1000)
    best = {"kfiou": 1 / 3, "probiou": 1 - 1e-7**0.5}.get(kind, 0.0)
    rounding = 4 * torch.finfo(dtype).eps if kind in SIMILARITIES else 0.0
    for fun in functions(kind):
        loss, *grads = loss_and_grads(row_loss, boxes, boxes.clone(), kind, fun)
        assert kind in SIMILARITIES or (loss == 0).all()
        sides = boxes[:, 2:4].amin(-1, keepdim=True).clamp(max=1)
        assert all((grad.abs() * sides <= 4 * rounding).all() for grad in grads)
    assert (distance(boxes, boxes, kind) - best).abs().max() <= rounding


@each_kind
def test_near_identical(device, kind):
    """Gradients point to the minimum from as near as float32 can tell."""
    boxes, _ = random_pairs(1000, seed=5, device=device)
    noise = torch.randn(1000, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(device)
    for step in (1e-3, 1e-5):
        pred = (boxes + step * noise * boxes[:, 2:4].amin(-1, keepdim=True)).float()
        target = boxes.float()
        _, actual, _ = loss_and_grads(row_loss, pred, target, kind)
        _, expected, _ = loss_and_grads(row_loss, pred.double(), target.double(), kind)
        unit = expected.abs().amax(-1, keepdim=True)
        if kind in SIMILARITIES:  # no cone: the gradient is as small as the step
            unit = unit.clamp(min=unit.median() / step * 1e-5)
        assert ((actual - expected).abs() / unit).max() <= 2e-3


@each_kind
def test_same_gaussian(device, kind):
    """A quarter turn with swapped sides, and half a turn; a square has no angle."""
    pred, target = random_pairs(300, seed=6, device=device)
    expected = distance(pred, target, kind)
    quarter = torch.tensor([0, 0, 0, 0, math.pi / 2], dtype=torch.float64, device=device)
    swap = [0, 1, 3, 2, 4]
    for boxes in ((pred[:, swap] + quarter, target), (pred, target[:, swap] - quarter), (pred + 2 * quarter, target)):
        torch.testing.assert_close(distance(*boxes, kind), expected, rtol=1e-9, atol=1e-9)
    degrees = [torch.cat([b[:, :4], -b[:, 4:] * 180 / math.pi], -1) for b in (pred, target)]
    actual = distance(*degrees, kind, degrees=True, clockwise=False)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)
    square = pred[:, [0, 1, 2, 2, 4]]
    turned = square + torch.tensor([0, 0, 0, 0, 0.3], dtype=torch.float64, device=device)
    torch.testing.assert_close(distance(square, target, kind), distance(turned, target, kind), rtol=1e-9, atol=1e-9)


#: Largest error in float32 of pairs with sides from 1 to 1000 that differ by 5 %: relative, of values above 1.
FLOAT32 = {"gwd": 1.3e-4, "bcd": 3.7e-5, "kfiou": 9e-6, "probiou": 3.7e-5}


@each_kind
def test_float32(device, kind):
    g = torch.Generator().manual_seed(7)
    n = 20_000
    target = torch.rand(n, 5, generator=g, dtype=torch.float64) * torch.tensor([600, 600, 0, 0, 6])
    target[:, 2:4] = 1000 ** torch.rand(n, 2, generator=g, dtype=torch.float64)
    noise = torch.randn(n, 5, generator=g, dtype=torch.float64) * 0.05
    pred = target + noise * torch.cat([target[:, 2:4], target[:, 2:4], torch.ones(n, 1)], -1)
    pred[:, 2:4] = pred[:, 2:4].clamp(min=1)
    pred, target = pred.to(device, torch.float32), target.to(device, torch.float32)
    expected = distance(pred.double(), target.double(), kind, normalize=False)
    error = (distance(pred, target, kind, normalize=False) - expected).abs() / expected.clamp(min=1)
    assert error.max() <= FLOAT32.get(kind, 1.4e-4)


@each_kind
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64], ids=str)
def test_finite(device, kind, dtype):
    pred, target = edge_pairs(dtype, device)
    for fun in functions(kind):
        for tau in (0.0, 1.0):
            for tensor in loss_and_grads(row_loss, pred, target, kind, fun, tau):
                bad = ~tensor.isfinite().reshape(len(pred), -1).all(-1)
                assert not bad.any(), torch.cat([pred, target], -1)[bad][:5]


@each_kind
def test_nan_stays_in_its_row(device, kind):
    pred, target = random_pairs(11, seed=8, device=device)
    expected = loss_and_grads(row_loss, pred, target, kind)
    for column in range(5):
        for value in (math.nan, math.inf):
            boxes = pred.clone(), target.clone()
            boxes[column % 2][7, column] = value
            for actual, clean in zip(loss_and_grads(row_loss, *boxes, kind), expected, strict=True):
                assert actual[7].isnan().all(), (column, value)
                assert torch.equal(actual[:7], clean[:7]) and torch.equal(actual[8:], clean[8:])


@each_kind
def test_pairwise(device, kind):
    boxes1, boxes2 = random_pairs(16, seed=9, device=device)
    boxes1, boxes2 = boxes1.view(2, 8, 5), boxes2[:5]
    expected = loss_and_grads(lambda a, b: distance(a.unsqueeze(-2), b, kind), boxes1, boxes2)
    torch.testing.assert_close(loss_and_grads(pairwise, boxes1, boxes2, kind), expected, rtol=1e-12, atol=1e-12)
    mask = torch.tensor([True, False, True, True, False], device=device)
    hidden = boxes2.masked_fill(~mask[:, None], math.inf)
    score, _, grad = loss_and_grads(pairwise, boxes1, hidden, kind, mask2=mask)
    assert torch.equal(score, expected[0] * mask) and (grad[~mask] == 0).all()


@each_kind
def test_transforms(device, kind):
    pred, target = random_pairs(8, seed=10, device=device)
    loss, grad, _ = loss_and_grads(row_loss, pred, target, kind)
    actual = torch.func.vmap(torch.func.grad_and_value(lambda p, t: row_loss(p, t, kind)))(pred, target)
    torch.testing.assert_close(actual, (grad, loss), rtol=1e-12, atol=1e-12)
    if kind == "gwd":
        compiled = torch.compile(lambda p, t: row_loss(p, t, kind), fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(loss_and_grads(compiled, pred, target)[:2], (loss, grad), rtol=1e-12, atol=1e-12)
