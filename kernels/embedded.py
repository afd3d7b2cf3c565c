"""Ufuncs inside users' compiled functions: on numbers inlined, on arrays with NumPy's broadcasting.

As in NumPy, except that integers always become float64, that parameters take the dtype of x, and
that all arguments are given by position, ``out`` of arrays last.
"""

from numba import types, vectorize
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload

from .jit import prefer_wide
from .loops import packed

__all__ = ["allow"]

_NUMBERS = (types.Float, types.Integer, types.Boolean)


@intrinsic
def _evaluate(typingctx, formula, args, more, main):
    """The formula of the numbers in `args` and, where they end, in `more`, all of one dtype.

    main: how many of them decide the dtype.
    """
    if not isinstance(main, types.IntegerLiteral):
        return None
    kinds = [*args, *more]
    single = all(kind == types.float32 for kind in kinds[: main.literal_value])
    element = types.float32 if single else types.float64
    inner = formula.get_call_type(typingctx, (element,) * len(kinds), {})
    sig = inner.return_type(formula, args, more, main)

    def codegen(context, builder, sig, args):
        prefer_wide(builder.function)
        values = [*cgutils.unpack_tuple(builder, args[1]), *cgutils.unpack_tuple(builder, args[2])]
        cast = [
            context.cast(builder, value, kind, element)
            for value, kind in zip(values, kinds, strict=True)
        ]
        given = packed(context, builder, inner, cast)
        return context.get_function(sig.args[0], inner)(builder, given)

    return sig, codegen


def allow(ufunc, formula, main, nout, defaults):
    """Make `ufunc` callable in compiled code.

    main: number of arguments before the parameters; nout: of results; defaults: of each parameter,
    None if it must be given.
    """
    name, count = ufunc.__name__, main + len(defaults)

    def typed(*args):
        given = min(len(args), count)
        more = tuple(defaults[given - main :]) if given >= main else (None,)
        if len(args) > count + 1 or None in more:
            raise TypingError(f"{name} does not take {len(args)} arguments")
        for arg in args:
            if not isinstance(arg.dtype if isinstance(arg, types.Array) else arg, _NUMBERS):
                raise TypingError(f"{name} takes real numbers or arrays of them, not {arg}")
        arrays = any(isinstance(arg, types.Array) for arg in args)
        if arrays and nout > 1:
            raise TypingError(f"{name} takes numbers in compiled code, not arrays")
        if not arrays and len(args) > count:
            raise TypingError(f"{name} of numbers does not take {len(args)} arguments")
        if arrays:
            elementwise = _elementwise(formula, given, more, main)

            def found(*args):
                return elementwise(*args)

        else:

            def found(*args):
                return _evaluate(formula, args, more, main)

        return found

    overload(ufunc, strict=False)(typed)
    cpu_target.typing_context.refresh()  # a function that is being compiled may be what asked


def _elementwise(formula, count, more, main):
    """The formula for arrays and numbers, broadcast."""
    if count == 1:

        def element(x):
            return _evaluate(formula, (x,), more, main)

    elif count == 2:

        def element(x, y):
            return _evaluate(formula, (x, y), more, main)

    elif count == 3:

        def element(x, y, z):
            return _evaluate(formula, (x, y, z), more, main)

    else:

        def element(x, y, z, w):
            return _evaluate(formula, (x, y, z, w), more, main)

    return vectorize(element)
