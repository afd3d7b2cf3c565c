"""Threads that share one training: they meet at a barrier, and nothing of theirs outlives it.

The threads are the caller's (Python threads, each inside one long kernel without the GIL), so that
no pool is left to spin, to be forked, or to quarrel with another library's.
"""

import ctypes
import functools
import os
import sys
import time

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .declare import scalar

__all__ = ["clock_address", "now", "wait", "yield_address"]

_SPINS = 4000  # some microseconds: longer than a balanced step waits, shorter than a time slice


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
def _give_way(typingctx, target):
    """Call the function without arguments at the address `target`."""

    def codegen(context, builder, sig, args):
        function = ir.FunctionType(ir.IntType(32), [])
        builder.call(builder.inttoptr(args[0], function.as_pointer()), [])
        return context.get_dummy_value()

    return types.void(types.int64), codegen


@scalar
def wait(counter, ticket, threads, give_way):
    """Wait until all threads are here; returns the ticket of the next meeting (begin with 0)."""
    ticket += threads
    if threads == 1:
        return ticket
    _arrive(counter)
    spins = 0
    while _arrived(counter) < ticket:
        spins += 1
        if spins > _SPINS and give_way != 0:
            _give_way(give_way)
    return ticket


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


_CLOCK = getattr(time, "CLOCK_MONOTONIC", 0)


@scalar
def now(clock):
    """Nanoseconds of a steady clock; 0 without one."""
    return _read_clock(clock, _CLOCK) if clock != 0 else 0


@functools.cache
def clock_address():
    """Address of ``clock_gettime``, or 0 where the system has none (Windows)."""
    return _symbol("clock_gettime") if sys.maxsize > 2**32 else 0


@functools.cache
def yield_address():
    """Address of the system's function that lets another thread run, or 0."""
    return _symbol("SwitchToThread" if os.name == "nt" else "sched_yield")


def _symbol(name):
    try:
        library = ctypes.WinDLL("kernel32") if os.name == "nt" else ctypes.CDLL(None)
        return ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0
    except (AttributeError, OSError):
        return 0
