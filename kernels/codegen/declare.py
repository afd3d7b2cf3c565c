"""The one compile policy: every kernel is declared through this file.

Nothing else compiles anything (the rest of this folder, `gemm.registers` and the `overloads` extend
numba by instructions and by functions for users' kernels). Three kinds of compiled code exist:

``@scalar``
    A plain function of numbers, inlined into whatever kernel calls it.
``@kernel``
    A function called from Python or from another kernel; compiled at its first call, one
    machine code per tuple of argument types, without the GIL.
``address(function, dtype)``
    A C function that the engine calls by its address. Most are *tile kernels*: functions
    ``(a, b, c, parameters, m, n, k, flag) -> float64`` of pointers and integers. This is how a row
    of a table reaches compiled loops that know nothing of it: no engine is compiled again for
    another activation, cost or rule.

Flags: ``contract`` lets the compiler fuse a*b+c; ``reassoc`` is for sums only, since it destroys
the rounding tricks of `vecmath`; ``nnan`` and ``ninf`` never, since they delete NaN checks.
"""

import functools

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.core import cgutils
from numba.core.ccallback import CFunc
from numba.core.errors import TypingError
from numba.extending import intrinsic, overload, register_jitable

from .cache import KernelCache
from .compiler import compiling, lock, switched_on

__all__ = [
    "address",
    "bits_of",
    "by_dtype",
    "call",
    "carray",
    "cast_like",
    "choose",
    "constant",
    "data",
    "field",
    "fma",
    "from_bits",
    "integers",
    "itemsize",
    "kernel",
    "numbers",
    "pointer",
    "polynomial",
    "prefer_wide",
    "scalar",
    "singles",
    "sqrt",
    "wide",
]

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
    return register_jitable(**options)(function)


def kernel(function=None, *, reassoc=False, nogil=True):
    """Declare a kernel: lazy, cached, without the GIL."""
    if function is None:
        return lambda f: kernel(f, reassoc=reassoc, nogil=nogil)
    with switched_on():
        dispatcher = njit(nogil=nogil, fastmath=_fastmath(reassoc), **_OPTIONS)(function)
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


TILE_KERNEL = "dddniiii"  # the arguments of a tile kernel, see `_signature`

_addresses: dict[tuple, CFunc] = {}


def address(function, dtype, arguments=TILE_KERNEL):
    """Machine address of `function` compiled as a C function for data of `dtype`.

    Compiled or loaded from the cache at the first request of the process, then kept for its
    whole life: addresses stay valid in forked children.
    """
    key = (function, np.dtype(dtype).char, arguments)
    if key not in _addresses:
        with lock:
            if key not in _addresses:  # nor has another thread made it meanwhile
                options = {"fastmath": _fastmath(False), **_OPTIONS}
                signature = _signature(arguments, np.dtype(dtype))
                compiled = _with_cache(
                    CFunc(function, signature, locals={}, options=options), function
                )
                compiled.compile()
                _addresses[key] = compiled
    return _addresses[key].address


def _signature(arguments, dtype):
    """Argument types, and float64.

    Pointers: d data, n numbers (float64), o integers (int64). Values: i an int64, c a C int, f a
    float64.
    """
    data = types.float32 if dtype == np.float32 else types.float64
    kinds = {
        "d": types.CPointer(data),
        "n": types.CPointer(types.float64),
        "o": types.CPointer(types.int64),
        "i": types.int64,
        "c": types.intc,
        "f": types.float64,
    }
    return tuple(kinds[letter] for letter in arguments), types.float64


@intrinsic
def call(typingctx, target, *args):
    """Call the function at the address `target` with pointers, integers and float64s.

    The kinds of the arguments must be those that the function was compiled with (`address`):
    nothing can check them.
    """
    sig = types.float64(types.int64, types.StarArgTuple(args))

    def codegen(context, builder, sig, args):
        kinds = [
            kind if isinstance(kind, (types.CPointer, types.Float)) else types.int64
            for kind in sig.args[1]
        ]
        values = [
            context.cast(builder, value, given, kind)
            for value, given, kind in zip(
                cgutils.unpack_tuple(builder, args[1]), sig.args[1], kinds, strict=True
            )
        ]
        function = ir.FunctionType(
            ir.DoubleType(), [context.get_value_type(kind) for kind in kinds]
        )
        return builder.call(builder.inttoptr(args[0], function.as_pointer()), values)

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
def cast_like(typingctx, x, value):
    """`value` in the type of `x`: keeps a literal from turning float32 code into float64."""
    sig = x(x, value)

    def codegen(context, builder, sig, args):
        return context.cast(builder, args[1], sig.args[1], sig.return_type)

    return sig, codegen


