"""The one compile policy: every kernel is declared through this file.

Nothing else compiles anything (the rest of this folder, `gemm` and the `overloads` extend numba by
instructions and by functions for users' kernels). Three kinds of compiled code exist:

``@scalar``
    A plain function of numbers, inlined into whatever kernel calls it.
``@kernel``
    A function called from Python or from another kernel; compiled at its first call, one
    machine code per tuple of argument types, without the GIL.
``address(function, dtype, signature)``
    A C function that the engine calls by its address. Most are *tile kernels*: functions
    ``(a, b, c, hyper, n_features, n_lanes, n_targets, flag) -> float64`` of pointers and integers.
    This is how a row of a table reaches compiled loops that know nothing of it: no engine is
    compiled again for another activation, cost or rule. It neither allocates nor raises. See
    `signature`.

Flags: ``contract`` lets the compiler fuse a*b+c; ``reassoc`` is for sums only, since it destroys
the rounding tricks of `vecmath`; ``nnan`` and ``ninf`` never, since they delete NaN checks.
"""

import numpy as np
from numba import carray, njit, types
from numba.core.ccallback import CFunc
from numba.core.compiler import Compiler
from numba.extending import overload, register_jitable

from .cache import KernelCache
from .compiler import compiling, lock, switched_on
from .signature import TILE_KERNEL

try:
    from .pipeline import AddressCompiler, KernelCompiler, ScalarCompiler
except (AttributeError, ImportError):  # a numba built otherwise: its own pipeline is only slower
    AddressCompiler = KernelCompiler = ScalarCompiler = Compiler

__all__ = ["address", "by_dtype", "carray", "kernel", "scalar"]

_OPTIONS = {"error_model": "numpy", "boundscheck": False}


def _fastmath(reassoc):
    return {"contract", "reassoc"} if reassoc else {"contract"}


def scalar(function=None, *, reassoc=False):
    """Declare a function that kernels inline."""
    if function is None:
        return lambda f: scalar(f, reassoc=reassoc)
    # no entry from C either: it would be compiled for each function that is only ever inlined
    options = {"error_model": "numpy", "fastmath": _fastmath(reassoc), "forceinline": True}
    options |= {"no_cfunc_wrapper": True, "no_cpython_wrapper": True}
    return register_jitable(pipeline_class=ScalarCompiler, **options)(function)


def kernel(function=None, *, reassoc=False, nogil=True):
    """Declare a kernel: lazy, cached, without the GIL."""
    if function is None:
        return lambda f: kernel(f, reassoc=reassoc, nogil=nogil)
    with switched_on():
        options = {"nogil": nogil, "fastmath": _fastmath(reassoc), **_OPTIONS}
        dispatcher = njit(pipeline_class=KernelCompiler, **options)(function)
    return _with_cache(dispatcher, function)


def _with_cache(compiled, function):
    """The same, with our cache, and our care around the compiler."""
    run = compiled._compiler.compile

    def compile_(args, return_type):
        with compiling(function.__name__):
            return run(args, return_type)

    compiled._compiler.compile = compile_
    compiled._cache = KernelCache(function)
    return compiled


def by_dtype(single, double):
    """One function for kernels: `single` where the first argument is float32, else `double`."""

    def chosen(x, *args):
        return (single if np.result_type(x) == np.float32 else double)(x, *args)

    @overload(chosen, strict=False)  # not strict: `single` may name its arguments
    def choose(x, *args):
        return single if x == types.float32 else double

    return chosen


_addresses: dict[tuple, CFunc] = {}


def address(function, dtype, signature=TILE_KERNEL):
    """Machine address of `function` compiled as a C function for data of `dtype`.

    Compiled or loaded from the cache at the first request of the process, then kept for its
    whole life: addresses stay valid in forked children.
    """
    key = (function, np.dtype(dtype).char, signature)
    if key not in _addresses:
        with lock:
            if key not in _addresses:  # nor has another thread made it meanwhile
                options = {"fastmath": _fastmath(False), **_OPTIONS}
                signature.check(function)
                data = types.float32 if np.dtype(dtype) == np.float32 else types.float64
                kinds = signature.types(data), signature.returns
                made = CFunc(function, kinds, {}, options, pipeline_class=AddressCompiler)
                compiled = _with_cache(made, function)
                compiled.compile()
                _addresses[key] = compiled
    return _addresses[key].address
