"""Track boxes over a synthetic video, with fastiou.numpy and with NumPy broadcasting, and draw what came of it.

Run from the repository root, with fastiou installed:  python examples/tracking/track.py
"""

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from metrics import Metrics, evaluate
from scene import Scene, make_scene
from scores import Score, Stopwatch, giou_fastiou, giou_numpy
from tracker import Tracked, Tracker

STREET = {"things": 12, "frames": 240, "size": (960, 540)}
CROWD = {"things": 300, "frames": 240, "size": (3840, 2160)}


@dataclass(frozen=True)
class Run:
    """A video tracked from beginning to end."""

    tracked: list[Tracked]
    metrics: Metrics
    frames_per_second: float
    score_us: float  # median of a frame


def follow(scene: Scene, score: Score) -> Run:
    """Tracks one video."""
    watch = Stopwatch(score)
    tracker = Tracker(watch)
    start = time.perf_counter()
    tracked = [tracker.step(detections) for detections in scene.detections]
    seconds = time.perf_counter() - start
    return Run(tracked, evaluate(scene.truth, tracked), len(tracked) / seconds, watch.median_us)


def main() -> None:
    """Both videos with both scores, the figures, the picture; exit code 1 if the scores lead to different tracks."""
    args = _arguments()
    rows = {}
    for name, setting in (("street", STREET), ("crowd", CROWD)):
        scene = make_scene(**setting, seed=args.seed)
        follow(scene, giou_fastiou)  # warm-up
        fast, plain = follow(scene, giou_fastiou), follow(scene, giou_numpy)
        if any((a.ids != b.ids).any() for a, b in zip(fast.tracked, plain.tracked, strict=True)):
            sys.exit(f"{name}: the two scores lead to different tracks")
        rows[name] = scene, fast, plain
        _report(name, setting, fast, plain)
    print(f"torch imported: {'yes' if 'torch' in sys.modules else 'no'}")
    if args.out:
        from plot import save_picture

        scene, fast, _ = rows["street"]
        times = {name: (fast.score_us, plain.score_us) for name, (_, fast, plain) in rows.items()}
        save_picture(args.out, scene, fast.tracked, fast.metrics, times)
        print(f"picture: {args.out}")


def _report(name: str, setting: dict, fast: Run, plain: Run) -> None:
    """The figures of one video as lines of text."""
    m = fast.metrics
    print(f"{name}: {setting['things']} things, {setting['frames']} frames, {m.boxes:,} boxes")
    print(f"  MOTA {m.mota:.3f}  IDF1 {m.idf1:.3f}  mean IoU {m.mean_iou:.3f}")
    print(f"  identity switches {m.switches}  missed {m.missed}  false {m.false}")
    print(f"  frames per second {fast.frames_per_second:,.0f}, with GIoU in NumPy {plain.frames_per_second:,.0f}")
    ratio = plain.score_us / fast.score_us
    print(f"  GIoU per frame: fastiou {fast.score_us:.1f} us, NumPy {plain.score_us:.1f} us, {ratio:.1f} times as long")


def _arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Track boxes with fastiou.numpy.")
    parser.add_argument("--seed", type=int, default=0, help="seed of the videos")
    parser.add_argument("--out", type=Path, help="where the PNG goes; without it nothing is drawn")
    return parser.parse_args()


if __name__ == "__main__":
    main()
