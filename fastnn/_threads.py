"""How many threads a training may use, and how many it is given."""

from __future__ import annotations

import functools
import os
from typing import Any

from ._arrays import count

__all__ = ["get_num_threads", "set_num_threads", "usable_cores"]

_chosen: int | None = None


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def set_num_threads(n: int | None) -> None:
    """Set the most threads that a training or a large array may use; None: the default again.

    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(None)
    """
    global _chosen
    _chosen = None if n is None else count("n", n, least=1)


def get_num_threads() -> int:
    """The most threads that are used: what was set, else NUMBA_NUM_THREADS, else all cores."""
    if _chosen is not None:
        return _chosen
    return _default()


@functools.cache
def _default() -> int:
    from numba import config

    settings: Any = config  # its names appear at run time
    return max(1, min(int(settings.NUMBA_NUM_THREADS), usable_cores()))
