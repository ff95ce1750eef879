import os

import pytest
from emulation import SANITIZER, seed_emulations

#: Of the order of threads and blocks, in all tests that do not choose one.
SEED = int(os.environ.get("FASTIOU_EMULATION_SEED", "0"))


def pytest_report_header():
    return f"emulated kernels: sanitizer {SANITIZER}, seed {SEED}"


@pytest.fixture(autouse=True)
def _order_of_threads():
    seed_emulations(SEED)
