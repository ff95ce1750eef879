"""What the numbers were measured on, without names of hosts."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import torch


def device_name(device: str) -> str:
    """The model of a device, and for a CPU the number of its cores."""
    if device == "cuda":
        return torch.cuda.get_device_name()
    try:
        model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        model = None
    cores = os.cpu_count() or 1
    return f"{model[1] if model else platform.machine()}, {cores} core{'s' * (cores > 1)}"


def available_devices() -> list[str]:
    """Device types that can be measured here."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
