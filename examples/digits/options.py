"""The command line of a demo."""

import argparse
from pathlib import Path

import torch
from train import BATCH

import fastiou

MIN_STEPS = 30


def arguments(description: str, out: str) -> argparse.Namespace:
    """steps (or None), seed, out, quick; `out` is where the picture goes by default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--steps", type=int, help=f"steps of each training, at least {MIN_STEPS}")
    parser.add_argument("--seed", type=int, default=0, help="seed of canvases, weights and batches")
    parser.add_argument("--out", type=Path, default=Path(out), help="where the PNG goes")
    parser.add_argument("--quick", action="store_true", help="a smoke test of a few seconds")
    args = parser.parse_args()
    if args.steps is not None and args.steps < MIN_STEPS:
        parser.error(f"--steps must be at least {MIN_STEPS}")
    return args


def setting(steps: int) -> str:
    """What the figures of a run depend on, in one line."""
    return (
        f"{steps} steps with {BATCH} canvases, CPU threads: {torch.get_num_threads()}, "
        f"torch {torch.__version__}, fastiou backend: {fastiou.backend()}"
    )
