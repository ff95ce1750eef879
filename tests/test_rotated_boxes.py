"""Conventions of rotated boxes: the same region in all of them, angles in range, and the numbers of other libraries."""

import itertools
import json
import math
from pathlib import Path

import pytest
import torch
from axes import DEVICES, DTYPES

import fastiou
from fastiou.conventions.rotated import CONVENTIONS

GOLDEN = json.loads((Path(__file__).parent / "data" / "rotated_conventions.json").read_text())
PAGE = (Path(__file__).parents[1] / "docs" / "rotated.md").read_text()
UPRIGHT = ("xyxy", "xywh", "cxcywh")
TARGETS = tuple(name for name in fastiou.rotated_conventions() if name not in UPRIGHT)
PI = math.pi
#: Quadrilaterals in the data around which one rectangle is least; a triangle, say, has as many as sides.
UNIQUE = [1, 4, 5, 7, 8, 9, 10]
#: The ranges as their libraries document them: least, largest, which of them is in, whether w >= h.
RANGES = {
    "mmrotate_oc": (0, PI / 2, "largest", False),
    "mmrotate_le90": (-PI / 2, PI / 2, "least", True),
    "mmrotate_le135": (-PI / 4, 3 * PI / 4, "least", True),
    "ultralytics": (0, PI / 2, "least", False),
    "ultralytics_head": (-PI / 4, 3 * PI / 4, "least", False),
    "detectron2": (-180, 180, "least", False),
    "opencv": (-90, 0, "least", False),
    "opencv_451": (0, 90, "largest", False),
}
DEGREES = {"detectron2", "torchvision_cxcywhr", "torchvision_xywhr", "opencv", "opencv_451"}
COUNTER_CLOCKWISE = {"detectron2", "torchvision_cxcywhr", "torchvision_xywhr"}


def boxes_in_all_positions(dtype, device="cpu") -> torch.Tensor:
    """Canonical boxes: random ones, and every multiple of an eighth turn with its neighbours, wide, tall and square."""
    g = torch.Generator().manual_seed(0)
    sides = [(30.0, 10.0), (10.0, 30.0), (20.0, 20.0), (25.0, 0.0), (0.0, 25.0), (0.0, 0.0)]
    exact = torch.tensor([k * PI / 4 for k in range(-10, 11)] + [1e-9, -1e-9, 1e-30, -1e-30]).to(dtype)
    infinity = torch.tensor(math.inf, dtype=dtype)
    angles = torch.cat([exact, torch.nextafter(exact, infinity), torch.nextafter(exact, -infinity)])
    some = torch.tensor([(50.0, 70.0, *s, 0.0) for s in sides], dtype=dtype).repeat_interleave(len(angles), 0)
    some[:, 4] = angles.repeat(len(sides))
    random = torch.rand(200, 5, generator=g) * torch.tensor([200, 200, 90, 90, 20]) - torch.tensor([50, 50, 0, 0, 10])
    return torch.cat([some, random.to(dtype)]).to(device)


def corners(boxes: torch.Tensor, name: str) -> torch.Tensor:
    """The corners (N, 4, 2) in float64, from what the documentation of each convention says."""
    boxes = boxes.double()
    if boxes.shape[-1] == 8:
        return boxes.reshape(-1, 4, 2)
    x, y, w, h, angle = boxes.unbind(-1)
    angle = torch.deg2rad(angle) if name in DEGREES else angle
    angle = -angle if name in COUNTER_CLOCKWISE else angle
    u = torch.stack([angle.cos(), angle.sin()], -1)
    v = torch.stack([-angle.sin(), angle.cos()], -1)
    start = torch.stack([x, y], -1)
    if name != "torchvision_xywhr":
        start = start - u * w[:, None] / 2 - v * h[:, None] / 2
    across, down = u * w[:, None], v * h[:, None]
    return torch.stack([start, start + across, start + across + down, start + down], 1)


