"""Negative log likelihoods of the normal distribution and of mixtures, as costs.

Row kernels as in `tile_kernels`. Widths are given by their logarithms. exp(-log σ) overflows long
before a distance of the dtype divided by σ does, and a distance of 0 divided by any width is 0. So
distances are multiplied by the square root of it twice, and zero wins over infinity: what is in
range is found, and what is not is infinite, never NaN.
"""

import functools

from .. import vecmath
from ..codegen.declare import carray, like, scalar, wide
from ..vecmath.reductions import total_of
from ..vecmath.softmax import SOFTMAX_ROWS, row_maxima, softmax, softmax_pull
from .elementwise import product, weighted

_LOG_2_PI = 1.8378770664093453
_INFINITY = float("inf")


@functools.cache
def gaussian(step):
    """Row kernel: Σ w (s + z² + log 2π) / 2, z = (m - t) exp(-s/2), a = (means m, log variances s).

    step: a = w (z exp(-s/2), (1 - z²) / 2), in place. Nix and Weigend (1994).
    """

    def gaussian_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        x, t = carray(a, (features, rows)), carray(b, (k + 1, rows))
        scratch = carray(c, (rows,))
        half, one = like(scratch[0], 0.5), like(scratch[0], 1)
        total = 0.0
        for j in range(k):
            for r in range(rows):
                s, w = x[k + j, r], t[k, r]
                root = vecmath.exp(like(s, -0.25) * s)
                z = product(product(x[j, r] - t[j, r], root), root)
                square = z * z
                known = like(s, 0) if square == like(s, _INFINITY) else s  # which it wins over
                scratch[r] = weighted(w, half * (known + square + like(one, _LOG_2_PI)))
                if step:
                    x[j, r] = weighted(w, product(product(z, root), root))
                    x[k + j, r] = weighted(w, half * (one - square))
            total += total_of(scratch, rows)
        return total

    return gaussian_kernel


def gaussian_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: the second half of a, log variances, becomes variances."""
    wide()
    half = features // 2
    x = carray(a, (features, rows))
    for j in range(half, features):
        for r in range(rows):
            x[j, r] = vecmath.exp(x[j, r])
    return 0.0


def gaussian_pull_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: the second half of a times that of b."""
    wide()
    half = features // 2
    g, y = carray(a, (features, rows)), carray(b, (features, rows))
    for j in range(half, features):
        for r in range(rows):
            g[j, r] *= y[j, r]
    return 0.0


@functools.cache
def mixture(step):
    """Row kernel: -Σ w log Σ_i π_i N(t | μ_i, σ_i² I), of k targets.

    a: logits of π, means component by component, log σ. With z = (μ - t) / σ, and γ the share of a
    component in the sum (Bishop 2006, eqs 5.148 to 5.157), step makes of them, in place, w times
    π - γ, γ z / σ, and γ (k - |z|²). Every sum of exponentials is shifted by its largest term.
    """

    def mixture_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        count = features // (k + 2)
        x, t = carray(a, (features, rows)), carray(b, (k + 1, rows))
        work = carray(c, (4, rows))
        top, total, square, other = work[0], work[1], work[2], work[3]
        zero, columns = like(top[0], 0), like(top[0], k)
        _log_softmax(x, top, total, count, rows)
        for i in range(count):
            width, mean = count * (k + 1) + i, count + i * k
            for r in range(rows):
                other[r] = vecmath.exp(like(zero, -0.5) * x[width, r])
            for j in range(k):
                for r in range(rows):
                    apart = x[mean + j, r] - t[j, r]
                    x[mean + j, r] = product(product(apart, other[r]), other[r])
            _squares(x, mean, k, square, rows)
            for r in range(rows):
                u = _log_share(x[i, r], x[width, r], square[r], columns)
                top[r] = u if (i == 0) | (u > top[r]) else top[r]
        for r in range(rows):
            total[r] = zero
        for i in range(count):
            _squares(x, count + i * k, k, square, rows)
            width = count * (k + 1) + i
            for r in range(rows):
                u = _log_share(x[i, r], x[width, r], square[r], columns)
                total[r] += vecmath.exp(_below(u, top[r]))
        for r in range(rows):
            constant = like(zero, 0.5 * _LOG_2_PI) * columns
            cost = (constant - top[r]) - vecmath.log(total[r])
            other[r] = weighted(t[k, r], cost)
        found = total_of(other, rows)
        if step:
            for i in range(count):
                _squares(x, count + i * k, k, square, rows)
                width, mean = count * (k + 1) + i, count + i * k
                for r in range(rows):
                    u, w = _log_share(x[i, r], x[width, r], square[r], columns), t[k, r]
                    below = _below(u, top[r])
                    share = vecmath.exp(below) / total[r]
                    x[i, r] = weighted(w, vecmath.exp(x[i, r]) - share)
                    # of exp(below) / σ, where one factor may underflow and the other overflow
                    root = vecmath.exp(like(zero, 0.5) * (below - x[width, r]))
                    other[r] = zero if below == like(zero, -_INFINITY) else root
                    x[width, r] = weighted(w, product(share, columns - square[r]))
                for j in range(k):
                    for r in range(rows):
                        part = product(product(x[mean + j, r], other[r]), other[r])
                        x[mean + j, r] = weighted(t[k, r], part / total[r])
        return found

    return mixture_kernel


@scalar
def _log_softmax(x, top, total, count, rows):
    """The first rows of x become their log softmax."""
    row_maxima(x, top, count, rows)
    for r in range(rows):
        total[r] = like(top[0], 0)
    for i in range(count):
        for r in range(rows):
            total[r] += vecmath.exp(x[i, r] - top[r])
    for r in range(rows):
        total[r] = vecmath.log(total[r])
    for i in range(count):
        for r in range(rows):
            x[i, r] = (x[i, r] - top[r]) - total[r]


@scalar
def _squares(x, first, count, square, rows):
    """square[r] = Σ x² over some rows."""
    for r in range(rows):
        square[r] = like(square[0], 0)
    for j in range(first, first + count):
        for r in range(rows):
            square[r] += x[j, r] * x[j, r]


@scalar
def _log_share(log_mixing, log_width, square, columns):
    """log(π N(t)), without the constant; an infinite distance wins over any width."""
    infinity = like(square, _INFINITY)
    found = (log_mixing - columns * log_width) - like(square, 0.5) * square
    return -infinity if square == infinity else found


@scalar
def _below(u, top):
    """u - top; 0 where both are infinite: all components infinitely far, or one too narrow."""
    return like(u, 0) if u == top else u - top


def mixture_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: a = mixing coefficients, means, widths; parameters: how many of the first."""
    wide()
    count = int(parameters[0])
    x = carray(a, (features, rows))
    softmax(carray(a, (count, rows)), carray(c, (SOFTMAX_ROWS, rows)), count, rows)
    for j in range(features - count, features):
        for r in range(rows):
            x[j, r] = vecmath.exp(x[j, r])
    return 0.0


def mixture_pull_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: a gradient by those, b, into one by the activities."""
    wide()
    count = int(parameters[0])
    g, y = carray(a, (features, rows)), carray(b, (features, rows))
    first, second = carray(a, (count, rows)), carray(b, (count, rows))
    softmax_pull(first, second, carray(c, (rows,)), first, count, rows, False)
    for j in range(features - count, features):
        for r in range(rows):
            g[j, r] *= y[j, r]
    return 0.0
