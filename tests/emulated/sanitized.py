"""Runs Python under the runtime library of a sanitizer, which has to be the first library of a process."""

import functools
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
#: The first finding ends the process. Python never gives all of its memory back; torch is not instrumented, and runs on
#: one thread.
SETTINGS = {
    "undefined": {"UBSAN_OPTIONS": "print_stacktrace=1"},
    "address": {"ASAN_OPTIONS": "detect_leaks=0"},
    "thread": {"TSAN_OPTIONS": "halt_on_error=1:exitcode=66:ignore_noninstrumented_modules=1:report_signal_unsafe=0"},
}
#: AddressSanitizer looks for the functions of C++ that throw when it starts.
RUNTIMES = {"address": ("libasan.so", "libstdc++.so"), "thread": ("libtsan.so",)}


@functools.cache
def runtimes(sanitizer: str) -> list[str]:
    """The libraries to preload, as far as this compiler has them."""
    asked = [["g++", f"-print-file-name={name}"] for name in RUNTIMES.get(sanitizer, ())]
    found = [Path(subprocess.run(line, capture_output=True, text=True, check=True).stdout.strip()) for line in asked]
    return [str(path.resolve()) for path in found if path.is_absolute()]


def command(sanitizer: str, *arguments) -> tuple[list[str], dict[str, str]]:
    """A command line for this Python, and its environment."""
    setting = {"FASTIOU_EMULATION": sanitizer, "OMP_NUM_THREADS": "1", **SETTINGS[sanitizer]}
    search = [str(HERE), str(HERE.parent), str(HERE.parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    setting["PYTHONPATH"] = os.pathsep.join(search)
    line = [sys.executable, *map(str, arguments)]
    setting["LD_PRELOAD"] = " ".join(runtimes(sanitizer))
    if sanitizer == "thread" and shutil.which("setarch"):  # its memory lies at fixed addresses
        line = ["setarch", platform.machine(), "-R", *line]
    return line, {**os.environ, **setting}


def run(sanitizer: str, *arguments) -> subprocess.CompletedProcess:
    line, environment = command(sanitizer, *arguments)
    return subprocess.run(line, env=environment, capture_output=True, text=True)


@functools.cache
def why_not(sanitizer: str) -> str | None:
    """The reason why nothing can run under it here, or none."""
    if not shutil.which("g++"):
        return "needs g++"
    names = RUNTIMES.get(sanitizer, ())
    if len(runtimes(sanitizer)) < len(names):
        return f"this g++ does not have {' and '.join(names)}"
    done = run(sanitizer, "-c", "print('runs')")
    return None if done.stdout == "runs\n" else f"nothing runs with {names} preloaded: {done.stderr[-200:]}"
