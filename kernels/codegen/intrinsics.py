"""Instructions that Python does not have, and what its types hide: inlined where they are used."""

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

__all__ = [
    "bits_of",
    "cast_like",
    "choose",
    "constant",
    "data",
    "field",
    "fma",
    "from_bits",
    "integers",
    "itemsize",
    "numbers",
    "pointer",
    "polynomial",
    "prefer_wide",
    "singles",
    "sqrt",
    "wide",
]


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
        coefficients = [
            context.cast(builder, builder.extract_value(args[1], i), kind, sig.return_type)
            for i, kind in enumerate(sig.args[1].types)
        ]
        pairs = [
            builder.fma(high, x, low)
            for low, high in zip(coefficients[::2], coefficients[1::2], strict=False)
        ]
        y = coefficients[-1] if len(coefficients) % 2 else pairs.pop()
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
