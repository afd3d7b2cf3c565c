"""Costs as tile kernels: sum over a tile, its gradient, and the activation that goes with it.

All take a: activities (n_features, n_lanes), b: targets (n_targets, n_lanes) and one more row, the
weights w of the samples, c: scratch of four rows, and the cost's hyperparameters. ``value`` returns
the sum; ``step`` returns it too, and turns the activities into its gradient; both may use a as
memory. ``activate`` turns activities into the network's output, and ``vjp`` a gradient by that
output (a; b: the output) into one by the activities; these two have no targets. `densities` has
some more.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import vecmath
from ..codegen.declare import carray, cast_like, constant, scalar, sqrt, wide
from ..vecmath.reductions import total_of
from ..vecmath.softmax import SOFTMAX_ROWS, row_maxima, softmax, softmax_vjp
from . import densities
from . import elementwise as elementwise_formulas
from .elementwise import weighted

__all__ = ["ACTIVATIONS", "COSTS", "Activate", "Cost", "elementwise", "parameters"]


@functools.cache
def _with_two(formula):
    """The formula as a function of (a, t, p, q), whatever the number of its parameters."""
    count = formula.__code__.co_argcount - 2
    if count == 0:

        def called(a, t, p, q):
            return formula(a, t)

    elif count == 1:

        def called(a, t, p, q):
            return formula(a, t, p)

    else:

        def called(a, t, p, q):
            return formula(a, t, p, q)

    return scalar(called)


@functools.cache
def elementwise_value(formula, averaged):
    """Tile kernel: Σ w formula(a, t); averaged: over the outputs of a sample."""
    formula = _with_two(formula)

    def elementwise_value_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
        scratch = carray(c, (n_lanes,))
        p, q = cast_like(scratch[0], hyper[0]), cast_like(scratch[0], hyper[1])
        share = cast_like(scratch[0], n_features if averaged else 1)
        total = 0.0
        for j in range(n_features):  # vectorised formula first, sum after
            for r in range(n_lanes):
                w = t[n_features, r] / share if averaged else t[n_features, r]
                scratch[r] = weighted(w, formula(x[j, r], t[j, r], p, q))
            total += total_of(scratch, n_lanes)
        return total

    return elementwise_value_kernel


@functools.cache
def elementwise_step(formula, delta, averaged):
    """Tile kernel: Σ w formula(a, t); then a = w delta(a, t), in place."""
    formula, delta = _with_two(formula), _with_two(delta)

    def elementwise_step_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
        scratch = carray(c, (n_lanes,))
        p, q = cast_like(scratch[0], hyper[0]), cast_like(scratch[0], hyper[1])
        share = cast_like(scratch[0], n_features if averaged else 1)
        total = 0.0
        for j in range(n_features):
            for r in range(n_lanes):
                w, activity, target = t[n_features, r], x[j, r], t[j, r]
                w = w / share if averaged else w
                scratch[r] = weighted(w, formula(activity, target, p, q))
                x[j, r] = weighted(w, delta(activity, target, p, q))
            total += total_of(scratch, n_lanes)
        return total

    return elementwise_step_kernel


@functools.cache
def elementwise_activation(formula):
    """Tile kernel: a = formula(a), in place."""

    def elementwise_activation_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x = carray(a, (n_features * n_lanes,))
        for i in range(n_features * n_lanes):
            x[i] = formula(x[i])
        return 0.0

    return elementwise_activation_kernel


@functools.cache
def elementwise_vjp(derivative):
    """Tile kernel: a = a derivative(b), in place; b: outputs."""

    def elementwise_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        for i in range(n_features * n_lanes):
            a[i] *= derivative(b[i])
        return 0.0

    return elementwise_vjp_kernel


@scalar
def sigmoid_slope(y):
    """y (1 - y), the derivative of the sigmoid from its output."""
    return y * (cast_like(y, 1) - y)


@scalar
def exp_slope(y):
    """y, the derivative of exp from its output."""
    return y


def softmax_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: a = b (a - Σ a b), in place; b: outputs of a softmax."""
    wide()
    g, y = carray(a, (n_features, n_lanes)), carray(b, (n_features, n_lanes))
    softmax_vjp(g, y, carray(c, (n_lanes,)), g, n_features, n_lanes, False)
    return 0.0


