"""The one compile policy: every kernel is declared through this file.

Nothing else in the project imports numba. Three kinds of compiled code exist:

``@scalar``
    A plain function of numbers, inlined into whatever kernel calls it.
``@kernel``
    A function called from Python or from another kernel; compiled at its first call, one
    machine code per tuple of argument types, without the GIL.
``address(function, dtype)``
    A *row kernel*: a function ``(a, b, c, parameters, m, n, k, flag) -> float64`` of pointers and
    integers, compiled to a C function whose address the engine calls. This is how a row of a table
    reaches compiled loops that know nothing of it: no engine is compiled again for another
    activation, cost, rule or kind of product.

Flags: ``contract`` lets the compiler fuse a*b+c; ``reassoc`` is for sums only, since it destroys
the rounding tricks of `vecmath`; ``nnan`` and ``ninf`` never, since they delete NaN checks.
"""

import os
import threading

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.core.ccallback import CFunc
from numba.core.errors import TypingError
from numba.extending import intrinsic, overload, register_jitable

from .cache import KernelCache

__all__ = [
    "address",
    "bits_of",
    "by_dtype",
    "call",
    "carray",
    "fma",
    "from_bits",
    "gemm",
    "kernel",
    "like",
    "pointer",
    "scalar",
    "wide",
]

_OPTIONS = {"error_model": "numpy", "boundscheck": False}


def _fastmath(reassoc):
    return {"contract", "reassoc"} if reassoc else {"contract"}


def scalar(function=None, *, reassoc=False):
    """Declare a function that kernels inline."""
    if function is None:
        return lambda f: scalar(f, reassoc=reassoc)
    options = {"error_model": "numpy", "fastmath": _fastmath(reassoc)}
    return register_jitable(**options)(function)


def kernel(function=None, *, reassoc=False):
    """Declare a kernel: lazy, cached, without the GIL."""
    if function is None:
        return lambda f: kernel(f, reassoc=reassoc)
    dispatcher = njit(nogil=True, fastmath=_fastmath(reassoc), **_OPTIONS)(function)
    dispatcher._cache = KernelCache(function)
    return dispatcher


def by_dtype(single, double):
    """One function for kernels: `single` where the first argument is float32, else `double`."""

    def chosen(x, *args):
        return (single if np.result_type(x) == np.float32 else double)(x, *args)

    @overload(chosen, strict=False)  # not strict: `single` may name its arguments
    def choose(x, *args):
        return single if x == types.float32 else double

    return chosen


_addresses: dict[tuple, CFunc] = {}
_lock = threading.Lock()


