"""``fastiou.numpy``: the numbers of the torch functions, for whatever NumPy takes for an array, and no torch."""

import numpy as np
import pytest
import torch
from axes import EDGE_BOXES, FORMATS, encode, random_boxes

import fastiou
import fastiou.numpy as fn
from fastiou._args.arrays import score_dtype

SET_FORMATS = [f for f in FORMATS if f != "ltrb"]
DTYPES = ["float16", "float32", "float64", *(f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)), ">f4", ">i8"]
GOOD = np.zeros((2, 4), np.float32)
compiled = pytest.mark.skipif(fn.core is None, reason="nothing is compiled")


def numpy_boxes(*leading: int, seed: int = 0, dtype="float32") -> np.ndarray:
    """Boxes in pixels, from 0 to 120."""
    boxes = random_boxes(*leading, seed=seed, dtype=torch.float64)[1].numpy()
    return np.clip(boxes, 0, 120).astype(dtype)


def tensor(boxes: np.ndarray, like: np.ndarray) -> torch.Tensor:
    """The same boxes for the torch functions, whose integers score float32 where NumPy promotes to float64."""
    return torch.from_numpy(np.array(boxes, score_dtype(like, boxes), order="C"))


def assert_same(actual: np.ndarray, expected: torch.Tensor) -> None:
    np.testing.assert_array_equal(actual, expected.numpy())
    assert actual.dtype == expected.numpy().dtype


def unaligned(boxes: np.ndarray) -> np.ndarray:
    """The field of a packed record, one byte off."""
    records = np.zeros(boxes.shape[:-1], np.dtype([("flag", "u1"), ("box", boxes.dtype, (4,))]))
    records["box"] = boxes
    assert boxes.dtype.itemsize == 1 or not records["box"].flags.aligned
    return records["box"]


def wider(boxes: np.ndarray) -> np.ndarray:
    """Columns 1, 3, 5, 7 of a table."""
    table = np.full((*boxes.shape[:-1], 9), np.nan if boxes.dtype.kind == "f" else 7, boxes.dtype)
    table[..., 1:8:2] = boxes
    return table[..., 1:8:2]


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "negative strides": lambda b: np.ascontiguousarray(b[..., ::-1, ::-1])[..., ::-1, ::-1],
    "wider table": wider,
    "unaligned": unaligned,
    "read-only": lambda b: np.broadcast_to(b, b.shape),
    "other byte order": lambda b: b.astype(b.dtype.newbyteorder()),
}


# ------------------------------------------------------------------------------------------------------- pairwise


@pytest.mark.parametrize("dtype2", DTYPES)
@pytest.mark.parametrize("dtype1", DTYPES)
def test_dtypes(dtype1, dtype2):
    b1, b2 = numpy_boxes(33, dtype=dtype1), numpy_boxes(20, seed=1, dtype=dtype2)
    scores = fn.box_iou(b1, b2, "giou")
    assert_same(scores, fastiou.pairwise_iou(tensor(b1, b2), tensor(b2, b1), "giou"))
    assert (scores.dtype == np.float32) == (np.result_type(b1, b2, np.float32) == np.float32)


@pytest.mark.parametrize("layout2", LAYOUTS)
@pytest.mark.parametrize("layout1", LAYOUTS)
def test_layouts(layout1, layout2):
    for dtype in ("float16", "float32", "int64"):
        b1, b2 = numpy_boxes(2, 33, dtype=dtype), numpy_boxes(2, 300, seed=1, dtype=dtype)
        np.testing.assert_array_equal(fn.box_iou(LAYOUTS[layout1](b1), LAYOUTS[layout2](b2)), fn.box_iou(b1, b2))


