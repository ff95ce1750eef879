"""Train a digit detector twice, with the plain PyTorch box loss and with fastiou, and compare.

Run from the repository root, with fastiou installed:  python examples/digits/demo.py
"""

import copy
import sys
import time

import torch
from data import Canvases, load_scans, make_canvases
from evaluate import Detections, detect, score
from losses import box_loss_fastiou, box_loss_pytorch
from model import Detector
from options import arguments, setting
from plot import save_picture
from report import Run, disagreements, table
from train import BoxLoss, train

FULL = {"steps": 1000, "train": 2048, "test": 256}
QUICK = {"steps": 60, "train": 512, "test": 64}
WARM_UP_STEPS = 10


def main() -> None:
    """Both trainings, the table, the picture; exit code 1 if the runs do not agree."""
    start = time.perf_counter()
    args = arguments("Compare the plain PyTorch box loss and fastiou.", "build/digits_demo.png")
    size = QUICK if args.quick else FULL
    steps = args.steps or size["steps"]
    print(setting(steps))

    train_scans, test_scans = load_scans()
    train_set = make_canvases(train_scans, size["train"], args.seed, "training canvases")
    test_set = make_canvases(test_scans, size["test"], args.seed + 1, "test canvases")
    torch.manual_seed(args.seed)
    initial = Detector()

    def run(name: str, box_loss: BoxLoss) -> tuple[Run, list[Detections]]:
        model = copy.deepcopy(initial)
        history = train(model, box_loss, train_set, steps, args.seed, f"training, {name}")
        found = detect(model, test_set, f"test, {name}")
        return Run(name, history, score(test_set, found)), found

    _warm_up(copy.deepcopy(initial), train_set, test_set)
    plain, plain_found = run("PyTorch", box_loss_pytorch)
    fused, fused_found = run("fastiou", box_loss_fastiou)

    print(table(plain, fused))
    save_picture(args.out, plain, fused, test_set, plain_found, fused_found, setting(steps))
    print(f"picture: {args.out}, total time: {time.perf_counter() - start:.0f} s")

    if wrong := disagreements(plain, fused, must_learn=steps >= FULL["steps"]):
        sys.exit("Check failed. " + " ".join(wrong))
    print("The two runs agree.")


def _warm_up(model: Detector, train_set: Canvases, test_set: Canvases) -> None:
    """Bring the process to the state that both runs shall start in (memory pools, thread pools)."""
    for box_loss in (box_loss_pytorch, box_loss_fastiou):
        train(model, box_loss, train_set, WARM_UP_STEPS, 0, "warm-up")
        detect(model, test_set, "warm-up")


if __name__ == "__main__":
    main()
