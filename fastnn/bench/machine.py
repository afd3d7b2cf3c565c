"""Where this is: processor, cores, load, versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from .._core.threads import usable_cores
from ..info import cpu_name, vectors

__all__ = ["load", "machine"]

_PACKAGES = (
    "fastnn-numba", "numpy", "scipy", "numba", "llvmlite", "torch", "jax", "jaxlib",
    "scikit-learn", "onnxruntime",
)  # fmt: skip


def machine() -> dict[str, Any]:
    """Processor, cores and system, and the versions of all libraries that are there."""
    return {
        "CPU": cpu_name(),
        "vectors": vectors(),
        "cores": os.cpu_count(),
        "cores in use": usable_cores(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "versions": {"Python": platform.python_version(), **_versions()},
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def load() -> float | None:
    """Of the last minute; at the start of a run that of others."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None
