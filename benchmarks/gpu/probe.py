"""Says whether the fastiou of this process has kernels, and whether they run: `python -m fastiou.benchmarks.gpu.probe`.

With "load" it only loads the CUDA library, for machines without a card.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import fastiou


def main(what: str) -> int:
    """Prints what is there; 1 if it is not what was asked for: "cpu", "cuda" or "load"."""
    folder = Path(fastiou.__file__).parent
    found = {device: fastiou.backend(device) for device in ("cpu", "cuda")}
    print(f"fastiou {fastiou.__version__} of {folder.parent.name}/{folder.name}: {found}")
    if what == "load":
        path = next(folder.glob("libfastiou_cuda*.so"))
        torch.ops.load_library(str(path))
        print(f"{path.name} loads in torch {torch.__version__}")
        return int(found["cpu"] != "native")
    if found[what] != "native":
        from fastiou._ops import kernels

        print(f"no kernels for {what}: {kernels.reasons.get(what)}")
        return 1
    boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]], device=what)
    score = fastiou.box_iou(boxes, boxes)[0, 1].item()
    print(f"an IoU of 1/3 is {score:.6f} on {what}")
    return int(abs(score - 1 / 3) > 1e-6)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
