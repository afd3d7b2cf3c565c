"""Threads that share one training: they meet at a barrier, and nothing of theirs outlives it.

The threads are the caller's (Python threads, each inside one long kernel without the GIL), so that
no pool is left to spin, to be forked, or to quarrel with another library's.
"""

import ctypes
import functools
import os
import sys
import time

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .declare import scalar
from .intrinsics import integers

__all__ = ["now", "system", "wait"]

_SPINS = 4000  # some microseconds: longer than a balanced step waits, shorter than a time slice

# Nanoseconds that it takes to give way to nobody, at most. After more, another thread has run on
# this core: maybe one of the team, that could run on a core of its own. A system that sees two
# threads give way to one another leaves them there, both warm; one that sleeps, for some 60 µs,
# wakes up on an idle core.
_ALONE = 5000

_YIELD, _SLEEP, _CLOCK = 0, 1, 2  # places in the table of `system`


@intrinsic
def _arrive(typingctx, counter):
    """Add one to the number at the pointer, atomically."""

    def codegen(context, builder, sig, args):
        one = ir.Constant(ir.IntType(64), 1)
        return builder.atomic_rmw("add", args[0], one, "acq_rel")

    return types.int64(counter), codegen


@intrinsic
def _arrived(typingctx, counter):
    """The number at the pointer, read anew."""

    def codegen(context, builder, sig, args):
        return builder.load_atomic(args[0], "acquire", 8)

    return types.int64(counter), codegen


@intrinsic
def _call(typingctx, target, argument):
    """Call the function of a C int, or of nothing, at the address `target`."""

    def codegen(context, builder, sig, args):
        word = ir.IntType(32)
        function = ir.FunctionType(word, [word])
        target = builder.inttoptr(args[0], function.as_pointer())
        builder.call(target, [builder.trunc(args[1], word)])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@scalar
def wait(counter, ticket, threads, system):
    """Wait until all threads are here; returns the ticket of the next meeting (begin with 0)."""
    ticket += threads
    if threads == 1:
        return ticket
    _arrive(counter)
    spins = 0
    while _arrived(counter) < ticket:
        spins += 1
        if spins > _SPINS and system != 0:
            _rest(system)
    return ticket


@scalar
def _rest(system):
    """Let another thread run, and leave a core on which another does."""
    calls, begin = integers(system), now(system)
    if calls[_YIELD] != 0:
        _call(calls[_YIELD], 0)
    if calls[_SLEEP] != 0 and now(system) - begin > _ALONE:
        _call(calls[_SLEEP], 1)


@intrinsic
def _read_clock(typingctx, target, identity):
    """Nanoseconds by ``clock_gettime`` at the address `target`."""
    sig = types.int64(types.int64, types.int64)

    def codegen(context, builder, sig, args):
        word = ir.IntType(64)
        function = ir.FunctionType(ir.IntType(32), [ir.IntType(32), word.as_pointer()])
        pair = cgutils.alloca_once(builder, word, size=2)
        which = builder.trunc(args[1], ir.IntType(32))
        builder.call(builder.inttoptr(args[0], function.as_pointer()), [which, pair])
        seconds = builder.load(pair)
        rest = builder.load(builder.gep(pair, [word(1)]))
        return builder.add(builder.mul(seconds, word(1_000_000_000)), rest)

    return sig, codegen


_STEADY = getattr(time, "CLOCK_MONOTONIC", 0)


@scalar
def now(system):
    """Nanoseconds of a steady clock; 0 without one."""
    clock = integers(system)[_CLOCK]
    return _read_clock(clock, _STEADY) if clock != 0 else 0


@functools.cache
def _table():
    """Addresses of functions of the system, or 0 where it has none (Windows)."""
    windows = os.name == "nt"
    names = {
        _YIELD: "SwitchToThread" if windows else "sched_yield",
        _SLEEP: "" if windows else "usleep",  # which sleeps for milliseconds there
        _CLOCK: "clock_gettime" if sys.maxsize > 2**32 else "",
    }
    return np.array([_symbol(names[place]) for place in sorted(names)], np.int64)


def system():
    """Address of the table of functions that threads call while they wait."""
    return _table().ctypes.data


def _symbol(name):
    try:
        library = ctypes.WinDLL("kernel32") if os.name == "nt" else ctypes.CDLL(None)
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    except (AttributeError, OSError):
        return 0
