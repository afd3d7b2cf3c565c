"""What surrounds every run of numba's compiler: its lock, its switch, its time and a word about it.

**Forks.** A child has only the thread that forked. What another thread held at that moment would
be held for ever: the lock of numba's compiler, LLVM's, Python's lock of a module that is being
imported. So a fork waits until nothing is being compiled or loaded, and modules that are imported
when first needed are imported under the same lock (`imported`).

**Switch.** ``NUMBA_DISABLE_JIT`` is for debugging one's own functions. Kernels are made of
instructions that Python does not have, so they are compiled all the same.
"""

import contextlib
import functools
import os
import sys
import threading
import time
from importlib import import_module

from llvmlite.binding import ffi
from numba.core import config, event
from numba.core.compiler_lock import global_compiler_lock as lock

__all__ = ["clock", "compiling", "imported", "lock", "once", "silence", "switched_on"]

_PATIENCE = 1.0  # seconds of compiling before a word is said

_forking = []  # threads that hold the locks for a fork


def _hold():
    lock.acquire()
    ffi.lib._lock.__enter__()  # objects of LLVM are let go of without numba's lock
    _forking.append(threading.get_ident())


def _let_go():
    # not if an interrupt ended the waiting
    if _forking and _forking[-1] == threading.get_ident():
        _forking.pop()
        ffi.lib._lock.__exit__(None, None, None)
        lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)


def imported(name, package=None):
    """A module that is imported when first needed, so that no fork comes in between."""
    with lock:
        return import_module(name, package)


def once(make):
    """Keep what a function makes of its arguments: threads that ask at the same time get the same.

    `functools.cache` gives each of them its own and keeps the last, which is not enough where
    addresses of it stay behind.
    """
    known = {}

    @functools.wraps(make)
    def get(*args):
        if args not in known:
            with lock:
                if args not in known:
                    known[args] = make(*args)
        return known[args]

    return get


@contextlib.contextmanager
def switched_on():
    """Have numba's decorators compile, whatever ``NUMBA_DISABLE_JIT`` says.

    They look there when they decorate, and numba itself decorates while it compiles.
    """
    with lock:
        before = config.DISABLE_JIT
        config.DISABLE_JIT = 0
        try:
            yield
        finally:
            config.DISABLE_JIT = before


class _Own(threading.local):
    """Of each thread: seconds that it has compiled, and whether it does so now."""

    seconds = 0.0
    busy = False


_own = _Own()


def clock():
    """Seconds of a steady clock that stands still while this thread compiles."""
    return time.perf_counter() - _own.seconds


@contextlib.contextmanager
def compiling(name):
    """Around a run of the compiler, for the kernel of that name."""
    if _own.busy:  # one kernel calls another
        yield
        return
    start = time.perf_counter()
    notice = _Notice(name, start - _own.seconds)
    _own.busy = True
    event.register("numba:run_pass", notice)
    try:
        with switched_on():
            yield
    finally:
        event.unregister("numba:run_pass", notice)
        _own.busy = False
        _own.seconds += time.perf_counter() - start


_silent = False


def silence():
    """Say nothing about compiling in this process."""
    global _silent
    _silent = True


class _Notice(event.Listener):
    """Says once, at a pass of the compiler, that this takes long; see `_announce`."""

    def __init__(self, name, start):
        self.name, self.start = name, start

    def on_start(self, event):
        """At the beginning of a pass."""
        if not _silent and time.perf_counter() - self.start > _PATIENCE:
            _announce(self.name)

    def on_end(self, event):
        """At its end."""


def _announce(name):
    """One line for whoever waits at a terminal, unless ``FASTNN_QUIET`` is set."""
    silence()
    with contextlib.suppress(AttributeError, OSError, ValueError):  # no stderr, or a closed one
        if os.environ.get("FASTNN_QUIET", "0") in ("", "0") and sys.stderr.isatty():
            text = (
                f"fastnn: compiling {name} and other kernels, which are kept for later processes; "
                "`fastnn warmup` compiles all of them ahead (FASTNN_QUIET=1: no such line)"
            )
            print(text, file=sys.stderr, flush=True)