@pytest.mark.parametrize("kind", fastiou.pairwise_kinds())
@pytest.mark.parametrize("fmt", SET_FORMATS)
@pytest.mark.parametrize("eps", [0.0, 1e-3])
def test_kinds_and_formats(kind, fmt, eps):
    t1, t2 = random_boxes(70, seed=2)
    t1, t2 = encode(t1, "cxcywh"), encode(t2, fmt)
    scores = fn.box_iou(t1.numpy(), t2.numpy(), kind, fmt=("cxcywh", fmt), eps=eps)
    assert_same(scores, fastiou.pairwise_iou(t1, t2, kind, fmt=("cxcywh", fmt), eps=eps))


@pytest.mark.parametrize("kind", fastiou.pairwise_kinds())
def test_edge_boxes(kind):
    """Each against each, and NaN and infinity."""
    boxes = np.array([*EDGE_BOXES.values(), (np.nan, 0, 1, 1), (0, 0, np.inf, 1)])
    for dtype in (np.float32, np.float64):
        b = boxes.astype(dtype)
        scores = fn.box_iou(b, b, kind)
        assert np.isfinite(scores[:-2, :-2]).all() and np.isnan(scores[-2:]).all() and np.isnan(scores[:, -2:]).all()
        assert_same(scores, fastiou.pairwise_iou(torch.from_numpy(b), torch.from_numpy(b), kind))


@pytest.mark.parametrize("n, m", [(0, 0), (0, 3), (3, 0), (1, 1), (1, 500), (500, 1), (257, 129), (700, 5)])
def test_sizes(n, m):
    b1, b2 = numpy_boxes(n), numpy_boxes(m, seed=1)
    assert_same(fn.box_iou(b1, b2), fastiou.box_iou(torch.from_numpy(b1), torch.from_numpy(b2)))


@pytest.mark.parametrize("batch1, batch2", [((3,), (3,)), ((2, 3), (3,)), ((5, 1), (1, 4)), ((), (2,)), ((0,), ())])
def test_batches(batch1, batch2):
    b1, b2 = numpy_boxes(*batch1, 7), numpy_boxes(*batch2, 9, seed=1)
    assert_same(fn.box_iou(b1, b2), fastiou.box_iou(torch.from_numpy(b1), torch.from_numpy(b2)))


def test_broadcast_view():
    """All boxes are one, with stride 0."""
    one, many = numpy_boxes(1), numpy_boxes(40, seed=1)
    view = np.broadcast_to(one, (33, 4))
    np.testing.assert_array_equal(fn.box_iou(view, many), np.repeat(fn.box_iou(one, many), 33, 0))


def test_what_numpy_takes():
    boxes = [[0, 0, 10, 10], [0, 0, 10, 5]]
    expected = np.array([[1.0, 0.5], [0.5, 1.0]])
    for b in (boxes, [[float(x) for x in box] for box in boxes], torch.tensor(boxes), tuple(map(tuple, boxes))):
        scores = fn.box_iou(b, b)
        np.testing.assert_array_equal(scores, expected)
        assert scores.dtype == np.float64
    assert fn.box_iou(np.float32(boxes), boxes).dtype == np.float64  # a list of integers is int64
    assert fn.box_iou([], boxes).shape == (0, 2) and fn.box_iou(boxes, np.empty((0, 4))).shape == (2, 0)


# ------------------------------------------------------------------------------------------------------- matching


def assert_matches(actual: fn.MaxIoU, expected: fastiou.MaxIoU) -> None:
    for a, e in zip(actual, expected, strict=True):
        assert_same(a, e)


