"""What ``fastnn info`` prints: all that decides how fast this installation is, and why."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from llvmlite import binding
from numba import config
from threadpoolctl import threadpool_info

from . import __version__
from ._core.caches import second_cache
from ._core.threads import get_num_threads
from .kernels.codegen.cache import folder, folders

__all__ = ["cpu_name", "report", "vectors"]

_LIBRARIES = ("numpy", "scipy", "numba", "llvmlite", "threadpoolctl")


def report() -> str:
    """One line a fact: versions, CPU, vectors, caches, threads, BLAS, kernel cache.

    Returns
    -------
    str
        Lines of a name, padded to one width, and a value.

    """
    lines = [
        ("fastnn", __version__),
        ("Python", f"{platform.python_version()} ({platform.python_implementation()})"),
        *((name, _version(name)) for name in _LIBRARIES),
        ("platform", f"{platform.system()} {platform.machine()}"),
        ("CPU", f"{cpu_name()} (LLVM: {_target()[0]})"),
        ("vectors", vectors()),
        ("second cache", f"{second_cache() >> 10} kB, as products of large layers are cut"),
        ("products", "the library's own, not those of a BLAS"),
        ("threads", _threads()),
        *(("BLAS", text) for text in _blas()),
        ("kernel cache", _cache()),
    ]
    return "\n".join(f"{name:14}{value}" for name, value in lines)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # in a frozen application, say
        return "unknown"


def cpu_name() -> str:
    """The name that is sold; only Linux keeps it in a file."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def _target() -> tuple[str, set[str]]:
    """CPU and features that numba compiles for: the host's, unless its settings say otherwise."""
    settings: Any = config  # its names appear at run time
    name = settings.CPU_NAME or binding.get_host_cpu_name()
    if settings.CPU_FEATURES is not None:
        listed = settings.CPU_FEATURES.split(",")
        return name, {feature[1:] for feature in listed if feature.startswith("+")}
    if settings.CPU_NAME:
        return name, set()
    try:
        features = binding.get_host_cpu_features()
    except RuntimeError:  # LLVM cannot tell on this kind of machine
        return name, set()
    return name, {feature for feature, there in features.items() if there}


def vectors() -> str:
    """Width of the vector registers that numba compiles for."""
    features = _target()[1]
    for feature, width in (("avx512f", 512), ("avx2", 256), ("avx", 256)):
        if feature in features:
            fused = ", fused multiply-add" if "fma" in features else ""
            return f"{width} bit ({feature}{fused})"
    return "128 bit"


def _threads() -> str:
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return (
        f"training uses at most {get_num_threads()}; this process may use {usable} of {cores} cores"
    )


def _blas() -> list[str]:
    # Only loaded libraries are seen; importing them is what loads them.
    import numpy.linalg  # noqa: F401
    import scipy.linalg  # noqa: F401

    texts = []
    for library in threadpool_info():
        if library["user_api"] != "blas":
            continue
        kind, release = library["internal_api"], library["version"] or "of unknown version"
        kernels = library.get("architecture")
        built = f", {kernels} kernels" if kernels else ""
        count = library["num_threads"]
        texts.append(
            f"{kind} {release}{built}, {count} thread{'s' * (count != 1)} "
            f"({Path(library['filepath']).name})"
        )
    return texts or ["none that threadpoolctl knows"]


def _cache() -> str:
    texts = []
    for root in folders():
        sizes = [path.stat().st_size for path in root.glob("*.nbc")]
        rights = "" if root == folder() else ", read-only"
        texts.append(f"{root} ({len(sizes)} kernels, {sum(sizes) / 1e6:.1f} MB{rights})")
    if folder() is None:
        what = "nothing more" if texts else "nothing"
        texts.append(f"not writable: {what} is cached, kernels are compiled in every process")
    return "; ".join(texts)
