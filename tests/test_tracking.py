"""The tracking example: identities that hold, with either score, and without torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastiou import _core_module

TRACKING = Path(__file__).parent.parent / "examples" / "tracking"
pytest.importorskip("scipy")


@pytest.fixture(scope="module")
def example():
    """The example's modules, which import each other as scripts do."""
    names = ("track", "scene", "scores", "tracker", "metrics")
    sys.path.insert(0, str(TRACKING))
    try:
        __import__("track")
        yield {name: sys.modules[name] for name in names}
    finally:
        sys.path.remove(str(TRACKING))
        for name in names:
            sys.modules.pop(name, None)


def test_identities_hold(example):
    scene = example["scene"].make_scene(8, 150, (960, 540), seed=1)
    run = example["track"].follow(scene, example["scores"].giou_fastiou)
    metrics = run.metrics
    assert metrics.boxes > 300
    assert metrics.mota > 0.85 and metrics.idf1 > 0.85 and metrics.mean_iou > 0.85
    assert metrics.switches <= 3
    plain = example["track"].follow(scene, example["scores"].giou_numpy)
    for a, b in zip(run.tracked, plain.tracked, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)


def test_metrics_see_what_is_wrong(example):
    """Two things side by side; from frame 5 on their tracks are exchanged, and one frame has a false alarm."""
    truth = np.tile(np.float32([[0, 0, 10, 10], [50, 0, 60, 10]]), (10, 1, 1))
    tracked_class, evaluate = example["tracker"].Tracked, example["metrics"].evaluate

    def tracked(exchange: bool):
        ids = [np.array([1, 0] if exchange and i >= 5 else [0, 1]) for i in range(10)]
        return [tracked_class(i, boxes) for i, boxes in zip(ids, truth, strict=True)]

    perfect = evaluate(truth, tracked(False))
    assert (perfect.mota, perfect.idf1, perfect.switches, perfect.mean_iou) == (1, 1, 0, 1)
    exchanged = evaluate(truth, tracked(True))
    assert (exchanged.switches, exchanged.mota, exchanged.idf1) == (2, 1 - 2 / 20, 0.5)
    wrong = tracked(False)
    wrong[3] = tracked_class(np.array([0, 7]), np.float32([[0, 0, 10, 10], [80, 80, 90, 90]]))
    report = evaluate(truth, wrong)
    assert (report.missed, report.false, report.switches) == (1, 1, 0)


@pytest.mark.skipif(_core_module.core is None, reason="nothing is compiled")
def test_no_torch():
    """The whole example, but for the picture."""
    done = subprocess.run([sys.executable, str(TRACKING / "track.py")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "torch imported: no" in done.stdout and done.stdout.count("MOTA") == 2
