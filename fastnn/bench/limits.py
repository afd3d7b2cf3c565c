"""The same cores and threads for all sides, set before a process starts and libraries count."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["environment", "held"]

_COUNTS = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"
_ONE = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def environment(threads: int) -> dict[str, str]:
    """The variables of a process in which every library has so many threads."""
    found = {**os.environ, **dict.fromkeys(_COUNTS, str(threads))}
    if threads == 1:
        found["XLA_FLAGS"] = f"{found.get('XLA_FLAGS', '')} {_ONE}".strip()
    return found


@contextmanager
def held(threads: int) -> Iterator[None]:
    """Hold this thread, and the processes that it starts meanwhile, to as many cores.

    JAX has no setting for its threads, but counts the cores that its process may run on.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:threads])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
