"""Stage "device": what the numbers of this run are measured on, in words, and as device.json."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

from . import context

_ASKED = "name,driver_version,clocks.sm,clocks.max.sm,clocks.mem,power.limit,temperature.gpu,memory.total"


def main() -> int:
    """Prints and writes the facts; 1 if there is no such device."""
    here = context.read()
    python = sys.version.split()[0]
    print(f"{platform.platform()}, {os.cpu_count()} cores, glibc {platform.libc_ver()[1]}, Python {python}")
    driver = _driver() if here.device == "cuda" else {}
    for name, value in driver.items():
        print(f"{name:16s} {value}")
    import torch  # only now: what the driver says is printed even where torch does not load

    facts = {"device": here.device, "name": platform.processor() or platform.machine(), "driver": "none"}
    facts |= {"torch": torch.__version__, "cuda": torch.version.cuda, "python": python}
    if here.device == "cuda":
        if not torch.cuda.is_available():
            print(f"torch {torch.__version__} (CUDA {torch.version.cuda}) finds no CUDA device here")
            return 1
        facts |= _card() | {"driver": driver.get("driver_version", "unknown"), "nvidia-smi": driver}
    (here.out / "device.json").write_text(json.dumps(facts, indent=1) + "\n")
    print(", ".join(f"{key} {value}" for key, value in facts.items() if not isinstance(value, dict)))
    return 0


def _driver() -> dict[str, str]:
    """What the driver's own tool says; nothing where it is missing or hangs."""
    command = ["nvidia-smi", f"--query-gpu={_ASKED}", "--format=csv,noheader", "--id=0"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError) as error:
        print(f"nvidia-smi: {error}")
        return {}
    return dict(zip(_ASKED.split(","), map(str.strip, answer.splitlines()[0].split(",")), strict=False))


def _card() -> dict[str, object]:
    """What torch knows about the first card."""
    import torch

    card = torch.cuda.get_device_properties(0)
    facts = {
        "name": card.name,
        "capability": f"{card.major}.{card.minor}",
        "multiprocessors": card.multi_processor_count,
        "memory_gib": round(card.total_memory / 2**30, 1),
        "l2_mib": round(getattr(card, "L2_cache_size", 0) / 2**20, 1),
    }
    return facts | {"cards": torch.cuda.device_count()}


if __name__ == "__main__":
    sys.exit(main())