@pytest.mark.parametrize("kind", fastiou.pairwise_kinds())
@pytest.mark.parametrize("fmt", SET_FORMATS)
@pytest.mark.parametrize("n, m", [(0, 0), (0, 3), (3, 0), (20, 1), (300, 40), (5000, 7)])
def test_max_iou(kind, fmt, n, m):
    boxes, gts = (encode(random_boxes(k, seed=k)[1], f) for k, f in ((n, "xyxy"), (m, fmt)))
    matches = fn.max_iou(boxes.numpy(), gts.numpy(), kind, fmt=("xyxy", fmt), eps=1e-3)
    assert_matches(matches, fastiou.max_iou(boxes, gts, kind, fmt=("xyxy", fmt), eps=1e-3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_max_iou_dtypes_and_layouts(dtype):
    boxes, gts = numpy_boxes(2, 400, dtype=dtype), numpy_boxes(2, 30, seed=1, dtype=dtype)
    expected = fastiou.max_iou(tensor(boxes, gts), tensor(gts, boxes))
    for layout in LAYOUTS.values():
        assert_matches(fn.max_iou(layout(boxes), layout(gts)), expected)
    assert_matches(fn.max_iou(boxes, gts[0]), fastiou.max_iou(tensor(boxes, gts), tensor(gts[0], boxes)))


def test_max_iou_edge_boxes():
    boxes = np.array([*EDGE_BOXES.values(), (np.nan, 0, 1, 1), (0, 0, np.inf, 1)])
    for kind in fastiou.pairwise_kinds():
        matches = fn.max_iou(boxes, boxes, kind)
        assert_matches(matches, fastiou.max_iou(torch.from_numpy(boxes), torch.from_numpy(boxes), kind))
        assert (matches.indices[-2:] == -1).all() and (matches.values[-2:] == 0).all()


@compiled
def test_max_iou_threads():
    boxes, gts = numpy_boxes(50_000), numpy_boxes(100, seed=1)
    one = fn.max_iou(boxes, gts, "giou", threads=1)
    for a, b in zip(fn.max_iou(boxes, gts, "giou", threads=3), one, strict=True):
        np.testing.assert_array_equal(a, b)


def test_max_iou_names_its_arguments():
    with pytest.raises(ValueError, match=r"gts: expected shape \(\.\.\., N, 4\), got \(3,\)"):
        fn.max_iou(GOOD, np.zeros(3))
    with pytest.raises(TypeError, match=r"fmt: expected a format or a pair of formats \(boxes, gts\)"):
        fn.max_iou(GOOD, GOOD, fmt=None)


# ------------------------------------------------------------------------------------------------------------ NMS


def detections(n: int, dtype="float32", seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes, scores with ties, and classes."""
    r = np.random.default_rng(seed)
    return numpy_boxes(n, seed=seed, dtype=dtype), r.integers(0, 50, n) / np.float32(64), r.integers(-2, 2, n)


def torch_columns(*columns: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(np.array(c, c.dtype.newbyteorder("="), order="C")) for c in columns]


@pytest.mark.parametrize("n", [0, 1, 80])
@pytest.mark.parametrize("kind", fastiou.pairwise_kinds())
@pytest.mark.parametrize("fmt", SET_FORMATS)
def test_nms(n, kind, fmt):
    boxes, scores, idxs = detections(n)
    boxes = encode(torch.from_numpy(boxes), fmt)
    tensors = boxes, *torch_columns(scores, idxs)
    for beta in (1.0, 0.6) if kind == "diou" else (1.0,):
        options = {"kind": kind, "beta": beta, "fmt": fmt}
        kept = fn.nms(boxes.numpy(), scores, 0.4, **options)
        assert_same(kept, fastiou.nms(*tensors[:2], 0.4, **options))
        assert kept.dtype == np.int64 and (n == 0 or 0 < len(kept) < 2 or 2 <= len(kept) < n)
        assert_same(
            fn.batched_nms(boxes.numpy(), scores, idxs, 0.4, **options), fastiou.batched_nms(*tensors, 0.4, **options)
        )


@pytest.mark.parametrize("n", [0, 1, 100])
@pytest.mark.parametrize("method", ["gaussian", "linear"])
@pytest.mark.parametrize("classes", [False, True])
def test_soft_nms(n, method, classes):
    boxes, scores, idxs = detections(n)
    for kind, dtype in (("iou", np.float16), ("giou", np.float32), ("iou", np.float64)):
        options = {"method": method, "sigma": 0.3, "iou_threshold": 0.2, "score_threshold": 0.01, "kind": kind}
        tensors = torch_columns(boxes, scores.astype(dtype), idxs)
        expected = fastiou.soft_nms(*tensors[:2], **options, idxs=tensors[2] if classes else None)
        actual = fn.soft_nms(boxes, scores.astype(dtype), **options, idxs=idxs if classes else None)
        for a, e in zip(actual, expected, strict=True):
            assert_same(a, e)


@pytest.mark.parametrize("dtype", DTYPES)
def test_nms_dtypes_and_layouts(dtype):
    boxes, scores, idxs = detections(50, dtype)
    expected = fastiou.nms(tensor(boxes, boxes), torch.from_numpy(scores), 0.3)
    by_class = fastiou.batched_nms(tensor(boxes, boxes), *torch_columns(scores, idxs), 0.3)
    for name, layout in LAYOUTS.items():
        assert_same(fn.nms(layout(boxes), scores, 0.3), expected)
        column = {"unaligned": lambda a: np.frombuffer(b"x" + a.tobytes(), a.dtype, offset=1)}.get(
            name, lambda a: np.repeat(a, 3)[::3]
        )
        assert_same(fn.batched_nms(layout(boxes), column(scores), column(idxs), 0.3), by_class)
        assert_same(fn.batched_nms(boxes, scores[::-1][::-1].astype(">f4"), idxs.astype(">i2"), 0.3), by_class)
    wrapped = idxs.astype(np.uint64)  # -2 and -1 are the largest ones there, and differ
    assert_same(fn.batched_nms(boxes, scores, wrapped, 0.3), by_class)


def test_nms_what_numpy_takes():
    boxes = [[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10]]
    assert fn.nms(boxes, [0.5, 0.75, 0.25], 0.5).tolist() == [1, 2]
    assert fn.batched_nms(boxes, [0.5, 0.75, 0.25], [0, 1, 0], 0.5).tolist() == [1, 0, 2]
    assert fn.nms([], [], 0.5).tolist() == fn.batched_nms([], [], [], 0.5).tolist() == []
    assert fn.nms(boxes, [np.nan, 0.75, np.inf], 0.5).tolist() == [2, 1]


@pytest.mark.parametrize(
    "error, match, arguments",
    [
        (ValueError, r"boxes: expected shape \(N, 4\), got \(1, 2, 4\)", {"boxes": GOOD[None]}),
        (ValueError, r"scores: expected shape \(2,\), one for every box, got \(3,\)", {"scores": np.zeros(3)}),
        (TypeError, "scores: expected float16, float32 or float64, got uint32", {"scores": np.zeros(2, np.uint32)}),
        (TypeError, "idxs: expected integers, got float64", {"idxs": np.zeros(2)}),
        (TypeError, "idxs: expected integers, got bool", {"idxs": [True, False]}),
        (TypeError, "idxs: expected an array of integers .* got None", {"idxs": None}),
        (ValueError, r"idxs: expected shape \(2,\)", {"idxs": 1}),
        (ValueError, "iou_threshold: expected a number from 0 to 1, got 1.5", {"iou_threshold": 1.5}),
        (ValueError, "kind: expected one of .*, got 'fast'", {"kind": "fast"}),
        (ValueError, "beta: expected 1 with kind='iou'", {"beta": 2.0}),
        (ValueError, "fmt: expected one of 'xyxy', 'xywh', 'cxcywh', got 'ltrb'", {"fmt": "ltrb"}),
        (TypeError, "fmt: expected a format, got", {"fmt": ("xyxy", "xyxy")}),
    ],
)
def test_nms_errors(error, match, arguments):
    good = {"boxes": GOOD, "scores": np.zeros(2), "idxs": [0, 0], "iou_threshold": 0.5}
    with pytest.raises(error, match=match):
        fn.batched_nms(**{**good, **arguments})


def test_soft_nms_errors():
    for name, bad in (("method", "hard"), ("sigma", 0), ("score_threshold", -1), ("iou_threshold", 2)):
        with pytest.raises(ValueError, match=f"{name}: expected .* got {bad!r}"):
            fn.soft_nms(GOOD, np.zeros(2), **{name: bad})


# --------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    "error, match, arguments",
    [
        (TypeError, "boxes1: expected float16.*got bool", {"boxes1": np.zeros((2, 4), bool)}),
        (TypeError, "boxes2: expected float16.*got complex128", {"boxes2": np.zeros((2, 4), complex)}),
        (TypeError, "boxes2: expected float16.*got object", {"boxes2": np.zeros((2, 4), object)}),
        (TypeError, f"boxes2: expected float16.*got {np.dtype(np.longdouble)}", {"boxes2": np.zeros((2, 4), "g")}),
        (TypeError, "boxes1: expected an array of boxes .* got list", {"boxes1": [[0, 0, 1, 1], [0, 0, 1]]}),
        (TypeError, "boxes1: expected an array .* got Tensor: .*grad", {"boxes1": torch.zeros(2, 4).requires_grad_()}),
        (ValueError, r"boxes1: expected shape \(\.\.\., N, 4\), got \(2, 5\)", {"boxes1": np.zeros((2, 5))}),
        (ValueError, r"boxes1: expected shape \(\.\.\., N, 4\), got \(4,\)", {"boxes1": np.zeros(4)}),
        (ValueError, r"got \(\)", {"boxes2": 3.0}),
        (ValueError, "boxes1, boxes2: expected leading shapes that broadcast, got \\(3,\\) and \\(2,\\)",
         {"boxes1": np.zeros((3, 1, 4)), "boxes2": np.zeros((2, 1, 4))}),
        (ValueError, "kind: expected one of 'iou', .*, got 'fast'", {"kind": "fast"}),
        (ValueError, "kind: expected one of .*, got 0", {"kind": 0}),
        (ValueError, "fmt: expected one of 'xyxy', 'xywh', 'cxcywh', got 'ltrb'", {"fmt": "ltrb"}),
        (TypeError, r"fmt: expected a format or a pair of formats \(boxes1, boxes2\)", {"fmt": 1}),
        (ValueError, "eps: expected a finite number >= 0, got -1", {"eps": -1}),
        (ValueError, "threads: expected None or an integer >= 1, got 0", {"threads": 0}),
        (ValueError, "threads: expected None or an integer >= 1, got True", {"threads": True}),
        (ValueError, "threads: expected None or an integer >= 1, got 1.5", {"threads": 1.5}),
    ],
)  # fmt: skip
def test_errors(error, match, arguments):
    with pytest.raises(error, match=match):
        fn.box_iou(**{"boxes1": GOOD, "boxes2": GOOD, **arguments})


@compiled
def test_the_module_protects_memory():
    """What Python would have copied or refused."""
    good = np.zeros((1, 2, 4), np.float32)
    for bad in (good[0], good[..., :3], good.astype(">f4"), good.astype(np.uint16), unaligned(good)):
        with pytest.raises(ValueError, match="boxes2: must be"):
            fn.core.pairwise(good, bad, 0, 0, 0, 0.0, 1)
    with pytest.raises(ValueError, match="boxes2: must be of the batch"):
        fn.core.pairwise(good, np.zeros((2, 2, 4)), 0, 0, 0, 0.0, 1)
    with pytest.raises(ValueError, match="kind: must be of the registry"):
        fn.core.pairwise(good, good, 99, 0, 0, 0.0, 1)
    with pytest.raises(ValueError, match="boxes1: must be xyxy"):
        fn.core.pairwise(good, good, 0, 3, 0, 0.0, 1)
