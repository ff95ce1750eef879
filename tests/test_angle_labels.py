"""Circular smooth labels against a loop over angles and bins, and against what mmrotate's coder computes."""

import math

import pytest
import torch
from axes import DEVICES, DTYPES

import fastiou

WINDOWS = ("pulse", "rectangular", "triangle", "gaussian")
CIRCLES = [(180, 6, -90, 180), (90, 4, 0, 90), (36, 2.5, -45, 180), (1, 1, 0, 180)]
#: Degrees that every dtype holds.
ANGLES = [0, 0.25, 1, 44.5, 45, 89, 90, 134, 179.5, 180, -0.5, -90, 359, -724]


def loop(angle: float, bins: int, window: str, radius: float, start: float, period: float) -> list[float]:
    """The label of one angle, as the paper tells it."""
    inside = math.fmod(math.fmod(angle - start, period) + period, period)
    mine = int(inside / period * bins) % bins
    label = []
    for k in range(bins):
        d = min((k - mine) % bins, (mine - k) % bins)
        value = {
            "pulse": 1.0 if d == 0 else 0.0,
            "rectangular": 1.0 if d < radius else 0.0,
            "triangle": max(0.0, 1 - d / radius),
            "gaussian": math.exp(-d * d / (2 * radius * radius)),
        }
        label.append(value[window])
    return label


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("bins, radius, start, period", CIRCLES)
def test_labels(bins, radius, start, period, window, dtype, device):
    angle = torch.tensor(ANGLES, dtype=dtype, device=device)
    options = dict(start=start, period=period, degrees=True)
    label = fastiou.circular_smooth_label(angle.reshape(2, 7), bins, window, radius, **options)
    assert label.shape == (2, 7, bins) and label.dtype == dtype and label.device == angle.device
    expected = [loop(float(a), bins, window, radius, start, period) for a in angle]
    expected = torch.tensor(expected, dtype=torch.float64).to(device)
    torch.testing.assert_close(label.reshape(14, bins).double(), expected, rtol=0, atol=torch.finfo(dtype).eps)


@pytest.mark.parametrize("window", WINDOWS)
def test_labels_are_periodic_symmetric_and_shifted(window):
    """Exactly: by a period nothing changes, by a bin the label rolls, and both sides of the bin are alike."""
    angle = torch.arange(-180, 180, dtype=torch.float32) + 0.5
    label = fastiou.circular_smooth_label(angle, 180, window, 6, degrees=True)
    for periods in (-7, 1, 1000):
        assert torch.equal(fastiou.circular_smooth_label(angle + 180 * periods, 180, window, 6, degrees=True), label)
    assert torch.equal(label[1:], label[:-1].roll(1, -1))
    centred = label[180]  # of 0.5 degrees: bin 0
    assert torch.equal(centred[1:], centred[1:].flip(0)) and centred[0] == 1


#: Bins and values that are not 0 of mmrotate 1.x's CSLCoder("le90", omega=1, radius=3) for an angle of -88.5 degrees.
MMROTATE = {
    "pulse": {1: 1},
    "rectangular": {178: 1, 179: 1, 0: 1, 1: 1, 2: 1, 3: 1},
    "triangle": {179: 1 / 3, 0: 2 / 3, 1: 1, 2: 2 / 3, 3: 1 / 3},
}


@pytest.mark.parametrize("window", MMROTATE)
def test_mmrotate(window):
    """Its rectangle has a bin more on the left, and none at the same distance on the right."""
    angle = torch.tensor([math.radians(-88.5)])
    label = fastiou.circular_smooth_label(angle, 180, window, 3, start=-math.pi / 2)[0]
    ours = {int(k): float(label[k]) for k in label.nonzero()}
    theirs = {k: v for k, v in MMROTATE[window].items() if not (window == "rectangular" and k == 178)}
    assert ours == pytest.approx(theirs)


@pytest.mark.parametrize("window", ["pulse", "triangle", "gaussian"])  # a rectangle has no single best bin
@pytest.mark.parametrize("degrees", [True, False])
@pytest.mark.parametrize("bins, start, turns", [(180, -1, 2), (90, 0, 1), (45, -0.5, 2)])
def test_decoding_finds_the_angle_up_to_half_a_bin(bins, start, turns, degrees, window):
    quarter = 90 if degrees else math.pi / 2
    options = dict(start=start * quarter, period=turns * quarter, degrees=degrees)
    angle = options["start"] + torch.rand(500, generator=torch.Generator().manual_seed(0)) * options["period"]
    label = fastiou.circular_smooth_label(angle, bins, window, 3, **options)
    back = fastiou.csl_angle(label.reshape(5, 100, bins), **options)
    assert back.shape == (5, 100) and back.dtype == torch.float32
    assert (back.reshape(-1) - angle).abs().max() <= options["period"] / bins / 2 * (1 + 1e-4)
    assert fastiou.csl_angle(label.bfloat16()).dtype == torch.float32
    assert fastiou.csl_angle(label.double()).dtype == torch.float64


