"""Errors of probabilities and numbers as the articles have them, each element for itself.

``name(y, t)`` and ``name_derivative(y, t)``, by y; `find` makes ufuncs of them. Probabilities are
bounded by 0 and 1, and where they divide or a logarithm is taken, away from 0 by the smallest
normal number: everything is finite, and 0 log 0 = 0.
"""

import functools

from .. import vecmath
from ..codegen.compiler import imported
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, constant

__all__ = ["FORMULAS", "NAMES", "find"]

_TINY = (2.0**-126, 2.0**-1022)
_LOG_TINY = (-87.33654475055310898657, -708.39641853226410621681)


@scalar
def _above_zero(y):
    """y within the smallest normal number and 1."""
    y = constant(y, _TINY) if y < constant(y, _TINY) else y
    return cast_like(y, 1.0) if y > cast_like(y, 1.0) else y


@scalar
def _log_of_other(y):
    """log(1 - y), finite."""
    one, zero = cast_like(y, 1.0), cast_like(y, 0.0)
    bounded = zero if y < zero else y
    return constant(y, _LOG_TINY) if y >= one else vecmath.log1p(-bounded)


@scalar
def square_error(y, t):
    """(y - t)² / 2."""
    return cast_like(y, 0.5) * (y - t) * (y - t)


@scalar
def square_error_derivative(y, t):
    """y - t."""
    return y - t


@scalar
def binary_cross_entropy(y, t):
    """-t log y - (1 - t) log(1 - y)."""
    one = cast_like(y, 1.0)
    return -t * vecmath.log(_above_zero(y)) - (one - t) * _log_of_other(y)


@scalar
def binary_cross_entropy_derivative(y, t):
    """(y - t) / (y (1 - y)); 1 / (1 - y) for t = 0, -1 / y for t = 1."""
    one = cast_like(y, 1.0)
    first, second = _above_zero(y), _above_zero(one - y)
    between = ((y - t) / first) / second
    ends = one / second if t == cast_like(y, 0.0) else -one / first
    return ends if (t == cast_like(y, 0.0)) | (t == one) else between


@scalar
def cross_entropy(y, t):
    """-t log y."""
    return cast_like(y, 0.0) - t * vecmath.log(_above_zero(y))


@scalar
def cross_entropy_derivative(y, t):
    """-t / y."""
    return cast_like(y, 0.0) - t / _above_zero(y)


NAMES = "square_error", "binary_cross_entropy", "cross_entropy"
FORMULAS = {name: globals()[name] for base in NAMES for name in (base, f"{base}_derivative")}


@functools.cache
def find(name):
    """The ufunc of a formula."""
    formula = FORMULAS[name]
    make = imported(".elementwise", __package__).make_ufunc
    return make(name, formula.__doc__, formula, 2, 1)
