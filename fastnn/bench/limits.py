"""The same cores and threads for all sides. Imports nothing: it must come before they do."""

from __future__ import annotations

import os

__all__ = ["limit"]


def limit(threads: int) -> int:
    """Hold all sides to the same number of threads, at most the cores; returns it.

    JAX has no such setting, but it counts the cores that the process may run on.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))[:threads]
        os.sched_setaffinity(0, cores)
        threads = len(cores)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(threads)
    return threads
