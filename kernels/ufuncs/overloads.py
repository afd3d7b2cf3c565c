"""Ufuncs inside users' compiled functions: on numbers inlined, on arrays with NumPy's broadcasting.

As in NumPy, except that integers always become float64, that parameters take the dtype of x, and
that all arguments are given by position, ``out`` of arrays last. The softmax family works along the
last axis of arrays of one shape.
"""

import numpy as np
from numba import types, vectorize
from numba.core import cgutils
from numba.core.registry import cpu_target
from numba.extending import intrinsic, overload

from ..codegen.declare import scalar
from ..codegen.intrinsics import prefer_wide
from ..codegen.vector_loops import packed

__all__ = ["allow", "allow_along_axis"]

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
    None if it must be given. Refuses by a TypeError: numba hides its own errors in a long listing.
    """
    name, count = ufunc.__name__, main + len(defaults)

    def typed(*args):
        given = min(len(args), count)
        more = tuple(defaults[given - main :]) if given >= main else (None,)
        if len(args) > count + 1 or None in more:
            raise TypeError(f"{name} does not take {len(args)} arguments")
        for arg in args:
            if not isinstance(arg.dtype if isinstance(arg, types.Array) else arg, _NUMBERS):
                raise TypeError(f"{name} takes real numbers or arrays of them, not {arg}")
        arrays = any(isinstance(arg, types.Array) for arg in args)
        if arrays and nout > 1:
            raise TypeError(f"{name} takes numbers in compiled code, not arrays")
        if not arrays and len(args) > count:
            raise TypeError(f"{name} of numbers does not take {len(args)} arguments")
        if arrays:
            elementwise = _elementwise(formula, given, more, main)

            def compiled(*args):
                return elementwise(*args)

        else:

            def compiled(*args):
                return _evaluate(formula, args, more, main)

        return compiled

    _register(ufunc, typed)


def _register(ufunc, typed):
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


def _along_last_axis(name, count, sample):
    """Function of arrays and their result: `sample` of all samples, which must have one shape."""
    shapes = f"{name} in compiled code takes arrays of one shape"

    @scalar
    def fill(args, out):
        for arg in args:
            if arg.shape != out.shape:
                raise ValueError(shapes)
        for index in np.ndindex(out.shape[:-1]):
            if count == 1:
                sample(args[0][index], out[index])
            else:
                sample(args[0][index], args[1][index], out[index])
        return out

    return fill


def allow_along_axis(ufunc, sample):
    """Make a softmax function callable in compiled code; sample: see `softmax_formulas.sample`."""
    name, count = ufunc.__name__, ufunc.nin
    fill = _along_last_axis(name, count, sample)

    def typed(*args):
        if len(args) not in (count, count + 1):
            raise TypeError(f"{name} does not take {len(args)} arguments")
        for arg in args:
            if not (isinstance(arg, types.Array) and arg.ndim and isinstance(arg.dtype, _NUMBERS)):
                raise TypeError(f"{name} takes arrays of real numbers, not {arg}")
        single = all(arg.dtype == types.float32 for arg in args[:count])
        dtype = np.float32 if single else np.float64
        if len(args) == count:

            def compiled(*args):
                return fill(args, np.empty(args[-1].shape, dtype))

        elif args[-1].dtype == (types.float32 if single else types.float64):

            def compiled(*args):
                return fill(args[:count], args[count])

        else:
            raise TypeError(f"out of {name} must be of {dtype.__name__}, not {args[-1].dtype}")
        return compiled

    _register(ufunc, typed)