def _renew_lock():
    """In a forked child: a thread of the parent may have held it, and is not here to let it go."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def address(function, dtype):
    """Machine address of `function` compiled as a row kernel for arrays of `dtype`.

    Compiled or loaded from the cache at the first request of the process, then kept for its
    whole life: addresses stay valid in forked children.
    """
    key = (function, np.dtype(dtype).char)
    with _lock:
        if key not in _addresses:
            compiled = CFunc(
                function,
                _row_signature(np.dtype(dtype)),
                locals={},
                options={"fastmath": _fastmath(False), **_OPTIONS},
            )
            compiled._cache = KernelCache(function)
            compiled.compile()
            _addresses[key] = compiled
        return _addresses[key].address


def _row_signature(dtype):
    """float64 kernel(T* a, T* b, T* c, float64* parameters, int64 m, n, k, flag)."""
    data = types.CPointer(types.float32 if dtype == np.float32 else types.float64)
    numbers = types.CPointer(types.float64)
    return (data, data, data, numbers, *[types.int64] * 4), types.float64


@intrinsic
def call(typingctx, target, a, b, c, parameters, m, n, k, flag):
    """Call the row kernel at the address `target`; a, b, c and parameters are pointers."""
    sig = types.float64(types.int64, a, b, c, parameters, *[types.int64] * 4)

    def codegen(context, builder, sig, args):
        kinds = [context.get_value_type(kind) for kind in sig.args[1:]]
        function = ir.FunctionType(ir.DoubleType(), kinds)
        return builder.call(builder.inttoptr(args[0], function.as_pointer()), args[1:])

    return sig, codegen


@intrinsic
def pointer(typingctx, array, offset):
    """Pointer to element `offset` of a C-contiguous array, or of a pointer."""
    if isinstance(array, types.CPointer):
        kind = array
    elif isinstance(array, types.Array) and array.layout == "C":
        kind = types.CPointer(array.dtype)
    else:
        raise TypingError(f"pointer() takes a C-contiguous array, not {array}")
    sig = kind(array, types.int64)

    def codegen(context, builder, sig, args):
        base = args[0]
        if isinstance(sig.args[0], types.Array):
            base = context.make_array(sig.args[0])(context, builder, base).data
        return builder.gep(base, [args[1]])

    return sig, codegen


@intrinsic
def like(typingctx, x, value):
    """`value` in the type of `x`: keeps a literal from turning float32 code into float64."""
    sig = x(x, value)

    def codegen(context, builder, sig, args):
        return context.cast(builder, args[1], sig.args[1], sig.return_type)

    return sig, codegen


_BITS = {
    types.float32: types.int32,
    types.float64: types.int64,
    types.int32: types.float32,
    types.int64: types.float64,
}


def _bitcast(source):
    if source not in _BITS:
        raise TypingError(f"no bit cast from {source}")
    sig = _BITS[source](source)

    def codegen(context, builder, sig, args):
        return builder.bitcast(args[0], context.get_value_type(sig.return_type))

    return sig, codegen


@intrinsic
def bits_of(typingctx, x):
    """The bits of a float32 (float64) as int32 (int64)."""
    return _bitcast(x)


@intrinsic
def from_bits(typingctx, i):
    """The float32 (float64) whose bits are the int32 (int64) `i`."""
    return _bitcast(i)


@intrinsic
def fma(typingctx, a, b, c):
    """a*b + c with one rounding."""
    if not (a == b == c and a in (types.float32, types.float64)):
        raise TypingError(f"fma() takes three floats of one type, not {a}, {b}, {c}")
    sig = a(a, a, a)

    def codegen(context, builder, sig, args):
        return builder.fma(*args)

    return sig, codegen


@intrinsic
def wide(typingctx):
    """Let the calling function use the widest vectors of the machine.

    LLVM stays at 256 bits on most AVX-512 machines; for these loops 512 is a third faster.
    The attribute has no effect where there is no such hardware.
    """

    def codegen(context, builder, sig, args):
        # llvmlite's own add() knows only attribute names without a value.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def gemm(typingctx, trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    """C = op(A) op(B) + beta C by SciPy's BLAS: column-major, leading dimensions, pointers.

    trans_a and trans_b are booleans; the call is numba's own entry to ``cython_blas``, which
    needs no GIL and resolves the routine at its first use.
    """
    size = types.int64
    sig = types.void(
        types.boolean, types.boolean, size, size, size, a, size, b, size, c.dtype, c, size
    )

    def codegen(context, builder, sig, args):
        ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc = args
        byte, word, raw = ir.IntType(8), ir.IntType(64), ir.IntType(8).as_pointer()
        number = context.get_value_type(sig.args[9])
        kind = byte(ord("s" if sig.args[9] == types.float32 else "d"))

        def letter(flag):
            truth = builder.trunc(flag, ir.IntType(1))
            return builder.select(truth, byte(ord("t")), byte(ord("n")))

        def place(value):
            return builder.bitcast(cgutils.alloca_once_value(builder, value), raw)

        def data(value):
            return builder.bitcast(value, raw)

        kinds = [byte] * 3 + [word] * 3 + [raw, raw, word, raw, word, raw, raw, word]
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(ir.IntType(32), kinds), "numba_xxgemm"
        )
        one = place(ir.Constant(number, 1.0))
        values = [kind, letter(ta), letter(tb), m, n, k, one]
        values += [data(a), lda, data(b), ldb, place(beta), data(c), ldc]
        builder.call(function, values)
        return context.get_dummy_value()

    return sig, codegen
