"""How many threads may be used, and the threads of single steps on large vectors."""

from __future__ import annotations

import _thread
import contextlib
import functools
import itertools
import os
import signal
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from .arrays import count

__all__ = [
    "Team",
    "get_num_threads",
    "set_num_threads",
    "side_by_side",
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
    """Set the most threads that a training, or a call of many rows or numbers, may use.

    None: the default again.

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


class Team:
    """Threads that wait for work and do it together.

    They are daemons, which do not hold back the interpreter's exit. They end with `close`, or when
    nobody has the team any more.
    """

    def __init__(self, threads: int) -> None:
        self._asked, self._inbox = threads, SimpleQueue[Any]()
        self._threads: list[threading.Thread] = []
        try:
            for _ in range(threads):
                thread = threading.Thread(target=_serve, args=(self._inbox,), daemon=True)
                thread.start()
                self._threads.append(thread)
        except RuntimeError:  # can't start new thread
            pass

    @property
    def size(self) -> int:
        """How many there are: fewer than asked for, where the system refuses more."""
        return len(self._threads)

    def run(
        self, work: Callable[[int], None], threads: int, stop: Callable[[], None] = lambda: None
    ) -> None:
        """``work(0)`` to ``work(threads - 1)`` at the same time; an interrupt calls `stop`.

        Whatever interrupts, it returns when the threads are done, and then raises it.
        """
        job = _Job(self._inbox, work, threads)
        with _Held(stop) as held:
            try:
                self._inbox.put(job)
                job.done.acquire()
            except BaseException:  # no signal's: recursion, memory, an exception set by a thread
                stop()
                if not job.taken():
                    job.done.acquire()
                raise
        for error in (*held.raised, *job.errors):
            raise error

    def close(self) -> None:
        """End the threads, once they have done their work."""
        self.__del__()
        while self._threads:
            self._threads[-1].join()
            self._threads.pop()

    def __del__(self) -> None:
        for _ in range(self._asked):
            self._inbox.put(None)


def _serve(inbox: SimpleQueue[Any]) -> None:
    """What a thread of a team does."""
    while (job := inbox.get()) is not None:
        job()
        del job  # a thread that waits keeps nothing alive


class _Job:
    """Work for a team, handed over in one go.

    The thread that finds it hands the parts to the others. If the caller did, an interrupt in
    between would leave threads that wait for those who are not there.
    """

    def __init__(self, inbox: SimpleQueue[Any], work: Callable[[int], None], threads: int) -> None:
        self._inbox, self._work, self._threads = inbox, work, threads
        self._free, self._ended = [True], itertools.count(1)
        self.errors: list[BaseException] = []
        # Waited for by a lock and not by an Event, whose code in Python an exception can cut.
        self.done = threading.Lock()
        self.done.acquire()

    def taken(self) -> bool:
        """Take it; True for the first who does, False for everybody else."""
        try:
            return self._free.pop()
        except IndexError:
            return False

    def __call__(self) -> None:
        if self.taken():
            for thread in range(1, self._threads):
                self._inbox.put(functools.partial(self._part, thread))
            self._part(0)

    def _part(self, thread: int) -> None:
        try:
            self._work(thread)
        except BaseException as error:
            self.errors.append(error)
        finally:
            if next(self._ended) == self._threads:
                self.done.release()


class _Held:
    """Within it, what handlers of signals raise is kept for later, and `stop` is called.

    Python runs the handlers in the main thread, between any two instructions; a second Ctrl-C comes
    where the first is being answered. So nothing may be raised there before the threads are done.
    """

    _NAMES = "SIGINT", "SIGTERM", "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2"

    def __init__(self, stop: Callable[[], None]) -> None:
        self.raised: list[BaseException] = []
        self._stop, self._over, self._before = stop, False, dict[int, Any]()

    def __call__(self, number: int, frame: Any) -> None:
        """Be the handler of a signal."""
        before = self._before[number]
        if self._over:  # an exception has kept us from putting it back
            before(number, frame)
            return
        try:
            before(number, frame)
        except BaseException as error:
            self.raised.append(error)
            self._stop()

    def __enter__(self) -> _Held:
        if threading.current_thread() is threading.main_thread():
            for name in self._NAMES:
                number = getattr(signal, name, None)
                before = signal.getsignal(number) if number else None
                if number and callable(before):
                    self._before[number] = before
                    with contextlib.suppress(ValueError):  # of another interpreter
                        signal.signal(number, self)
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        for number, before in self._before.items():
            if signal.getsignal(number) is self:
                signal.signal(number, before)


def start_threads(threads: int, always: bool = False) -> tuple[int, Team | None]:
    """A team of so many threads, all of them running; of fewer, where the system refuses more.

    They must all be there before work begins in which they wait for one another.
    """
    if threads == 1 and not always:
        return 1, None
    team = Team(threads)
    started = team.size
    if started == 0 or (started == 1 and not always):
        team.close()
        return 1, None
    return started, team


def side_by_side(parts: int, threads: int, start: Callable[[], Callable[[int], object]]) -> None:
    """Do the parts 0 to ``parts - 1`` of some work on this thread, and others started for it.

    Each thread calls `start`, and what that returns with every part that it takes. Parts do not
    wait for one another and go to whoever is free: a thread that comes late, as on a busy machine,
    finds nothing left to do. Whatever interrupts, this returns when all is done, and then raises
    it.
    """
    if threads == 1:
        work = start()
        for part in range(parts):
            work(part)
        return
    free, done, over = itertools.count(), itertools.count(1), threading.Lock()
    errors: list[BaseException] = []
    over.acquire()

    def take() -> None:
        work: Callable[[int], object] | None = None
        while (part := next(free)) < parts:
            try:
                work = work or start()
                work(part)
            except BaseException as error:
                errors.append(error)
            finally:
                if next(done) == parts:
                    over.release()

    with _Held(lambda: None) as held:
        with contextlib.suppress(RuntimeError):  # can't start new thread
            for _ in range(threads - 1):
                _thread.start_new_thread(take, ())
        take()
        over.acquire()
    for error in (*held.raised, *errors):
        raise error


# The threads of steps on large vectors: asleep in between, since starting one takes 0.1 ms. One
# piece of work at a time has them, since they wait for one another.
_team: Team | None = None
_busy = threading.Lock()


def _renew() -> None:
    """In a forked child: its parent's threads are not there."""
    global _team, _busy
    _team, _busy = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def together(threads: int, work: Callable[[int], None]) -> bool:
    """``work(0)`` to ``work(threads - 1)`` at the same time, on threads that all run.

    Returns False, and nothing was called, if there are not as many, or others use them.
    """
    global _team
    if not _busy.acquire(blocking=False):
        return False
    try:
        if _team is None or _team.size < threads:
            if _team is not None:
                _team.close()
            _team = Team(threads)
        if _team.size < threads:
            return False
        _team.run(work, threads)
        return True
    finally:
        _busy.release()
