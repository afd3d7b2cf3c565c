"""Activations of a whole layer, not of each number alone: rows of z in, rows of y out.

Each is three tile kernels (see `codegen.declare`) for z = Wᵀ x + bias. It has memory of its own in
a tile: one row for each row of z, where the product leaves Wᵀ x, and some to spare.

``forward``, ``train``
    a: the memory, b: biases, c: the output y, m: features of y, n: lanes. ``train`` leaves in the
    memory what the way back wants.
``vjp``
    a: gradient by y, b: biases, c: the memory, whose first rows become the gradient by z. Numbers
    that are trained stand behind the biases; a's rows become what is summed over the samples to
    their gradient.

The engine knows nothing else of a kind.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import vecmath
from ..codegen.declare import carray, kernel, scalar
from ..codegen.intrinsics import cast_like, wide
from ..vecmath.softmax import SOFTMAX_ROWS, exponentials, softmax, softmax_vjp


@scalar
def shift(x, bias, n_features, n_lanes, minus):
    """x = x + bias, or -(x + bias)."""
    for j in range(n_features):
        for r in range(n_lanes):
            z = x[j, r] + bias[j]
            x[j, r] = -z if minus else z


@functools.cache
def _softmax_forward(minus):
    """Tile kernel: softmax of x, or of -x, which stays in the memory too."""

    def softmax_forward_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, y = carray(a, (n_features, n_lanes)), carray(c, (n_features, n_lanes))
        work = carray(a, (n_features + SOFTMAX_ROWS, n_lanes))[n_features:]
        shift(x, carray(b, (n_features,)), n_features, n_lanes, minus)
        softmax(x, work, n_features, n_lanes)
        for j in range(n_features):
            for r in range(n_lanes):
                y[j, r] = x[j, r]
        return 0.0

    return softmax_forward_kernel


@functools.cache
def _softmax_vjp(minus):
    """Tile kernel: memory = ± y (g - Σ g y), y: what is there."""

    def softmax_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        g, y = carray(a, (n_features, n_lanes)), carray(c, (n_features, n_lanes))
        total = carray(c, (n_features + 1, n_lanes))[n_features]
        softmax_vjp(g, y, total, y, n_features, n_lanes, minus)
        return 0.0

    return softmax_vjp_kernel


@functools.cache
def _log_softmax(training):
    """Tile kernel: y = (x - max) - log1p(Σ exp(x - max) - 1); training: leaves the softmax.

    Accuracy: 2.2 ULP in float32 and float64, of up to 1000 features, near zero too.
    """

    def log_softmax_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        x, y = carray(a, (n_features, n_lanes)), carray(c, (n_features, n_lanes))
        work = carray(a, (n_features + SOFTMAX_ROWS, n_lanes))[n_features:]
        shift(x, carray(b, (n_features,)), n_features, n_lanes, False)
        if training:
            for j in range(n_features):
                for r in range(n_lanes):
                    y[j, r] = x[j, r]
        exponentials(x, work, n_features, n_lanes, training)
        for r in range(n_lanes):
            others = work[1, r]
            work[2, r] = vecmath.log1p(others)
            work[1, r] = cast_like(others, 1.0) + others
        for j in range(n_features):
            for r in range(n_lanes):
                z = y[j, r] if training else x[j, r]
                y[j, r] = (z - work[0, r]) - work[2, r]
                if training:
                    x[j, r] = x[j, r] / work[1, r]
        return 0.0

    return log_softmax_kernel


def log_softmax_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: memory = g - s Σ g, s: the softmax that is there."""
    wide()
    g, s = carray(a, (n_features, n_lanes)), carray(c, (n_features, n_lanes))
    total = carray(c, (n_features + 1, n_lanes))[n_features]
    for r in range(n_lanes):
        total[r] = cast_like(total[r], 0.0)
    for j in range(n_features):
        for r in range(n_lanes):
            total[r] += g[j, r]
    for j in range(n_features):
        for r in range(n_lanes):
            s[j, r] = g[j, r] - s[j, r] * total[r]
    return 0.0


@functools.cache
def _glu(training):
    """Tile kernel: y = u σ(v), z = (u, v). Dauphin et al., ICML (2017).

    training: leaves the derivatives σ(v) and u σ(v) σ(-v).
    """

    def glu_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        z, y = carray(a, (2 * n_features, n_lanes)), carray(c, (n_features, n_lanes))
        bias = carray(b, (2 * n_features,))
        for j in range(n_features):
            for r in range(n_lanes):
                u, v = z[j, r] + bias[j], z[n_features + j, r] + bias[n_features + j]
                s = vecmath.sigmoid(v)
                y[j, r] = u * s
                if training:
                    z[j, r] = s
                    z[n_features + j, r] = (u * s) * vecmath.sigmoid_of_minus(v, s)
        return 0.0

    return glu_kernel


