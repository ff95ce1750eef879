"""The packages that are measured: which are here, and in which version."""

from __future__ import annotations

import importlib
import importlib.metadata


def version_of(package: str) -> str:
    """Version of an installed package."""
    return getattr(importlib.import_module(package), "__version__", None) or importlib.metadata.version(package)


def why_missing(module: str) -> str | None:
    """The reason why a module cannot be imported, or None if it can."""
    try:
        importlib.import_module(module)
    except Exception as error:  # a package that is there but does not fit this torch raises anything
        return f"cannot import {module}: {error}".split("\n")[0]
    return None
