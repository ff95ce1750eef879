import os
import shutil

import pytest
from emulation import HERE, OPTIONS, SANITIZER, build_soon, seed_emulations, stop_building

#: Of the order of threads and blocks in all tests that do not choose one.
SEED = int(os.environ.get("FASTIOU_EMULATION_SEED", "0"))


def pytest_report_header():
    return f"emulated kernels: sanitizer {SANITIZER}, seed {SEED}"


@pytest.fixture(autouse=True)
def _order_of_threads():
    seed_emulations(SEED)


def pytest_collection_finish(session):
    """Builds on all cores while the first tests run, if more than one file of tests is to run."""
    names = {item.path.name for item in session.items if item.path.parent == HERE}
    if len(names) < 2 or session.config.option.collectonly or not shutil.which("g++"):
        return
    sanitizers = OPTIONS if "test_emulated_sanitized.py" in names else [SANITIZER]
    for sanitizer in sanitizers:
        for source in sorted(HERE.glob("emulated_*.cpp")):
            build_soon(source.name, sanitizer)


def pytest_sessionfinish():
    stop_building()
