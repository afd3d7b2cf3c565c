"""BLAS on one thread while networks train.

The products of a tile are large enough for BLAS to start its threads and too small to gain from
them; and since those threads spin while they wait, one busy neighbour makes a step up to a hundred
times slower. The number of threads is a setting of the process, so the first training to begin
changes it and the last to end puts it back.
"""

from __future__ import annotations

import functools
import os
import threading
from typing import Any

__all__ = ["single_threaded"]


@functools.cache
def _libraries() -> tuple[list[Any], list[Any]]:
    """Libraries with threads of the process, and those (on OpenMP) that count by calling thread."""
    import scipy.linalg  # noqa: F401  what the kernels call must be loaded to be found
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    by_thread = [lib for lib in found if getattr(lib, "threading_layer", "") == "openmp"]
    return [lib for lib in found if lib not in by_thread], by_thread


def _set(libraries: list[Any], counts: list[int]) -> None:
    for library, count in zip(libraries, counts, strict=True):
        # threadpoolctl lets only the thread that came first change a setting of the process; here
        # a lock and a counter see to the order, so whichever thread is the last may put it back.
        free = getattr(library, "clear_controlling_thread", lambda force: None)
        free(force=True)
        library.set_num_threads(count)
        free(force=True)


class _SingleThreaded:
    """A context that many threads may be in at once; enter it on the thread that calls BLAS."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._shared_counts: list[int] = []
        self._own = threading.local()

    def __enter__(self) -> None:
        shared, by_thread = _libraries()
        with self._lock:
            if not self._inside:
                self._shared_counts = [lib.num_threads for lib in shared]
                _set(shared, [1] * len(shared))
            self._inside += 1
        self._own.counts = [lib.num_threads for lib in by_thread]
        _set(by_thread, [1] * len(by_thread))

    def __exit__(self, *error: object) -> None:
        shared, by_thread = _libraries()
        _set(by_thread, self._own.counts)
        with self._lock:
            self._inside -= 1
            if not self._inside:
                _set(shared, self._shared_counts)

    def renew(self) -> None:
        """In a forked child: the trainings of the parent's other threads do not go on here."""
        self._lock = threading.Lock()
        if self._inside:
            self._inside = 0
            _set(_libraries()[0], self._shared_counts)


single_threaded = _SingleThreaded()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=single_threaded.renew)
