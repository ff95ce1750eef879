"""Train a digit detector twice, with the plain PyTorch box loss and with fastiou, and compare.

Run from the repository root, with fastiou installed:  python examples/digits/demo.py
"""

import argparse
import copy
import sys
import time
from pathlib import Path

import torch
from data import Canvases, load_scans, make_canvases
from evaluate import Detections, detect, score
from losses import box_loss_fastiou, box_loss_pytorch
from model import Detector
from plot import save_picture
from report import Run, disagreements, table
from train import BATCH, BoxLoss, train

import fastiou

FULL = {"steps": 1000, "train": 2048, "test": 256}
QUICK = {"steps": 60, "train": 512, "test": 64}
WARM_UP_STEPS = 10


def main() -> None:
    """Both trainings, the table, the picture; exit code 1 if the runs do not agree."""
    start = time.perf_counter()
    args = _arguments()
    size = QUICK if args.quick else FULL
    steps = args.steps or size["steps"]
    setting = (
        f"{steps} steps with {BATCH} canvases, {torch.get_num_threads()} CPU threads, "
        f"torch {torch.__version__}, fastiou backend: {fastiou.backend()}"
    )
    print(setting)

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
    save_picture(args.out, plain, fused, test_set, plain_found, fused_found, setting)
    print(f"picture: {args.out}, total time: {time.perf_counter() - start:.0f} s")

    if wrong := disagreements(plain, fused, must_learn=steps >= FULL["steps"]):
        sys.exit("Check failed. " + " ".join(wrong))
    print("The two runs agree.")


def _warm_up(model: Detector, train_set: Canvases, test_set: Canvases) -> None:
    """Bring the process to the state that both runs shall start in (memory pools, thread pools)."""
    for box_loss in (box_loss_pytorch, box_loss_fastiou):
        train(model, box_loss, train_set, WARM_UP_STEPS, 0, "warm-up")
        detect(model, test_set, "warm-up")


def _arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Compare the plain PyTorch box loss and fastiou.")
    parser.add_argument("--steps", type=int, help="steps of each training, at least 30")
    parser.add_argument("--seed", type=int, default=0, help="seed of canvases, weights and batches")
    parser.add_argument("--out", type=Path, default=Path("build/digits_demo.png"), help="where the PNG goes")
    parser.add_argument("--quick", action="store_true", help="a smoke test of a few seconds")
    args = parser.parse_args()
    if args.steps is not None and args.steps < 30:
        parser.error("--steps must be at least 30")
    return args


if __name__ == "__main__":
    main()
