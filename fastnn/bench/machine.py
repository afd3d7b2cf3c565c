"""Where this is: processor, cores, load, versions."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..info import cpu_name

__all__ = ["heading", "machine"]

_PACKAGES = (
    "fastnn-numba", "numpy", "scipy", "numba", "jax", "jaxlib", "torch", "scikit-learn",
    "onnxruntime",
)  # fmt: skip
_BUSY = 0.5  # other processes waiting for a core


def machine() -> dict[str, Any]:
    """Where this is, and the versions of what runs there."""
    usable = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return {
        "CPU": cpu_name(),
        "cores": os.cpu_count(),
        "cores in use": usable or "all",
        "load": _load(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def _load() -> str:
    """Of the last minute; ours has hardly begun, so it is that of others."""
    if not hasattr(os, "getloadavg"):
        return "unknown"
    load = os.getloadavg()[0]
    return f"{load:.2f}" + (" (busy: figures are not to be trusted)" if load > _BUSY else "")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def heading(found: dict[str, Any]) -> str:
    lines = []
    for name, value in found.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {text}" for key, text in value.items())
        lines.append(f"{name:14}{value}")
    return "\n".join(lines)
