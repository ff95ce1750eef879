"""Train a detector of rotated digits by GIoU, by KFIoU and by ProbIoU, and compare.

Run from the repository root, with fastiou installed:  python examples/rotated_digits/demo.py
"""

import copy
import sys
import time
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parent.parent / "digits"))  # what both examples share

from data import load_scans, make_canvases
from evaluate import Detections, detect, score
from options import arguments, setting
from rotated_data import ROTATED
from rotated_evaluate import RotatedCOCOeval, match
from rotated_losses import LOSSES, mean_iou
from rotated_model import RotatedDetector, assign_rotated
from rotated_plot import save_picture
from rotated_report import RotatedRun, load_results, save_results, shortcomings, table
from train import BoxLoss, train

import fastiou

FULL = {"steps": 1000, "train": 2048, "test": 256}
QUICK = {"steps": 60, "train": 256, "test": 32}


def main() -> None:
    """The trainings, the table, the picture; exit code 1 if one did not learn."""
    start = time.perf_counter()
    args = arguments("Compare losses of rotated boxes.", "build/rotated_digits.png")
    size = QUICK if args.quick else FULL
    steps = args.steps or size["steps"]
    print(setting(steps))

    train_scans, test_scans = load_scans()
    train_set = make_canvases(train_scans, size["train"], args.seed, "training canvases", ROTATED)
    test_set = make_canvases(test_scans, size["test"], args.seed + 1, "test canvases", ROTATED)
    torch.manual_seed(args.seed)
    initial = RotatedDetector()

    def run(name: str, box_loss: BoxLoss) -> tuple[RotatedRun, list[Detections]]:
        model = copy.deepcopy(initial)
        options = {"assign": assign_rotated, "watch": mean_iou}
        history = train(model, box_loss, train_set, steps, args.seed, f"training, {name}", **options)
        found = detect(model, test_set, f"test, {name}", nms=fastiou.nms_rotated)
        precision = score(test_set, found, spell=list, judge=RotatedCOCOeval)
        return RotatedRun(name, history, precision, match(test_set, found)), found

    runs, founds = zip(*(run(name, loss) for name, loss in LOSSES.items()), strict=True)
    results = args.out.with_suffix(".csv")
    save_results(results, runs)
    print(table(load_results(results)))
    save_picture(args.out, runs, test_set, founds, setting(steps))
    print(f"picture: {args.out}, total time: {time.perf_counter() - start:.0f} s")

    if wrong := shortcomings(runs, must_detect=steps >= FULL["steps"]):
        sys.exit("Check failed. " + " ".join(wrong))


if __name__ == "__main__":
    main()
