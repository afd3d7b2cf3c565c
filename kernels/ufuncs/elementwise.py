"""NumPy's ufuncs of activations, which are also functions for users' compiled code.

A ufunc is made, and its loops compiled or loaded, when its name is first asked of
``fastnn.kernels``. Of a formula ``name`` there are

========================  =======================================================================
``name(x, …)``            the activation
``name_derivative``       its derivative by x; ``name_second_derivative``, and, of most,
                          ``name_third_derivative``
``name_vjp(g, x, …)``     g times the derivative
``name_and_vjp(g, x, …)`` the activation and that, in one pass
========================  =======================================================================

x is followed by the activation's parameters, which are broadcast as x is; those with a default may
be left out, and all may be given by name. float16, float32 and float64 stay; integers become
floats as for NumPy's own functions: of ``tanh``, or with parameters of ``x * 0.5``. Other arguments
are those of every ufunc: ``out``, ``dtype``, ``casting`` … Masks of masked arrays are kept.

The softmax family works along ``axis``: an int, the last by default, or several in a tuple, or None
for all. Arrays with masked values are refused there.
"""

import functools
import inspect
import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from .. import activations
from ..codegen.compiler import once
from ..codegen.declare import address, scalar
from ..codegen.vector_loops import BLOCKS, blocks
from . import softmax_formulas, softmax_loop
from .access import ACCESS
from .arguments import refuse_masked, refuse_self_overlap
from .elementwise_loop import loop_address, plan
from .numpy_c_api import ufunc
from .overloads import allow, allow_along_axis

__all__ = ["Kernel", "find", "formula_of", "known", "make_ufunc"]


def make_ufunc(name, doc, formula, nin, nout):
    """A ufunc with loops for float16, float32 and float64."""
    function = blocks(formula, nin, nout)
    single, double = (address(function, d, BLOCKS) for d in (np.float32, np.float64))
    loops = [
        (letter, loop_address(letter), plan(target, nin, nout).ctypes.data)
        for letter, target in zip("efd", (single, single, double), strict=True)
    ]
    return ufunc(name, doc, loops, nin, nout)


def _make_along_axis(name):
    """A ufunc of the softmax family."""
    nin = 2 if softmax_formulas.TABLE[name].is_vjp else 1
    plans = [
        softmax_loop.plan(name, np.dtype(dtype)) for dtype in (np.float32, np.float32, np.float64)
    ]
    loops = [
        (
            letter,
            address(softmax_loop.loop(letter), np.float64, softmax_loop.SOFTMAX_LOOP),
            plan.ctypes.data,
        )
        for letter, plan in zip("efd", plans, strict=True)  # `softmax_loop.plan` keeps them
    ]
    signature = "(n),(n)->(n)" if nin == 2 else "(n)->(n)"
    function = ufunc(name, softmax_formulas.TABLE[name].finish.__doc__, loops, nin, 1, signature)
    result = AlongAxes(function, [], {})  # numba would take NumPy's own to act on each number alone
    allow_along_axis(result, softmax_formulas.sample(name))
    return result


@functools.cache
def _vjp(derivative):
    def vjp(g, *args):
        return g * derivative(*args)

    return scalar(vjp)


@functools.cache
def _with_vjp(formula, derivative):
    def and_vjp(g, *args):
        return formula(*args), g * derivative(*args)

    return scalar(and_vjp)


_SUFFIXES = (*activations.ORDERS[:0:-1], "_and_vjp", "_vjp")  # the longer ones first


def _parse(name):
    """The activation's name and what is asked of it."""
    suffix = next((s for s in _SUFFIXES if name.endswith(s)), "")
    return name.removesuffix(suffix), suffix


def formula_of(name):
    """The formula behind a ufunc's name, its number of outputs, its docstring; or None."""
    base, suffix = _parse(name)
    if suffix in activations.ORDERS:
        formula = activations.find(name)
        return formula and (formula, 1, formula.__doc__)
    forward, derivative = activations.find(base), activations.find(f"{base}_derivative")
    if forward is None or derivative is None:
        return None
    if suffix == "_vjp":
        return _vjp(derivative), 1, f"g times the derivative of {base}."
    return _with_vjp(forward, derivative), 2, f"{base} and g times its derivative, in one pass."


def known():
    """Names of all ufuncs."""
    every = [name for name in activations.FORMULAS if not name.endswith("_from_output")]
    every += softmax_formulas.TABLE
    return every + [f"{name}{s}" for name in activations.names() for s in ("_vjp", "_and_vjp")]


