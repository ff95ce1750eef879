import os

if "PYTEST_XDIST_WORKER" in os.environ:  # threads of several processes share the cores: who waits is not to use one
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

import fastiou

MARKERS = (
    "large: needs gigabytes of memory; runs after all others",
    "nvcc: compiles the CUDA sources, for minutes; make test-nvcc runs these, and make test leaves them out",
    "xdist_group(name): tests that one process runs, where there are several",
)


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("large") is not None)


def pytest_report_header():
    backends = {device: fastiou.backend(device) for device in ("cpu", "cuda")}
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    return f"fastiou {fastiou.__version__}, torch {torch.__version__}, kernels: {backends}, {cuda}"
