"""Negative log likelihoods of the normal distribution and of mixtures, as costs.

Tile kernels as in `tile_kernels`. Widths are given by their logarithms. exp(-log σ) overflows long
before a distance of the dtype divided by σ does, and a distance of 0 divided by any width is 0. So
distances are multiplied by the square root of it twice, and zero wins over infinity: what is in
range is found, and what is not is infinite, never NaN.
"""

import functools

from .. import vecmath
from ..codegen.declare import carray, scalar
from ..codegen.intrinsics import cast_like, wide
from ..vecmath.reductions import total_of
from ..vecmath.softmax import SOFTMAX_ROWS, row_maxima, softmax, softmax_vjp
from .elementwise import product, weighted

_LOG_2_PI = 1.8378770664093453
_INFINITY = float("inf")


@functools.cache
def gaussian(step):
    """Tile kernel: Σ w (s + z² + log 2π) / 2, z = (m - t) exp(-s/2), a = (m, s).

    m: means, s: log variances. step: a = w (z exp(-s/2), (1 - z²) / 2), in place. Nix and Weigend
    (1994).
    """

    def gaussian_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_targets + 1, n_lanes))
        scratch = carray(c, (n_lanes,))
        half, one = cast_like(scratch[0], 0.5), cast_like(scratch[0], 1)
        total = 0.0
        for j in range(n_targets):
            for r in range(n_lanes):
                s, w = x[n_targets + j, r], t[n_targets, r]
                root = vecmath.exp(cast_like(s, -0.25) * s)
                z = product(product(x[j, r] - t[j, r], root), root)
                square = z * z
                known = (
                    cast_like(s, 0) if square == cast_like(s, _INFINITY) else s
                )  # which it wins over
                scratch[r] = weighted(w, half * (known + square + cast_like(one, _LOG_2_PI)))
                if step:
                    x[j, r] = weighted(w, product(product(z, root), root))
                    x[n_targets + j, r] = weighted(w, half * (one - square))
            total += total_of(scratch, n_lanes)
        return total

    return gaussian_kernel


def gaussian_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: the second half of a, log variances, becomes variances."""
    wide()
    half = n_features // 2
    x = carray(a, (n_features, n_lanes))
    for j in range(half, n_features):
        for r in range(n_lanes):
            x[j, r] = vecmath.exp(x[j, r])
    return 0.0


def gaussian_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: the second half of a times that of b."""
    wide()
    half = n_features // 2
    g, y = carray(a, (n_features, n_lanes)), carray(b, (n_features, n_lanes))
    for j in range(half, n_features):
        for r in range(n_lanes):
            g[j, r] *= y[j, r]
    return 0.0


@functools.cache
def mixture(step):
    """Tile kernel: -Σ w log Σ_i π_i N(t | μ_i, σ_i² I), of k targets.

    a: logits of π, means component by component, log σ. With z = (μ - t) / σ, and γ the share of a
    component in the sum (Bishop 2006, eqs 5.148 to 5.157), step makes of them, in place, w times
    π - γ, γ z / σ, and γ (k - |z|²). Every sum of exponentials is shifted by its largest term.
    """

    def mixture_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        count = n_features // (n_targets + 2)
        x, t = carray(a, (n_features, n_lanes)), carray(b, (n_targets + 1, n_lanes))
        work = carray(c, (4, n_lanes))
        top, total, square, other = work[0], work[1], work[2], work[3]
        _log_softmax(x, top, total, count, n_lanes)
        _sum_shares(x, t, top, total, square, other, count, n_targets, n_lanes)
        for r in range(n_lanes):
            constant = cast_like(top[0], 0.5 * _LOG_2_PI) * cast_like(top[0], n_targets)
            cost = (constant - top[r]) - vecmath.log(total[r])
            other[r] = weighted(t[n_targets, r], cost)
        sum_of_costs = total_of(other, n_lanes)
        if step:
            _make_gradients(x, t, top, total, square, other, count, n_targets, n_lanes)
        return sum_of_costs

    return mixture_kernel


