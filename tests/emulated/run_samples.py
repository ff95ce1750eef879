"""Runs all samples, and says in JSON which kernels have run, in blocks of how many threads. A sanitizer ends the process where it finds something."""

import json

from emulation import kernels_launched
from samples import SAMPLES, results

if __name__ == "__main__":
    for name in SAMPLES:
        results(name)
    print(json.dumps(kernels_launched()))