def test_the_default_period_is_half_a_turn():
    angle = torch.linspace(-10, 10, 201, dtype=torch.float64)
    label = fastiou.circular_smooth_label(angle, 12)
    assert torch.equal(label, fastiou.circular_smooth_label(angle, 12, period=math.pi))
    assert fastiou.csl_angle(label, degrees=True).max() == 172.5


def test_nan_and_infinity_are_not_hidden():
    for window in WINDOWS:
        label = fastiou.circular_smooth_label(torch.tensor([math.nan, math.inf, 1.0]), 10, window)
        assert label[:2].isnan().all() and label[2].isfinite().all()


def test_angles_next_to_an_end_have_a_bin():
    angle = torch.tensor([-1e-30, 1e-30, torch.nextafter(torch.tensor(180.0), torch.tensor(0.0))])
    best = fastiou.circular_smooth_label(angle, 180, degrees=True).argmax(-1)
    assert best.tolist() == [179, 0, 179]


@pytest.mark.parametrize("how", ["compile", "vmap", "export"])
def test_transforms(how):
    class Label(torch.nn.Module):
        def forward(self, angle):
            label = fastiou.circular_smooth_label(angle, 36, radius=2)
            return label, fastiou.csl_angle(label)

    angle = torch.rand(7) * 9
    function = Label()
    if how == "compile":
        function = torch.compile(function, fullgraph=True, backend="aot_eager", dynamic=True)
    elif how == "vmap":
        function = torch.vmap(function)
    else:
        function = torch.export.export(function, (angle,)).module()
    torch.testing.assert_close(function(angle), Label()(angle))


ANGLE = torch.rand(3)
ERRORS = {
    "angle": (dict(angle=1.0), TypeError, "angle: expected a torch.Tensor, got float"),
    "integer angle": (dict(angle=ANGLE.int()), TypeError, "angle: expected float16.*got torch.int32"),
    "no bins": (dict(bins=0), ValueError, "bins: expected an integer >= 1, got 0"),
    "half a bin": (dict(bins=1.5), ValueError, "bins: expected an integer >= 1, got 1.5"),
    "true bins": (dict(bins=True), ValueError, "bins: expected an integer >= 1, got True"),
    "window": (dict(window="rect"), ValueError, "window: expected one of 'pulse', 'rectangular'.*got 'rect'"),
    "window list": (dict(window=["pulse"]), ValueError, "window: expected one of .*pulse"),
    "radius": (dict(radius=0), ValueError, "radius: expected a finite number > 0, got 0"),
    "radius text": (dict(radius="6"), ValueError, "radius: expected a finite number > 0, got '6'"),
    "start": (dict(start=math.inf), ValueError, "start: expected a finite number, got inf"),
    "period": (dict(period=-1), ValueError, "period: expected a finite number > 0, got -1"),
}


@pytest.mark.parametrize("change, error, message", ERRORS.values(), ids=ERRORS)
def test_errors(change, error, message):
    with pytest.raises(error, match=message):
        fastiou.circular_smooth_label(**{"angle": ANGLE, "bins": 10, **change})


SCORE_ERRORS = {
    "scores": ([1.0], TypeError, r"scores: expected a torch.Tensor \(\.\.\., bins\), got list"),
    "integers": (torch.ones(3, dtype=torch.int64), TypeError, "scores: expected float16.*got torch.int64"),
    "no dim": (torch.tensor(1.0), ValueError, r"scores: expected shape \(\.\.\., bins\).*got \(\)"),
    "no bins": (torch.rand(3, 0), ValueError, r"scores: expected shape .* at least one bin, got \(3, 0\)"),
}


@pytest.mark.parametrize("scores, error, message", SCORE_ERRORS.values(), ids=SCORE_ERRORS)
def test_errors_of_decoding(scores, error, message):
    with pytest.raises(error, match=message):
        fastiou.csl_angle(scores)