def softmax_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: a = softmax over the features of each sample, shifted by its maximum."""
    wide()
    softmax(
        carray(a, (n_features, n_lanes)), carray(c, (SOFTMAX_ROWS, n_lanes)), n_features, n_lanes
    )
    return 0.0


@functools.cache
def _softmax_entropy(step, divergence):
    """Tile kernel: Σ w t (log Σ exp(a) - a), where t = 0 wins over an infinite logit.

    divergence: plus Σ w t log t, see `_excess`; step: a = w (y Σ t - t), y the softmax, in place.
    Parameters: the label smoothing s, and whether class weights v follow; t stands for
    v (t (1 - s) + s/features).
    """

    def softmax_entropy_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
        work = carray(c, (4, n_lanes))
        top, linear, shares, ties = work[0], work[1], work[2], work[3]
        zero, one = cast_like(top[0], 0), cast_like(top[0], 1)
        row_maxima(x, top, n_features, n_lanes)
        for r in range(n_lanes):
            linear[r] = shares[r] = ties[r] = zero
        for j in range(n_features):
            keep, spread = _smoothing(hyper, j, n_features, top[0])
            for r in range(n_lanes):
                target, below = keep * t[j, r] + spread, x[j, r] - top[r]
                if not divergence:
                    linear[r] -= weighted(target, below)
                shares[r] += target
                x[j, r] = below if divergence else vecmath.exp(below)
        others = top  # Σ exp(a - top) - 1, by one term of those that are 1: small ones stay
        for r in range(n_lanes):
            others[r] = zero
        for j in range(n_features):
            for r in range(n_lanes):
                e = vecmath.exp(x[j, r]) if divergence else x[j, r]
                equal = e == one
                others[r] += zero if equal else e
                ties[r] += one if equal else zero
        for r in range(n_lanes):
            others[r] += ties[r] - one
            log_total = vecmath.log1p(others[r])
            ties[r] = log_total
            linear[r] += shares[r] * log_total
        if divergence:  # linear anew
            _excesses(x, t, others, ties, shares, linear, n_features, n_lanes)
        for r in range(n_lanes):
            linear[r] = weighted(t[n_features, r], linear[r])
        found = total_of(linear, n_lanes)
        if step:
            for j in range(n_features):
                keep, spread = _smoothing(hyper, j, n_features, top[0])
                for r in range(n_lanes):
                    target, e, total = keep * t[j, r] + spread, x[j, r], one + others[r]
                    # at the top the ones cancel
                    near = (shares[r] - target) - target * others[r]
                    delta = near if e == one else shares[r] * e - target * total
                    x[j, r] = weighted(t[n_features, r], delta / total)
        return found

    return softmax_entropy_kernel


@scalar
def _excesses(x, t, others, log_total, shares, found, n_features, n_lanes):
    """found[r] = Σ t log(t / y), y the softmax, and x = exp(x), x the logits below their maximum.

    As Σ t log(t / y) + y - t, of which no term is negative, and Σ t - 1 where that is more than
    the roundings of probabilities that sum to 1.
    """
    zero, one = cast_like(found[0], 0), cast_like(found[0], 1)
    close = cast_like(zero, n_features) * constant(zero, _EPS)
    for r in range(n_lanes):
        rest = shares[r] - one
        found[r] = zero if abs(rest) <= close else rest
    for j in range(n_features):
        for r in range(n_lanes):
            below, target, e = x[j, r], t[j, r], vecmath.exp(x[j, r])
            y = e / (one + others[r])
            apart = target - y
            near = abs(apart) < cast_like(one, 0.5) * y
            log_ratio = vecmath.log(target) - (below - log_total[r])
            log_ratio = vecmath.log1p(apart / y) if near else log_ratio
            excess = weighted(target, log_ratio) - apart
            found[r] += zero if excess < zero else excess
            x[j, r] = e


@scalar
def _smoothing(hyper, j, n_features, like_this):
    """Factor and summand that smoothing and weight of class j make of its target."""
    smoothing = hyper[0]
    weight = hyper[2 + j] if hyper[1] != 0.0 else 1.0
    return cast_like(like_this, weight * (1.0 - smoothing)), cast_like(
        like_this, weight * smoothing / n_features
    )


@functools.cache
def _cosine(step):
    """Tile kernel: Σ w (1 - â·t̂) = Σ w |â - t̂|²/2, of unit vectors; 1 where one is zero.

    step: a = w (â (â·t̂) - t̂) / |a|, in place; 0 where one is zero.
    """

    def cosine_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
        work = carray(c, (4, n_lanes))
        size, scale, norm, cost = work[0], work[1], work[2], work[3]
        one, half = cast_like(size[0], 1), cast_like(size[0], 0.5)
        _largest(x, size, n_features, n_lanes)
        _norm(x, size, norm, n_features, n_lanes)
        for j in range(n_features):
            for r in range(n_lanes):
                x[j, r] = (x[j, r] / size[r]) / norm[r]
        for r in range(n_lanes):
            size[r] = (one / size[r]) / norm[r]
        _largest(t, scale, n_features, n_lanes)
        _norm(t, scale, norm, n_features, n_lanes)
        for r in range(n_lanes):
            cost[r] = cast_like(one, 0)
        for j in range(n_features):
            for r in range(n_lanes):
                d = x[j, r] - (t[j, r] / scale[r]) / norm[r]
                cost[r] += half * d * d
        for r in range(n_lanes):
            # of a zero vector nothing was divided, and its norm is infinite
            cost[r] = (
                one
                if (size[r] == cast_like(one, 0)) | (norm[r] == cast_like(one, _INFINITY))
                else cost[r]
            )
        if step:
            for j in range(n_features):
                for r in range(n_lanes):
                    unit = (t[j, r] / scale[r]) / norm[r]
                    d = (x[j, r] - unit) - cost[r] * x[j, r]
                    empty = norm[r] == cast_like(one, _INFINITY)
                    x[j, r] = weighted(
                        t[n_features, r], cast_like(one, 0) if empty else d * size[r]
                    )
        for r in range(n_lanes):
            cost[r] = weighted(t[n_features, r], cost[r])
        return total_of(cost, n_lanes)

    return cosine_kernel


_INFINITY = float("inf")
_EPS = 2.0**-23, 2.0**-52


@scalar
def _largest(x, size, n_features, n_lanes):
    """size[r] = max |x| over the features, or 1 where that is 0."""
    for r in range(n_lanes):
        size[r] = cast_like(size[0], 0)
    for j in range(n_features):
        for r in range(n_lanes):
            found = abs(x[j, r])
            size[r] = found if found > size[r] else size[r]
    for r in range(n_lanes):
        size[r] = cast_like(size[0], 1) if size[r] == cast_like(size[0], 0) else size[r]


@scalar
def _norm(x, size, norm, n_features, n_lanes):
    """norm[r] = |x / size|, or infinite where that is 0."""
    for r in range(n_lanes):
        norm[r] = cast_like(norm[0], 0)
    for j in range(n_features):
        for r in range(n_lanes):
            part = x[j, r] / size[r]
            norm[r] += part * part
    for r in range(n_lanes):
        zero = norm[r] == cast_like(norm[0], 0)
        norm[r] = cast_like(norm[0], _INFINITY) if zero else sqrt(norm[r])


class Activate(NamedTuple):
    """Tile kernels of an activation of the output; None: the output is the activity itself."""

    activate: Callable[..., Any] | None = None
    vjp: Callable[..., Any] | None = None


ACTIVATIONS = {
    "identity": Activate(),
    "sigmoid": Activate(elementwise_activation(vecmath.sigmoid), elementwise_vjp(sigmoid_slope)),
    "exponential": Activate(elementwise_activation(vecmath.exp), elementwise_vjp(exp_slope)),
    "softmax": Activate(softmax_kernel, softmax_vjp_kernel),
    "mean, variance": Activate(densities.gaussian_kernel, densities.gaussian_vjp_kernel),
    "mixture": Activate(densities.mixture_kernel, densities.mixture_vjp_kernel),
}


class Cost(NamedTuple):
    """Tile kernels of a cost, and names and defaults of its numbers."""

    value: Callable[..., Any]
    step: Callable[..., Any]
    parameters: tuple[tuple[str, Any], ...] = ()


def _numbers_of(formula):
    """Names and defaults of what follows activity and target, without the cost of `inspect`."""
    code, defaults = formula.__code__, formula.__defaults__ or ()
    return tuple(zip(code.co_varnames[2 : code.co_argcount], defaults, strict=True))


def parameters(name):
    """Names and defaults of a cost's parameters; those of its formula, if it has one."""
    return COSTS[name].parameters if name in COSTS else _numbers_of(elementwise_formulas.find(name))


def elementwise(name, averaged):
    """The cost of the formulas `name` and ``name_delta``, see `elementwise`."""
    formula, delta = elementwise_formulas.find(name), elementwise_formulas.find(f"{name}_delta")
    return Cost(
        elementwise_value(formula, averaged),
        elementwise_step(formula, delta, averaged),
        _numbers_of(formula),
    )


COSTS = {
    "softmax_entropy": Cost(
        _softmax_entropy(False, False),
        _softmax_entropy(True, False),
        (("label_smoothing", 0.0), ("class_weight", None)),
    ),
    "divergence": Cost(_softmax_entropy(False, True), _softmax_entropy(True, True)),
    "cosine": Cost(_cosine(False), _cosine(True)),
    "gaussian": Cost(densities.gaussian(False), densities.gaussian(True)),
    "mixture": Cost(
        densities.mixture(False), densities.mixture(True), (("components", 3), ("targets", 1))
    ),
}
