"""Formulas of the softmax family: what its ufuncs compute along an axis, in three steps."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import vecmath
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like
from ..vecmath.softmax import add_exactly, shifted_exp


@scalar
def maximum(x, top):
    """The larger; a NaN in x is passed over, exp() brings it back."""
    return x if x > top else top


@scalar
def _sum(x, top, others, low):
    """exp(x - max), and its sum as a pair."""
    e = shifted_exp(x, top)
    total, rest = add_exactly(others, low, e)
    return e, total, rest


@scalar
def _sum_pulling(x, top, others, low, g, dot):
    """The same, and Σ g exp(x - max)."""
    e, total, rest = _sum(x, top, others, low)
    return e, total, rest, dot + g * e


@scalar
def _sum_plainly(x, top, others, low, g, dot):
    """The same, and Σ g."""
    e, total, rest = _sum(x, top, others, low)
    return e, total, rest, dot + g


@scalar
def _weigh(y, top, others, low, g, dot):
    """Of a function that is known: Σ g y."""
    return y, others, low, dot + g * y


@scalar
def _weigh_plainly(y, top, others, low, g, dot):
    """Σ g."""
    return y, others, low, dot + g


@scalar
def _finish_sums(others, low):
    """Σ - 1, Σ and log Σ from the pair of a sum."""
    found = others + low
    return found, cast_like(found, 1.0) + found, vecmath.log1p(found)


@scalar
def softmax(v, top, others, total, log):
    """exp(x) / Σ exp(x)."""
    return v / total


@scalar
def log_softmax(v, top, others, total, log):
    """x - log Σ exp(x) = (x - max) - log1p(Σ exp(x - max) - 1), accurate near 0 too."""
    return (v - top) - log


@scalar
def _complement(v, others, total):
    """1 - softmax, as the sum of the others over that of all, so that nothing cancels."""
    return (others + (cast_like(v, 1.0) - v)) / total


@scalar
def softmax_derivative(v, top, others, total, log):
    """y (1 - y), y = softmax(x): the diagonal of the Jacobian."""
    return (v / total) * _complement(v, others, total)


@scalar
def softmin_derivative(v, top, others, total, log):
    """-y (1 - y), y = softmin(x)."""
    return -softmax_derivative(v, top, others, total, log)


@scalar
def log_softmax_derivative(v, top, others, total, log):
    """1 - softmax(x)."""
    return _complement(v, others, total)


@scalar
def softmax_second_derivative(v, top, others, total, log):
    """y (1 - y) (1 - 2y), y = softmax(x)."""
    y, z = v / total, _complement(v, others, total)
    return y * z * (z - y)


@scalar
def log_softmax_second_derivative(v, top, others, total, log):
    """-y (1 - y), y = softmax(x)."""
    return -softmax_derivative(v, top, others, total, log)


@scalar
def softmax_vjp(v, top, others, total, log, g, dot):
    """y (g - Σ g y), y = softmax(x)."""
    return (v / total) * (g - dot / total)


@scalar
def softmin_vjp(v, top, others, total, log, g, dot):
    """-y (g - Σ g y), y = softmin(x)."""
    return (v / total) * (dot / total - g)


@scalar
def log_softmax_vjp(v, top, others, total, log, g, dot):
    """g - y Σ g, y = softmax(x)."""
    return g - (v / total) * dot


@scalar
def softmax_vjp_from_output(y, top, others, total, log, g, dot):
    """y (g - Σ g y), of y = softmax(x)."""
    return y * (g - dot)


@scalar
def softmin_vjp_from_output(y, top, others, total, log, g, dot):
    """-y (g - Σ g y), of y = softmin(x)."""
    return y * (dot - g)


@scalar
def log_softmax_vjp_from_output(y, top, others, total, log, g, dot):
    """g - exp(y) Σ g, of y = log softmax(x)."""
    return g - vecmath.exp(y) * dot


class Row(NamedTuple):
    """A function of the family: its last step, and what the steps before do."""

    finish: Callable[..., Any]
    summing: Callable[..., Any] = _sum
    minus: bool = False  # works on -x
    keeps: bool = True  # v is exp(x - max)
    known: bool = False  # x is the activation: no maximum, no sum of exponentials

    @property
    def pulls(self):
        """Whether it is a product, of g and x."""
        return self.summing is not _sum


TABLE = {
    "softmax": Row(softmax),
    "softmax_derivative": Row(softmax_derivative),
    "softmax_second_derivative": Row(softmax_second_derivative),
    "softmax_vjp": Row(softmax_vjp, _sum_pulling),
    "softmax_vjp_from_output": Row(softmax_vjp_from_output, _weigh, keeps=False, known=True),
    "softmin": Row(softmax, minus=True),
    "softmin_derivative": Row(softmin_derivative, minus=True),
    "softmin_second_derivative": Row(softmax_second_derivative, minus=True),
    "softmin_vjp": Row(softmin_vjp, _sum_pulling, minus=True),
    "softmin_vjp_from_output": Row(softmin_vjp_from_output, _weigh, keeps=False, known=True),
    "log_softmax": Row(log_softmax, keeps=False),
    "log_softmax_derivative": Row(log_softmax_derivative),
    "log_softmax_second_derivative": Row(log_softmax_second_derivative),
    "log_softmax_vjp": Row(log_softmax_vjp, _sum_plainly),
    "log_softmax_vjp_from_output": Row(
        log_softmax_vjp_from_output, _weigh_plainly, keeps=False, known=True
    ),
}


@functools.cache
def _negated(formula):
    def negated(x, *rest):
        return formula(-x, *rest)

    return scalar(negated)


@functools.cache
def sample(name):
    """The function of one sample, ``(x, out)`` or of a product ``(g, x, out)``, for users' loops.

    Arrays of one dimension and as many elements; out may be x or g.
    """
    row = TABLE[name]
    finish, summing, minus, keeps, known = row.finish, row.summing, row.minus, row.keeps, row.known

    @scalar
    def signed(x, out):
        return out.dtype.type(-x if minus else x)

    @scalar
    def largest(x, out):
        top = out.dtype.type(-np.inf)
        for j in range(x.size):
            top = maximum(signed(x[j], out), top)
        return top

    @scalar
    def kept(x, top):
        return shifted_exp(x, top) if keeps else x

    def forward(x, out):
        one, top = out.dtype.type(1), largest(x, out)
        others, low = -one, one - one
        for j in range(x.size):
            _, others, low = _sum(signed(x[j], out), top, others, low)
        others, total, log = _finish_sums(others, low)
        for j in range(x.size):
            out[j] = finish(kept(signed(x[j], out), top), top, others, total, log)

    def pull(g, x, out):
        one = out.dtype.type(1)
        top = one if known else largest(x, out)
        others, low, dot = -one, one - one, one - one
        for j in range(x.size):
            given = out.dtype.type(g[j])
            _, others, low, dot = summing(signed(x[j], out), top, others, low, given, dot)
        others, total, log = _finish_sums(others, low)
        for j in range(x.size):
            given = out.dtype.type(g[j])
            out[j] = finish(kept(signed(x[j], out), top), top, others, total, log, given, dot)

    return scalar(pull if row.pulls else forward)


@functools.cache
def steps(name):
    """The formulas that a function of the family runs, with their inputs and outputs, in turn."""
    row = TABLE[name]
    found = [
        (maximum, 2, 1),
        (row.summing, 6, 4) if row.pulls else (row.summing, 4, 3),
        (row.finish, 7, 1) if row.pulls else (row.finish, 5, 1),
        (_finish_sums, 2, 3),
    ]
    if row.minus:
        found[:2] = [(_negated(formula), *rest) for formula, *rest in found[:2]]
    return found