@once
def find(name):
    """The ufunc of that name, or None; made at the first call."""
    if name in softmax_formulas.TABLE:
        return _make_along_axis(name)
    known_formula = formula_of(name)
    if known_formula is None or name.endswith("_from_output"):
        return None
    formula, nout, doc = known_formula
    base, suffix = _parse(name)
    arguments = list(inspect.signature(activations.find(base)).parameters.values())
    extra = suffix in ("_vjp", "_and_vjp")
    function = make_ufunc(name, doc, formula, len(arguments) + extra, nout)
    defaults = {p.name: p.default for p in arguments if p.default is not p.empty}
    if arguments[1:]:
        function = Kernel(function, [p.name for p in arguments[1:]], defaults)
    allow(function, formula, 1 + extra, nout, [defaults.get(p.name) for p in arguments[1:]])
    return function


class Kernel:
    """A ufunc whose last arguments, an activation's parameters, have names and maybe defaults.

    Everything else is the ufunc's, which is the attribute `ufunc`.
    """

    def __init__(self, ufunc, parameters, defaults):
        self.ufunc = ufunc
        self._parameters, self._defaults = parameters, defaults
        # where NumPy would take long to see what it should do with Python's floats
        self._ready = {}
        if len(defaults) == len(parameters) and ufunc.nout == 1:
            self._ready = {
                letter: tuple(np.array(value, letter) for value in defaults.values())
                for letter in ACCESS
            }
        self._main, self._nin = ufunc.nin - len(parameters), ufunc.nin
        self.__name__ = self.__qualname__ = ufunc.__name__
        self.__doc__ = ufunc.__doc__
        self.__module__ = "fastnn.kernels"

    def __call__(self, *args, out=None, **keywords):
        """The ufunc, with the parameters that are not given at their defaults."""
        if len(args) == self._main and not keywords and type(args[-1]) is np.ndarray:
            dtype = args[-1].dtype
            if (
                (ready := self._ready.get(dtype.char)) is not None
                and (self._main == 1 or getattr(args[0], "dtype", None) is dtype)
                and type(out) is not tuple
            ):
                return self.ufunc(*args, *ready, out)
        missing = self._nin - len(args)
        if 0 < missing <= len(self._parameters):
            for name in self._parameters[-missing:]:
                if name not in keywords and name not in self._defaults:
                    raise TypeError(f"{self.__name__}() needs {name}")
                args += (keywords.pop(name, self._defaults.get(name)),)
        if out is not None:
            keywords["out"] = out
        return self.ufunc(*args, **keywords)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.ufunc, name)

    def __reduce__(self):
        return find, (self.__name__,)

    def __repr__(self):
        return f"<ufunc {self.__name__!r}>"


class AlongAxes(Kernel):
    """A ufunc of the softmax family: along one axis, along several in a tuple, or None for all."""

    def __call__(self, *args, out=None, axis=-1, **keywords):
        """The ufunc, which counts every number: masked ones are refused."""
        target = out[0] if type(out) is tuple else out
        target = args[self._nin] if target is None and len(args) > self._nin else target
        if type(target) is np.ndarray:
            refuse_self_overlap("out", target)
        if len(args) == self._nin and type(args[0]) is type(args[-1]) is np.ndarray:
            usual = type(axis) is int and not keywords and type(out) is not tuple
            if usual and axis == -1:
                return self.ufunc(*args, out)
            if usual:
                return self.ufunc(*args, out, axis=axis)
        for name, value in zip(("g", "x")[-self._nin :], args, strict=False):
            refuse_masked(name, value)
        if out is not None:
            keywords["out"] = out
        if axis is None or isinstance(axis, tuple):
            more = dict(zip(("out",), args[self._nin :], strict=False))
            return self._over(args[: self._nin], axis, **more, **keywords)
        if not hasattr(axis, "__index__"):
            raise TypeError(f"axis must be an int, a tuple of ints or None, not {axis!r}")
        if axis != -1:
            keywords["axis"] = axis
        return self.ufunc(*args, **keywords)

    def _over(self, args, axis, out=None, **keywords):
        """Along all these axes at once, as if they were one."""
        arrays = np.broadcast_arrays(*args, subok=True)
        shape = arrays[0].shape
        axes = tuple(range(len(shape)))
        if axis is not None:
            axes = normalize_axis_tuple(axis, len(shape), "axis")
        last = tuple(range(-len(axes), 0))
        moved = [np.moveaxis(a, axes, last) for a in arrays]
        last_shape = moved[0].shape
        split = len(shape) - len(axes)
        rows = (*last_shape[:split], math.prod(last_shape[split:]))
        result = self.ufunc(*(a.reshape(rows) for a in moved), **keywords)
        result = np.moveaxis(result.reshape(last_shape), last, axes)
        target = out[0] if isinstance(out, tuple) else out
        if target is None:
            return result
        np.copyto(target, result, casting="same_kind")
        return target
