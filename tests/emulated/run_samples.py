"""Runs all samples in the order of threads that a seed chooses. A sanitizer ends the process where it finds something.

Says in JSON which kernels have run, in blocks of how many threads.
"""

import json
import sys

from emulation import seed_emulations
from launches import kernels_launched
from samples import SAMPLES, results

if __name__ == "__main__":
    seed_emulations(int(sys.argv[1]))
    for name in SAMPLES:
        results(name)
    print(json.dumps(kernels_launched()))
