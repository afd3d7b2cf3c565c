"""Cross entropy of a softmax, and the divergence. Tile kernels as in `tile_kernels`."""

import functools

from .. import vecmath
from ..codegen.declare import carray, scalar
from ..codegen.intrinsics import cast_like, constant, wide
from ..vecmath.reductions import total_of
from ..vecmath.softmax import row_maxima
from .elementwise import weighted


@functools.cache
def softmax_entropy(step, divergence):
    """Tile kernel: Σ w t (log Σ exp(a) - a), where t = 0 wins over an infinite logit.

    divergence: plus Σ w t log t, see `_excess`; step: a = w (y Σ t - t), y the softmax, in place.
    Parameters: the label smoothing s, and whether class weights v follow; t stands for
    v (t (1 - s) + s/features).
    """

    def softmax_entropy_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_features + 1, n_lanes))
        work = carray(c, (4, n_lanes))
        top, linear, shares, log_total = work[0], work[1], work[2], work[3]
        row_maxima(x, top, n_features, n_lanes)
        _shift(x, t, hyper, top, linear, shares, n_features, n_lanes, divergence)
        others = top
        _sum_exponentials(x, others, log_total, n_features, n_lanes, divergence)
        for r in range(n_lanes):
            linear[r] += shares[r] * log_total[r]
        if divergence:  # linear anew
            _excesses(x, t, others, log_total, shares, linear, n_features, n_lanes)
        for r in range(n_lanes):
            linear[r] = weighted(t[n_features, r], linear[r])
        cost = total_of(linear, n_lanes)
        if step:
            _make_gradients(x, t, hyper, others, shares, n_features, n_lanes)
        return cost

    return softmax_entropy_kernel


@scalar
def _shift(x, t, hyper, top, linear, shares, n_features, n_lanes, keeps):
    """x = exp(x - top), or x - top if it is kept so; shares[r] = Σ t, linear[r] = -Σ t (x - top).

    x: (n_features, n_lanes), t: targets before smoothing; linear is left at 0 for `keeps`.
    """
    for r in range(n_lanes):
        linear[r] = shares[r] = cast_like(top[0], 0)
    for j in range(n_features):
        keep, spread = smoothing(hyper, j, n_features, top[0])
        for r in range(n_lanes):
            target, below = keep * t[j, r] + spread, x[j, r] - top[r]
            if not keeps:
                linear[r] -= weighted(target, below)
            shares[r] += target
            x[j, r] = below if keeps else vecmath.exp(below)


@scalar
def _sum_exponentials(x, others, log_total, n_features, n_lanes, are_logits):
    """others[r] = Σ exp(x - top) - 1, log_total[r] = log Σ exp(x - top).

    x: those exponentials, or logits less their maximum. The sum is less one term of those that are
    1, so that small ones stay.
    """
    ties, zero, one = log_total, cast_like(others[0], 0), cast_like(others[0], 1)
    for r in range(n_lanes):
        others[r] = ties[r] = zero
    for j in range(n_features):
        for r in range(n_lanes):
            e = vecmath.exp(x[j, r]) if are_logits else x[j, r]
            equal = e == one
            others[r] += zero if equal else e
            ties[r] += one if equal else zero
    for r in range(n_lanes):
        others[r] += ties[r] - one
        log_total[r] = vecmath.log1p(others[r])


@scalar
def _make_gradients(x, t, hyper, others, shares, n_features, n_lanes):
    """x = w (y Σ t - t), of exponentials x; y: the softmax."""
    one = cast_like(others[0], 1)
    for j in range(n_features):
        keep, spread = smoothing(hyper, j, n_features, one)
        for r in range(n_lanes):
            target, e, total = keep * t[j, r] + spread, x[j, r], one + others[r]
            # at the top the ones cancel
            near = (shares[r] - target) - target * others[r]
            delta = near if e == one else shares[r] * e - target * total
            x[j, r] = weighted(t[n_features, r], delta / total)


@scalar
def _excesses(x, t, others, log_total, shares, excess, n_features, n_lanes):
    """excess[r] = Σ t log(t / y), y the softmax, and x = exp(x), x the logits below their maximum.

    As Σ t log(t / y) + y - t, of which no term is negative, and Σ t - 1 where that is more than
    the roundings of probabilities that sum to 1.
    """
    zero, one = cast_like(excess[0], 0), cast_like(excess[0], 1)
    close = cast_like(zero, n_features) * constant(zero, _EPS)
    for r in range(n_lanes):
        rest = shares[r] - one
        excess[r] = zero if abs(rest) <= close else rest
    for j in range(n_features):
        for r in range(n_lanes):
            below, target, e = x[j, r], t[j, r], vecmath.exp(x[j, r])
            y = e / (one + others[r])
            apart = target - y
            near = abs(apart) < cast_like(one, 0.5) * y
            log_ratio = vecmath.log(target) - (below - log_total[r])
            log_ratio = vecmath.log1p(apart / y) if near else log_ratio
            term = weighted(target, log_ratio) - apart
            excess[r] += zero if term < zero else term
            x[j, r] = e


@scalar
def smoothing(hyper, j, n_features, like):
    """Factor and summand that smoothing and weight of class j make of its target."""
    smoothing = hyper[0]
    weight = hyper[2 + j] if hyper[1] != 0.0 else 1.0
    return cast_like(like, weight * (1.0 - smoothing)), cast_like(
        like, weight * smoothing / n_features
    )


_EPS = 2.0**-23, 2.0**-52
