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
def _sum_vjp(x, top, others, low, g, dot):
    """The same, and Σ g exp(x - max)."""
    e, total, rest = _sum(x, top, others, low)
    return e, total, rest, dot + g * e


@scalar
def _sum_log_vjp(x, top, others, low, g, dot):
    """The same, and Σ g."""
    e, total, rest = _sum(x, top, others, low)
    return e, total, rest, dot + g


@scalar
def _weigh(y, top, others, low, g, dot):
    """Of a function that is known: Σ g y."""
    return y, others, low, dot + g * y


@scalar
def _weigh_log(y, top, others, low, g, dot):
    """Σ g."""
    return y, others, low, dot + g


@scalar
def _finish_sums(others, low):
    """Σ - 1, Σ and log Σ from the pair of a sum."""
    less_one = others + low
    return less_one, cast_like(less_one, 1.0) + less_one, vecmath.log1p(less_one)


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


class Spec(NamedTuple):
    """A function of the family: its last step, and what the steps before do."""

    finish: Callable[..., Any]
    summing: Callable[..., Any] = _sum
    minus: bool = False  # works on -x
    keeps: bool = True  # v is exp(x - max)
    known: bool = False  # x is the activation: no maximum, no sum of exponentials

    @property
    def is_vjp(self):
        """Whether it is a product, of g and x."""
        return self.summing is not _sum


TABLE = {
    "softmax": Spec(softmax),
    "softmax_derivative": Spec(softmax_derivative),
    "softmax_second_derivative": Spec(softmax_second_derivative),
    "softmax_vjp": Spec(softmax_vjp, _sum_vjp),
    "softmax_vjp_from_output": Spec(softmax_vjp_from_output, _weigh, keeps=False, known=True),
    "softmin": Spec(softmax, minus=True),
    "softmin_derivative": Spec(softmin_derivative, minus=True),
    "softmin_second_derivative": Spec(softmax_second_derivative, minus=True),
    "softmin_vjp": Spec(softmin_vjp, _sum_vjp, minus=True),
    "softmin_vjp_from_output": Spec(softmin_vjp_from_output, _weigh, keeps=False, known=True),
    "log_softmax": Spec(log_softmax, keeps=False),
    "log_softmax_derivative": Spec(log_softmax_derivative),
    "log_softmax_second_derivative": Spec(log_softmax_second_derivative),
    "log_softmax_vjp": Spec(log_softmax_vjp, _sum_log_vjp),
    "log_softmax_vjp_from_output": Spec(
        log_softmax_vjp_from_output, _weigh_log, keeps=False, known=True
    ),
}


@functools.cache
def _negated(formula):
    def negated(x, *rest):
        return formula(-x, *rest)

    return scalar(negated)


@functools.cache
def _signed(minus):
    """Functions: a number as it is worked on, in the dtype of out; and the largest of them."""

    @scalar
    def signed(x, out):
        return out.dtype.type(-x if minus else x)

    @scalar
    def largest(x, out):
        top = out.dtype.type(-np.inf)
        for j in range(x.size):
            top = maximum(signed(x[j], out), top)
        return top

    return signed, largest


@functools.cache
def _last_input(keeps):
    """Function: what the last step takes of a number."""

    @scalar
    def last_input(x, top):
        return shifted_exp(x, top) if keeps else x

    return last_input


@functools.cache
def sample(name):
    """The function of one sample, ``(x, out)`` or of a product ``(g, x, out)``, for users' loops.

    Arrays of one dimension and as many elements; out may be x or g.
    """
    spec = TABLE[name]
    finish, summing, known = spec.finish, spec.summing, spec.known
    (signed, largest), last_input = _signed(spec.minus), _last_input(spec.keeps)

    def forward(x, out):
        one, top = out.dtype.type(1), largest(x, out)
        others, low = -one, one - one
        for j in range(x.size):
            _, others, low = _sum(signed(x[j], out), top, others, low)
        others, total, log = _finish_sums(others, low)
        for j in range(x.size):
            out[j] = finish(last_input(signed(x[j], out), top), top, others, total, log)

    def vjp(g, x, out):
        one = out.dtype.type(1)
        top = one if known else largest(x, out)
        others, low, dot = -one, one - one, one - one
        for j in range(x.size):
            given = out.dtype.type(g[j])
            _, others, low, dot = summing(signed(x[j], out), top, others, low, given, dot)
        others, total, log = _finish_sums(others, low)
        for j in range(x.size):
            v, given = last_input(signed(x[j], out), top), out.dtype.type(g[j])
            out[j] = finish(v, top, others, total, log, given, dot)

    return scalar(vjp if spec.is_vjp else forward)


@functools.cache
def steps(name):
    """The formulas that a function of the family runs, with their inputs and outputs, in turn."""
    spec = TABLE[name]
    formulas = [
        (maximum, 2, 1),
        (spec.summing, 6, 4) if spec.is_vjp else (spec.summing, 4, 3),
        (spec.finish, 7, 1) if spec.is_vjp else (spec.finish, 5, 1),
        (_finish_sums, 2, 3),
    ]
    if spec.minus:
        formulas[:2] = [(_negated(formula), *rest) for formula, *rest in formulas[:2]]
    return formulas