@intrinsic
def choose(typingctx, x, pair):
    """The first of a pair where x is float32, else the second.

    An instruction and not a function: it stands in every formula, and each function that one calls
    takes numba ten milliseconds.
    """
    if not isinstance(pair, types.BaseTuple) or len(pair) != 2:
        return None
    index = 0 if x == types.float32 else 1
    sig = types.unliteral(pair.types[index])(x, pair)

    def codegen(context, builder, sig, args):
        value = builder.extract_value(args[1], index)
        return context.cast(builder, value, sig.args[1].types[index], sig.return_type)

    return sig, codegen


@intrinsic
def constant(typingctx, x, pair):
    """The number of a pair that is meant for the type of x, in that type."""
    if not isinstance(pair, types.BaseTuple) or len(pair) != 2:
        return None
    index = 0 if x == types.float32 else 1
    sig = x(x, pair)

    def codegen(context, builder, sig, args):
        value = builder.extract_value(args[1], index)
        return context.cast(builder, value, sig.args[1].types[index], sig.return_type)

    return sig, codegen


@intrinsic
def polynomial(typingctx, x, c):
    """c[0] + c[1] x + c[2] x**2 + …: pairs c[i] + c[i+1] x by Horner's rule in x**2.

    Half as long a chain of dependent operations as Horner's rule in x.
    """
    if not isinstance(c, types.BaseTuple) or len(c) < 2:
        return None
    sig = x(x, c)

    def codegen(context, builder, sig, args):
        x = args[0]
        numbers = [
            context.cast(builder, builder.extract_value(args[1], i), kind, sig.return_type)
            for i, kind in enumerate(sig.args[1].types)
        ]
        pairs = [
            builder.fma(high, x, low)
            for low, high in zip(numbers[::2], numbers[1::2], strict=False)
        ]
        y = numbers[-1] if len(numbers) % 2 else pairs.pop()
        square = builder.fmul(x, x)
        for pair in reversed(pairs):
            y = builder.fma(y, square, pair)
        return y

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


def prefer_wide(function):
    """Let a function of LLVM use the widest vectors of the machine, see `wide`."""
    # llvmlite's own add() knows only attribute names without a value.
    set.add(function.attributes, '"prefer-vector-width"="512"')


@intrinsic
def wide(typingctx):
    """Let the calling function use the widest vectors of the machine.

    LLVM stays at 256 bits on most AVX-512 machines; for these loops 512 is a third faster.
    The attribute has no effect where there is no such hardware.
    """

    def codegen(context, builder, sig, args):
        prefer_wide(builder.function)
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def sqrt(typingctx, x):
    """Square root, correctly rounded; NaN below zero."""
    if x not in (types.float32, types.float64):
        raise TypingError(f"sqrt() takes a float, not {x}")
    sig = x(x)

    def codegen(context, builder, sig, args):
        kind = args[0].type
        name = f"llvm.sqrt.f{32 if sig.args[0] == types.float32 else 64}"
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind]), name
        )
        return builder.call(function, args)

    return sig, codegen


@intrinsic
def itemsize(typingctx, pointer):
    """Bytes of an element of a pointer to floats."""
    size = 4 if pointer.dtype == types.float32 else 8

    def codegen(context, builder, sig, args):
        return context.get_constant(types.int64, size)

    return types.int64(pointer), codegen


def _from_address(kind):
    sig = kind(types.int64)

    def codegen(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return sig, codegen


@intrinsic
def integers(typingctx, address):
    """The int64 numbers at an address."""
    return _from_address(types.CPointer(types.int64))


@intrinsic
def numbers(typingctx, address):
    """The float64 numbers at an address."""
    return _from_address(types.CPointer(types.float64))


@intrinsic
def singles(typingctx, address):
    """The float32 numbers at an address."""
    return _from_address(types.CPointer(types.float32))


@intrinsic
def data(typingctx, address, like):
    """Numbers at an address, of the type that the pointer `like` has."""
    sig = like(types.int64, like)

    def codegen(context, builder, sig, args):
        return builder.inttoptr(args[0], context.get_value_type(sig.return_type))

    return sig, codegen


@functools.cache
def field(index):
    """An intrinsic for the pointer to the data of one array of a tuple.

    Taking the array out of the tuple would count a reference, which costs more than a small kernel.
    """

    @intrinsic
    def pointer_of(typingctx, value):
        array = value.types[index]
        sig = types.CPointer(array.dtype)(value)

        def codegen(context, builder, sig, args):
            member = builder.extract_value(args[0], index)
            return context.make_array(array)(context, builder, member).data

        return sig, codegen

    return pointer_of