@scalar
def _sum_shares(x, t, top, total, square, other, count, n_targets, n_lanes):
    """top[r] = max u, total[r] = Σ exp(u - top), u: `_log_share` of each component.

    x: (count (n_targets + 2), n_lanes), t: (n_targets + 1, n_lanes). The means of x become
    z = (μ - t) / σ. square, other: scratch, (n_lanes,).
    """
    zero, columns = cast_like(top[0], 0), cast_like(top[0], n_targets)
    for i in range(count):
        width, mean = count * (n_targets + 1) + i, count + i * n_targets
        for r in range(n_lanes):
            other[r] = vecmath.exp(cast_like(zero, -0.5) * x[width, r])
        for j in range(n_targets):
            for r in range(n_lanes):
                apart = x[mean + j, r] - t[j, r]
                x[mean + j, r] = product(product(apart, other[r]), other[r])
        _squares(x, mean, n_targets, square, n_lanes)
        for r in range(n_lanes):
            u = _log_share(x[i, r], x[width, r], square[r], columns)
            top[r] = u if (i == 0) | (u > top[r]) else top[r]
    for r in range(n_lanes):
        total[r] = zero
    for i in range(count):
        _squares(x, count + i * n_targets, n_targets, square, n_lanes)
        width = count * (n_targets + 1) + i
        for r in range(n_lanes):
            u = _log_share(x[i, r], x[width, r], square[r], columns)
            total[r] += vecmath.exp(_below(u, top[r]))


@scalar
def _make_gradients(x, t, top, total, square, other, count, n_targets, n_lanes):
    """x: log π, z and log σ become the gradient, see `mixture`; square, other: scratch."""
    zero, columns = cast_like(top[0], 0), cast_like(top[0], n_targets)
    for i in range(count):
        _squares(x, count + i * n_targets, n_targets, square, n_lanes)
        width, mean = count * (n_targets + 1) + i, count + i * n_targets
        for r in range(n_lanes):
            u, w = _log_share(x[i, r], x[width, r], square[r], columns), t[n_targets, r]
            below = _below(u, top[r])
            share = vecmath.exp(below) / total[r]
            x[i, r] = weighted(w, vecmath.exp(x[i, r]) - share)
            # of exp(below) / σ, where one factor may underflow and the other overflow
            root = vecmath.exp(cast_like(zero, 0.5) * (below - x[width, r]))
            other[r] = zero if below == cast_like(zero, -_INFINITY) else root
            x[width, r] = weighted(w, product(share, columns - square[r]))
        for j in range(n_targets):
            for r in range(n_lanes):
                part = product(product(x[mean + j, r], other[r]), other[r])
                x[mean + j, r] = weighted(t[n_targets, r], part / total[r])


@scalar
def _log_softmax(x, top, total, count, n_lanes):
    """The first rows of x become their log softmax."""
    row_maxima(x, top, count, n_lanes)
    for r in range(n_lanes):
        total[r] = cast_like(top[0], 0)
    for i in range(count):
        for r in range(n_lanes):
            total[r] += vecmath.exp(x[i, r] - top[r])
    for r in range(n_lanes):
        total[r] = vecmath.log(total[r])
    for i in range(count):
        for r in range(n_lanes):
            x[i, r] = (x[i, r] - top[r]) - total[r]


@scalar
def _squares(x, first, count, square, n_lanes):
    """square[r] = Σ x² over some rows."""
    for r in range(n_lanes):
        square[r] = cast_like(square[0], 0)
    for j in range(first, first + count):
        for r in range(n_lanes):
            square[r] += x[j, r] * x[j, r]


@scalar
def _log_share(log_mixing, log_width, square, columns):
    """log(π N(t)), without the constant; an infinite distance wins over any width."""
    infinity = cast_like(square, _INFINITY)
    log_share = (log_mixing - columns * log_width) - cast_like(square, 0.5) * square
    return -infinity if square == infinity else log_share


@scalar
def _below(u, top):
    """u - top; 0 where both are infinite: all components infinitely far, or one too narrow."""
    return cast_like(u, 0) if u == top else u - top


def mixture_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: a = mixing coefficients, means, widths; hyper: how many of the first."""
    wide()
    count = int(hyper[0])
    x = carray(a, (n_features, n_lanes))
    softmax(carray(a, (count, n_lanes)), carray(c, (SOFTMAX_ROWS, n_lanes)), count, n_lanes)
    for j in range(n_features - count, n_features):
        for r in range(n_lanes):
            x[j, r] = vecmath.exp(x[j, r])
    return 0.0


def mixture_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: a gradient with respect to those, b, into one to the activities."""
    wide()
    count = int(hyper[0])
    g, y = carray(a, (n_features, n_lanes)), carray(b, (n_features, n_lanes))
    first, second = carray(a, (count, n_lanes)), carray(b, (count, n_lanes))
    softmax_vjp(first, second, carray(c, (n_lanes,)), first, count, n_lanes, False)
    for j in range(n_features - count, n_features):
        for r in range(n_lanes):
            g[j, r] *= y[j, r]
    return 0.0