def distance(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """The largest distance of a corner of one rectangle from the nearest corner of the other."""
    d = torch.linalg.vector_norm(a[:, :, None] - b[:, None], dim=-1)
    return torch.maximum(d.amin(1).amax(-1), d.amin(2).amax(-1))


def rounding(boxes: torch.Tensor, dtype) -> torch.Tensor:
    """How far the rounding of canonical boxes and of their angles moves a corner."""
    x, y, w, h, angle = boxes.double().abs().unbind(-1)
    return torch.finfo(dtype).eps * (x + y + (w + h) * (2 + angle)) + 1e-30


def assert_in_range(boxes: torch.Tensor, name: str) -> None:
    least, largest, closed, long_side_first = RANGES[name]
    angle = boxes[:, 4]
    least, largest = (angle.new_full((), x) for x in (least, largest))
    assert bool(((angle >= least) if closed == "least" else (angle > least)).all())
    assert bool(((angle <= largest) if closed == "largest" else (angle < largest)).all())
    if long_side_first:
        assert bool((boxes[:, 2] >= boxes[:, 3]).all())


def test_every_convention_is_tested():
    assert set(RANGES) == {name for name in TARGETS if CONVENTIONS[name].range is not None}


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("src", TARGETS)
def test_the_region_stays_and_the_angle_is_in_range(src, dtype, device):
    canonical = boxes_in_all_positions(dtype, device)
    if src == "torchvision_xyxyxyxy":  # the angle is that of the width, and as bad as the width is short
        canonical = canonical[(canonical[:, 2] > 0) & (canonical[:, 2] > canonical[:, 3] / 8)]
    boxes = fastiou.convert_rotated(canonical, "cxcywhr", src)
    assert bool((distance(corners(boxes, src), corners(canonical, "cxcywhr")) <= 4 * rounding(canonical, dtype)).all())
    allowed = 40 if src == "torchvision_xyxyxyxy" else 6
    for dst in TARGETS:
        result = fastiou.convert_rotated(boxes, src, dst)
        assert result.dtype == dtype and result.device == boxes.device and result.shape[0] == boxes.shape[0]
        moved = distance(corners(result, dst), corners(boxes, src))
        assert bool((moved <= allowed * rounding(canonical, dtype)).all()), dst
        if dst in RANGES:
            assert_in_range(result, dst)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", RANGES)
def test_boxes_in_range_stay_as_they_are(name, dtype):
    boxes = fastiou.convert_rotated(boxes_in_all_positions(dtype), "cxcywhr", name)
    torch.testing.assert_close(fastiou.convert_rotated(boxes, name, name), boxes, rtol=0, atol=0)


@pytest.mark.parametrize("dst", ["opencv", "opencv_451", "detectron2"])
@pytest.mark.parametrize("src", ["opencv", "detectron2"])
def test_degrees_are_folded_without_error(src, dst):
    """Whole degrees, thousands of turns away, have whole degrees as their result."""
    angle = torch.arange(-1000000, 1000001, 997, dtype=torch.float32)
    boxes = torch.stack([angle, angle, angle.abs() + 1, angle.abs() + 2, angle], -1)
    result = fastiou.convert_rotated(boxes, src, dst)
    sign = 1 if (src == "detectron2") == (dst == "detectron2") else -1
    period = 360 if dst == "detectron2" else 90
    assert bool(((result[:, 4] - sign * angle) % period == 0).all())
    assert_in_range(result, dst)


def test_upright_boxes():
    expected = torch.tensor([[25.0, 40.0, 30.0, 40.0, 0.0]])
    for name, box in {"xyxy": [10, 20, 40, 60], "xywh": [10, 20, 30, 40], "cxcywh": [25, 40, 30, 40]}.items():
        box = torch.tensor([box], dtype=torch.float32)
        torch.testing.assert_close(fastiou.convert_rotated(box, name, "cxcywhr"), expected, rtol=0, atol=0)
        for dst in ("torchvision_cxcywhr", "detectron2"):
            angle = fastiou.convert_rotated(box, name, dst)[0, 4]
            assert angle == 0 and not angle.signbit()
        le90 = fastiou.convert_rotated(box, name, "mmrotate_le90")
        torch.testing.assert_close(le90, torch.tensor([[25, 40, 40, 30, -PI / 2]]), rtol=0, atol=0)


def close(actual, expected, atol=1e-9):
    torch.testing.assert_close(actual, torch.as_tensor(expected, dtype=actual.dtype), rtol=0, atol=atol)


@pytest.mark.parametrize("dst", ["cxcywhr", "xywhr", "xyxyxyxy"])
@pytest.mark.parametrize("src", ["cxcywhr", "xywhr", "xyxyxyxy"])
def test_torchvision(src, dst):
    """torchvision's numbers, also where rotated corners are not a rectangle."""
    golden = GOLDEN["torchvision"]
    if src != "xyxyxyxy":
        boxes = torch.tensor(golden[src], dtype=torch.float64)
        close(fastiou.convert_rotated(boxes, f"torchvision_{src}", f"torchvision_{dst}"), golden[dst])
    elif dst != "xyxyxyxy":
        boxes = torch.tensor(golden["read"]["xyxyxyxy"], dtype=torch.float64)
        close(fastiou.convert_rotated(boxes, f"torchvision_{src}", f"torchvision_{dst}"), golden["read"][dst])


def test_half_turns_of_torchvision_are_positive():
    corners = torch.tensor([[10.0, 10, 0, 10, 0, 6, 10, 6]])
    assert fastiou.convert_rotated(corners, "torchvision_xyxyxyxy", "torchvision_cxcywhr")[0, 4] == 180


def test_ultralytics():
    golden = GOLDEN["ultralytics"]
    boxes = torch.tensor(golden["boxes"], dtype=torch.float64)
    close(fastiou.convert_rotated(boxes, "cxcywhr", "ultralytics"), golden["regularized"])
    theirs = torch.tensor(golden["corners"], dtype=torch.float64).reshape(-1, 4, 2)
    ours = fastiou.convert_rotated(boxes, "ultralytics", "polygon")
    assert distance(corners(ours, "polygon"), theirs).max() < 1e-9
    points = torch.tensor(golden["quadrilaterals"], dtype=torch.float64)
    labels, theirs = fastiou.convert_rotated(points, "polygon", "mmrotate_le135"), torch.tensor(golden["read"])
    oblong = [i for i in UNIQUE if theirs[i, 2] > theirs[i, 3] + 1e-3]  # a square has two spellings
    assert len(oblong) == 5
    close(labels[oblong], theirs[oblong], atol=1e-4)


@pytest.mark.parametrize("version, name", [("5.0.0", "opencv"), ("4.10.0", "opencv_451")])
def test_opencv(version, name):
    golden = GOLDEN["opencv"]
    boxes = torch.tensor(golden["boxes"], dtype=torch.float64)
    theirs = torch.tensor(golden["corners"], dtype=torch.float64).reshape(-1, 4, 2)
    ours = fastiou.convert_rotated(boxes, name, "polygon")
    assert distance(corners(ours, "polygon"), theirs).max() < 1e-3
    quadrilaterals = torch.tensor(golden["quadrilaterals"], dtype=torch.float64)
    ours = fastiou.convert_rotated(quadrilaterals, "polygon", name)
    theirs = torch.tensor(golden["read"][version], dtype=torch.float64)
    close(ours[:, 2] * ours[:, 3], theirs[:, 2] * theirs[:, 3], atol=2e-3)
    close(ours[UNIQUE], theirs[UNIQUE], atol=1e-4)


def least_area(points: torch.Tensor) -> torch.Tensor:
    """The least area of a rectangle around points (N, 4, 2), by trying 20,000 directions."""
    angle = torch.linspace(0, PI / 2, 20001, dtype=points.dtype)
    along, across = (
        points @ torch.stack(direction) for direction in ((angle.cos(), angle.sin()), (-angle.sin(), angle.cos()))
    )
    return ((along.amax(1) - along.amin(1)) * (across.amax(1) - across.amin(1))).amin(-1)


def test_a_polygon_is_its_rectangle_of_least_area():
    points = torch.rand(100, 4, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64) * 100
    points[::10, 3] = points[::10, 0]  # triangles
    rectangle = fastiou.convert_rotated(points.flatten(1), "polygon", "cxcywhr")
    area, least = rectangle[:, 2] * rectangle[:, 3], least_area(points)
    assert bool((area <= least * (1 + 1e-9)).all()) and bool((area >= least * (1 - 1e-3)).all())
    corner = corners(rectangle, "cxcywhr")
    edges = corner.roll(-1, 1) - corner
    seen = points[:, None] - corner[:, :, None]  # from every corner of the rectangle
    inside = edges[:, :, None, 0] * seen[..., 1] - edges[:, :, None, 1] * seen[..., 0]
    assert bool((inside > -1e-9).all())


def test_the_order_of_the_points_does_not_matter():
    points = torch.tensor([[0.0, 0], [60, 5], [50, 40], [2, 30]], dtype=torch.float64)
    expected = corners(fastiou.convert_rotated(points.reshape(1, 8), "polygon", "cxcywhr"), "cxcywhr")
    for order in itertools.permutations(range(4)):
        box = fastiou.convert_rotated(points[list(order)].reshape(1, 8), "polygon", "cxcywhr")
        assert distance(corners(box, "cxcywhr"), expected).max() < 1e-12


def test_rectangles_as_polygons_keep_width_and_angle():
    boxes = torch.tensor([[5.0, 6, 30, 10, 0.3], [5, 6, 10, 30, 2.0], [5, 6, 10, 10, -3.0]], dtype=torch.float64)
    for name in ("polygon", "torchvision_xyxyxyxy"):
        there = fastiou.convert_rotated(boxes, "cxcywhr", name)
        close(fastiou.convert_rotated(there, name, "cxcywhr"), boxes, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("name", ["polygon", "torchvision_xyxyxyxy"])
def test_degenerate_corners(name, scale):
    """Points, needles of either side and sizes near the ends of float32: finite, with finite gradients."""
    boxes = torch.tensor([[3.0, 4, 0, 0, 0.5], [3, 4, 5, 0, 0.5], [3, 4, 0, 5, 0.5], [3, 4, 6, 2, 0.5]])
    boxes[:, :4] *= scale
    x = fastiou.convert_rotated(boxes, "cxcywhr", name).requires_grad_()
    result = fastiou.convert_rotated(x, name, "cxcywhr")
    assert result.isfinite().all()
    moved = distance(corners(result, "cxcywhr"), corners(boxes, "cxcywhr"))
    assert moved.max() < 4e-6 * scale
    (result * torch.tensor([1, 1, 1, 1, scale])).sum().backward()
    assert x.grad.isfinite().all()


def test_negative_sides_count_as_0():
    boxes = torch.tensor([[1.0, 2, -3, 4, 0.5]])
    assert fastiou.convert_rotated(boxes, "cxcywhr", "cxcywhr")[0, 2] == 0
    assert fastiou.convert_rotated(torch.tensor([[3.0, 0, 1, 5]]), "xyxy", "cxcywhr")[0, 2] == 0


@pytest.mark.parametrize("dst", TARGETS)
def test_nan_and_infinity_are_not_hidden(dst):
    for bad in (math.nan, math.inf):
        boxes = torch.tensor([[1.0, 2, 3, 4, bad], [1.0, 2, 3, 4, 0.5]])
        result = fastiou.convert_rotated(boxes, "cxcywhr", dst)
        assert not result[0].isfinite().all() and result[1].isfinite().all()


@pytest.mark.parametrize("src", fastiou.rotated_conventions())
def test_gradients(src):
    boxes = torch.tensor([[3.0, 4, 6, 2, 0.4], [3, 4, 2, 6, 2.5], [30, 40, 5, 7, -4]], dtype=torch.float64)
    if src in UPRIGHT:
        x = torch.tensor([[1.0, 2, 6, 9]], dtype=torch.float64)
    else:
        x = fastiou.convert_rotated(boxes, "cxcywhr", src)
    for dst in TARGETS:
        if src in ("polygon", "torchvision_xyxyxyxy") and dst not in ("polygon", "torchvision_xyxyxyxy"):
            x = x + torch.linspace(0, 0.3, x.numel(), dtype=x.dtype).reshape(x.shape)  # exact ones are at a kink
        x = x.detach().requires_grad_()
        assert torch.autograd.gradcheck(lambda x, dst=dst: fastiou.convert_rotated(x, src, dst), x), dst


@pytest.mark.parametrize("dst", [*RANGES, "cxcywhr"])
def test_the_gradient_of_an_angle_is_its_unit_also_at_the_ends(dst):
    boxes = boxes_in_all_positions(torch.float32).requires_grad_()
    fastiou.convert_rotated(boxes, "cxcywhr", dst)[:, 4].sum().backward()
    unit = (180 / PI if dst in DEGREES else 1) * (-1 if dst in COUNTER_CLOCKWISE else 1)
    torch.testing.assert_close(boxes.grad[:, 4], torch.full_like(boxes[:, 4], unit))


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3)])
def test_shapes(shape):
    boxes = torch.rand(*shape, 5) + 1
    assert fastiou.convert_rotated(boxes, "cxcywhr", "polygon").shape == (*shape, 8)
    assert fastiou.convert_rotated(torch.rand(*shape, 8), "polygon", "mmrotate_le90").shape == (*shape, 5)


