import torch

import fastiou


def pytest_configure(config):
    config.addinivalue_line("markers", "large: needs gigabytes of memory; runs after all others")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("large") is not None)


def pytest_report_header():
    backends = {device: fastiou.backend(device) for device in ("cpu", "cuda")}
    cuda = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device"
    return f"fastiou {fastiou.__version__}, torch {torch.__version__}, kernels: {backends}, {cuda}"
