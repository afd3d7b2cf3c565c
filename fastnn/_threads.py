"""How many threads may be used, and the threads of single steps on large vectors."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ._arrays import count

__all__ = [
    "get_num_threads",
    "run_together",
    "set_num_threads",
    "start_threads",
    "together",
    "usable_cores",
]

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


def start_threads(threads: int, always: bool = False) -> tuple[int, ThreadPoolExecutor | None]:
    """A pool of so many threads, all of them running; of fewer, where the system refuses more.

    They must all be there before work begins in which they wait for one another.
    """
    if threads == 1 and not always:
        return 1, None
    pool, gate, started = ThreadPoolExecutor(threads), threading.Event(), 0
    try:
        for _ in range(threads):
            pool.submit(gate.wait)
            started += 1
    except RuntimeError:  # can't start new thread
        pass
    gate.set()
    if started == 0 or (started == 1 and not always):
        pool.shutdown()
        return 1, None
    return started, pool


# The threads of steps on large vectors: asleep in between, since starting one takes 0.1 ms. One
# piece of work at a time has them, since they wait for one another.
_pool: tuple[int, ThreadPoolExecutor] | None = None
_busy = threading.Lock()


def _renew() -> None:
    """In a forked child: its parent's threads are not there."""
    global _pool, _busy
    _pool, _busy = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def together(threads: int, work: Callable[[int], None]) -> bool:
    """``work(0)`` to ``work(threads - 1)`` at the same time, on threads that all run.

    Returns False, and nothing was called, if there are not as many, or others use them.
    """
    global _pool
    if not _busy.acquire(blocking=False):
        return False
    try:
        if _pool is None or _pool[0] < threads:
            if _pool is not None:
                _pool[1].shutdown()
                _pool = None
            started, pool = start_threads(threads)
            if pool is None or started < threads:
                return False
            _pool = started, pool
        run_together(_pool[1], work, threads)
        return True
    finally:
        _busy.release()


def run_together(
    pool: ThreadPoolExecutor,
    work: Callable[[int], None],
    threads: int,
    stop: Callable[[], None] = lambda: None,
) -> None:
    """Call `work` on the pool's threads, all of them whatever interrupts; `stop` is called then."""
    calls: list[Future[None]] = []
    try:
        calls += (pool.submit(work, thread) for thread in range(threads))
        for call in calls:
            call.result()
    except BaseException:
        stop()
        # Those who are there wait for those who are not, so the team must be complete.
        calls += (pool.submit(work, thread) for thread in range(len(calls), threads))
        for call in calls:
            call.exception()
        raise