class There(torch.nn.Module):
    """Corners into a range and back."""

    def forward(self, x):
        box = fastiou.convert_rotated(x, "polygon", "mmrotate_le90")
        return fastiou.convert_rotated(box, "mmrotate_le90", "torchvision_xyxyxyxy"), box


@pytest.mark.parametrize("how", ["compile", "vmap", "export"])
def test_transforms(how):
    x = fastiou.convert_rotated(torch.rand(6, 5, generator=torch.Generator().manual_seed(2)), "cxcywhr", "polygon")
    function = There()
    if how == "compile":
        function = torch.compile(function, fullgraph=True, backend="aot_eager", dynamic=True)
    elif how == "vmap":
        function = torch.vmap(function)
    else:
        function = torch.export.export(function, (x,), dynamic_shapes=({0: torch.export.Dim("n")},)).module()
    torch.testing.assert_close(function(x), There()(x))


BOXES = torch.rand(3, 5)
ERRORS = {
    "src": ((BOXES, "le90", "cxcywhr"), ValueError, "src: expected one of 'cxcywhr'.*got 'le90'"),
    "src type": ((BOXES, None, "cxcywhr"), ValueError, "src: expected one of .*got None"),
    "dst": ((BOXES, "cxcywhr", "le90"), ValueError, "dst: expected one of 'cxcywhr'.*got 'le90'"),
    "dst list": ((BOXES, "cxcywhr", ["opencv"]), ValueError, r"dst: expected one of .*got \['opencv'\]"),
    "dst without angle": ((BOXES, "cxcywhr", "xyxy"), ValueError, "dst: expected one of .*'polygon', got 'xyxy'"),
    "width": (
        (torch.rand(3, 4), "opencv", "polygon"),
        ValueError,
        r"boxes: expected shape \(\.\.\., 5\), got \(3, 4\)",
    ),
    "corners": ((BOXES, "polygon", "opencv"), ValueError, r"boxes: expected shape \(\.\.\., 8\), got \(3, 5\)"),
    "no dim": ((torch.tensor(1.0), "xyxy", "opencv"), ValueError, r"boxes: expected shape \(\.\.\., 4\), got \(\)"),
    "dtype": ((BOXES.int(), "opencv", "polygon"), TypeError, "boxes: expected float16.*got torch.int32"),
    "type": (
        ([[1, 2, 3, 4, 5]], "opencv", "polygon"),
        TypeError,
        r"boxes: expected a torch.Tensor of opencv boxes \(\.\.\., 5\), got list",
    ),
}


@pytest.mark.parametrize("arguments, error, message", ERRORS.values(), ids=ERRORS)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        fastiou.convert_rotated(*arguments)


def table_of_conventions() -> str:
    rows = ["| name | numbers | angle | range | whose |", "|---|---|---|---|---|"]
    for name, c in CONVENTIONS.items():
        unit, sense = "degrees" if c.degrees else "radians", "clockwise" if c.clockwise else "counter-clockwise"
        angle = f"{unit}, {sense}" if c.has_angle else ""
        limits = c.spelled_range() + (", w ≥ h" if c.long_side_first else "")
        rows.append(f"| `{name}` | {c.numbers} | {angle} | {limits} | {c.about} |")
    return "\n".join(rows)


def test_the_pages_list_the_conventions():
    table = PAGE.split("<!-- conventions:begin -->")[1].split("<!-- conventions:end -->")[0]
    assert table.strip() == table_of_conventions()