def glu_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: memory = derivatives times g, for both halves."""
    wide()
    g, d = carray(a, (n_features, n_lanes)), carray(c, (2, n_features, n_lanes))
    for half in range(2):
        for j in range(n_features):
            for r in range(n_lanes):
                d[half, j, r] *= g[j, r]
    return 0.0


@functools.cache
def _maxout(training):
    """Tile kernel: y_j = max z_jk, …, z_jk+k-1. Goodfellow et al., ICML (2013).

    training: leaves one for the largest of each group, of equal ones the first, and zeros.
    """

    def maxout_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
        wide()
        size = int(hyper[0])
        z, y = carray(a, (n_features * size + 1, n_lanes)), carray(c, (n_features, n_lanes))
        bias = carray(b, (n_features * size,))
        for j in range(n_features):
            for i in range(j * size, (j + 1) * size):
                for r in range(n_lanes):
                    x = z[i, r] + bias[i]
                    z[i, r] = x
                    y[j, r] = x if (i == j * size) | (x > y[j, r]) | (x != x) else y[j, r]
            if training:
                left = z[n_features * size]
                for r in range(n_lanes):
                    left[r] = cast_like(left[r], 1.0)
                for i in range(j * size, (j + 1) * size):
                    for r in range(n_lanes):
                        x, zero = z[i, r], cast_like(left[r], 0.0)
                        is_largest = (x == y[j, r]) | (x != x)
                        z[i, r] = left[r] if is_largest else zero
                        left[r] = zero if is_largest else left[r]
        return 0.0

    return maxout_kernel


def maxout_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: memory = what is there times g, for each of a group."""
    wide()
    size = int(hyper[0])
    g, d = carray(a, (n_features, n_lanes)), carray(c, (n_features, size, n_lanes))
    for j in range(n_features):
        for i in range(size):
            for r in range(n_lanes):
                d[j, i, r] *= g[j, r]
    return 0.0


def prelu_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: y = z for z >= 0, else alpha z; z stays in the memory. He et al. (2015)."""
    wide()
    z, y = carray(a, (n_features, n_lanes)), carray(c, (n_features, n_lanes))
    trained = carray(b, (2, n_features))
    for j in range(n_features):
        bias, alpha = trained[0, j], trained[1, j]
        for r in range(n_lanes):
            x = z[j, r] + bias
            z[j, r] = x
            y[j, r] = x if x >= cast_like(x, 0.0) else alpha * x
    return 0.0


def prelu_vjp_kernel(a, b, c, hyper, n_features, n_lanes, n_targets, flag):
    """Tile kernel: memory = g or, for z < 0, alpha g; a = g min(z, 0), the gradient by alpha."""
    wide()
    g, z = carray(a, (n_features, n_lanes)), carray(c, (n_features, n_lanes))
    trained = carray(b, (2, n_features))
    for j in range(n_features):
        alpha = trained[1, j]
        for r in range(n_lanes):
            x, slope, zero = z[j, r], g[j, r], cast_like(alpha, 0.0)
            z[j, r] = slope * (x if x != x else (cast_like(x, 1.0) if x >= zero else alpha))
            g[j, r] = zero if x >= zero else slope * x
    return 0.0


@kernel(reassoc=True)
def prelu_alpha_gradient(g, x, total):
    """total (n,) += Σ g min(x, 0) over the rows of g and x (rows, n); n = 1: over one long row.

    Of C-contiguous arrays of one dtype, summed in float64.
    """
    zero = cast_like(x[0, 0], 0.0)
    if total.size == 1:
        found = 0.0
        for j in range(x.shape[1]):
            found += float(g[0, j]) * float(zero if x[0, j] >= zero else x[0, j])
        total[0] += found
        return
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total[j] += float(g[i, j]) * float(zero if x[i, j] >= zero else x[i, j])


@kernel
def maxout_gradient(z, g):
    """z (groups, k) = g (groups,) where the first of the largest was, or the first NaN; else 0."""
    for j in range(z.shape[0]):
        at, largest = 0, z[j, 0]
        for i in range(1, z.shape[1]):
            x = z[j, i]
            is_larger = (x > largest) | ((x != x) & (largest == largest))
            at, largest = (i, x) if is_larger else (at, largest)
        for i in range(z.shape[1]):
            z[j, i] = g[j] if i == at else cast_like(largest, 0.0)


class VectorActivation(NamedTuple):
    """An activation of a whole layer: its kernels, see above, and its shapes."""

    forward: Callable[..., Any]
    train: Callable[..., Any]
    vjp: Callable[..., Any]
    spare: int = 0  # rows of memory beyond those of z
    parameters: tuple[tuple[str, float], ...] = ()  # names and defaults
    width: int | str = 1  # rows of z for a row of y, or the parameter that says so
    trained: str = ""  # the parameter that is one trained number for each row of y


def _of_softmax(minus):
    forward = _softmax_forward(minus)
    return VectorActivation(forward, forward, _softmax_vjp(minus), SOFTMAX_ROWS)


VECTOR_ACTIVATIONS = {
    "softmax": _of_softmax(False),
    "softmin": _of_softmax(True),
    "log_softmax": VectorActivation(
        _log_softmax(False), _log_softmax(True), log_softmax_vjp_kernel, SOFTMAX_ROWS
    ),
    "glu": VectorActivation(_glu(False), _glu(True), glu_vjp_kernel, width=2),
    "maxout": VectorActivation(
        _maxout(False), _maxout(True), maxout_vjp_kernel, 1, (("k", 2),), "k"
    ),
    "prelu": VectorActivation(
        prelu_kernel, prelu_kernel, prelu_vjp_kernel, 0, (("alpha", 0.25),), trained="alpha"
    ),
}
