"""Activations of a whole layer, not of each number alone: rows of z in, rows of y out.

A kind is three row kernels (see `codegen.declare`) for z = Wᵀ x + bias. It has memory of its own in
a tile: one row for each row of z, where the product leaves Wᵀ x, and some to spare.

``forward``, ``train``
    a: the memory, b: biases, c: the output y, m: features of y, n: lanes. ``train`` leaves in the
    memory what the way back wants.
``pull``
    a: gradient by y, b: biases, c: the memory, whose first rows become the gradient by z. Numbers
    that are trained stand behind the biases; a's rows become what is summed over the samples to
    their gradient.

The engine knows nothing else of a kind.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from .. import vecmath
from ..codegen.declare import carray, like, scalar, wide
from ..vecmath.softmax import SOFTMAX_ROWS, exponentials, softmax, softmax_pull


@scalar
def shift(x, bias, features, rows, minus):
    """x = x + bias, or -(x + bias)."""
    for j in range(features):
        for r in range(rows):
            z = x[j, r] + bias[j]
            x[j, r] = -z if minus else z


@functools.cache
def _softmax_forward(minus):
    """Row kernel: softmax of x, or of -x, which stays in the memory too."""

    def softmax_forward_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        x, y = carray(a, (features, rows)), carray(c, (features, rows))
        work = carray(a, (features + SOFTMAX_ROWS, rows))[features:]
        shift(x, carray(b, (features,)), features, rows, minus)
        softmax(x, work, features, rows)
        for j in range(features):
            for r in range(rows):
                y[j, r] = x[j, r]
        return 0.0

    return softmax_forward_kernel


@functools.cache
def _softmax_back(minus):
    """Row kernel: memory = ± y (g - Σ g y), y: what is there."""

    def softmax_back_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        g, y = carray(a, (features, rows)), carray(c, (features, rows))
        total = carray(c, (features + 1, rows))[features]
        softmax_pull(g, y, total, y, features, rows, minus)
        return 0.0

    return softmax_back_kernel


@functools.cache
def _log_softmax(training):
    """Row kernel: y = (x - max) - log1p(Σ exp(x - max) - 1); training: leaves the softmax.

    Accuracy: 2.2 ULP in float32 and float64, of up to 1000 features, near zero too.
    """

    def log_softmax_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        x, y = carray(a, (features, rows)), carray(c, (features, rows))
        work = carray(a, (features + SOFTMAX_ROWS, rows))[features:]
        shift(x, carray(b, (features,)), features, rows, False)
        if training:
            for j in range(features):
                for r in range(rows):
                    y[j, r] = x[j, r]
        exponentials(x, work, features, rows, training)
        for r in range(rows):
            others = work[1, r]
            work[2, r] = vecmath.log1p(others)
            work[1, r] = like(others, 1.0) + others
        for j in range(features):
            for r in range(rows):
                z = y[j, r] if training else x[j, r]
                y[j, r] = (z - work[0, r]) - work[2, r]
                if training:
                    x[j, r] = x[j, r] / work[1, r]
        return 0.0

    return log_softmax_kernel


def log_softmax_back_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: memory = g - s Σ g, s: the softmax that is there."""
    wide()
    g, s = carray(a, (features, rows)), carray(c, (features, rows))
    total = carray(c, (features + 1, rows))[features]
    for r in range(rows):
        total[r] = like(total[r], 0.0)
    for j in range(features):
        for r in range(rows):
            total[r] += g[j, r]
    for j in range(features):
        for r in range(rows):
            s[j, r] = g[j, r] - s[j, r] * total[r]
    return 0.0


@functools.cache
def _glu(training):
    """Row kernel: y = u σ(v), z = (u, v). Dauphin et al., ICML (2017).

    training: leaves the derivatives σ(v) and u σ(v) σ(-v).
    """

    def glu_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        z, y = carray(a, (2 * features, rows)), carray(c, (features, rows))
        bias = carray(b, (2 * features,))
        for j in range(features):
            for r in range(rows):
                u, v = z[j, r] + bias[j], z[features + j, r] + bias[features + j]
                s = vecmath.sigmoid(v)
                y[j, r] = u * s
                if training:
                    z[j, r] = s
                    z[features + j, r] = (u * s) * vecmath.sigmoid_of_minus(v, s)
        return 0.0

    return glu_kernel


def glu_back_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: memory = derivatives times g, for both halves."""
    wide()
    g, d = carray(a, (features, rows)), carray(c, (2, features, rows))
    for half in range(2):
        for j in range(features):
            for r in range(rows):
                d[half, j, r] *= g[j, r]
    return 0.0


@functools.cache
def _maxout(training):
    """Row kernel: y_j = max z_jk, …, z_jk+k-1. Goodfellow et al., ICML (2013).

    training: leaves one for the largest of each group, of equal ones the first, and zeros.
    """

    def maxout_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        size = int(parameters[0])
        z, y = carray(a, (features * size + 1, rows)), carray(c, (features, rows))
        bias = carray(b, (features * size,))
        for j in range(features):
            for i in range(j * size, (j + 1) * size):
                for r in range(rows):
                    x = z[i, r] + bias[i]
                    z[i, r] = x
                    y[j, r] = x if (i == j * size) | (x > y[j, r]) | (x != x) else y[j, r]
            if training:
                left = z[features * size]
                for r in range(rows):
                    left[r] = like(left[r], 1.0)
                for i in range(j * size, (j + 1) * size):
                    for r in range(rows):
                        x, zero = z[i, r], like(left[r], 0.0)
                        found = (x == y[j, r]) | (x != x)
                        z[i, r] = left[r] if found else zero
                        left[r] = zero if found else left[r]
        return 0.0

    return maxout_kernel


def maxout_back_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: memory = what is there times g, for each of a group."""
    wide()
    size = int(parameters[0])
    g, d = carray(a, (features, rows)), carray(c, (features, size, rows))
    for j in range(features):
        for i in range(size):
            for r in range(rows):
                d[j, i, r] *= g[j, r]
    return 0.0


def prelu_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: y = z for z >= 0, else alpha z; z stays in the memory. He et al., ICCV (2015)."""
    wide()
    z, y = carray(a, (features, rows)), carray(c, (features, rows))
    numbers = carray(b, (2, features))
    for j in range(features):
        bias, alpha = numbers[0, j], numbers[1, j]
        for r in range(rows):
            x = z[j, r] + bias
            z[j, r] = x
            y[j, r] = x if x >= like(x, 0.0) else alpha * x
    return 0.0


def prelu_back_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: memory = g or, for z < 0, alpha g; a = g min(z, 0), the gradient by alpha."""
    wide()
    g, z = carray(a, (features, rows)), carray(c, (features, rows))
    numbers = carray(b, (2, features))
    for j in range(features):
        alpha = numbers[1, j]
        for r in range(rows):
            x, slope, zero = z[j, r], g[j, r], like(alpha, 0.0)
            z[j, r] = slope * (x if x != x else (like(x, 1.0) if x >= zero else alpha))
            g[j, r] = zero if x >= zero else slope * x
    return 0.0


class Kind(NamedTuple):
    """An activation of a whole layer: its kernels, see above, and its shapes."""

    forward: Callable[..., Any]
    train: Callable[..., Any]
    pull: Callable[..., Any]
    spare: int = 0  # rows of memory beyond those of z
    parameters: tuple[tuple[str, float], ...] = ()  # names and defaults
    width: int | str = 1  # rows of z for a row of y, or the parameter that says so
    trained: str = ""  # the parameter that is one trained number for each row of y


def _of_softmax(minus):
    forward = _softmax_forward(minus)
    return Kind(forward, forward, _softmax_back(minus), SOFTMAX_ROWS)


KINDS = {
    "softmax": _of_softmax(False),
    "softmin": _of_softmax(True),
    "log_softmax": Kind(
        _log_softmax(False), _log_softmax(True), log_softmax_back_kernel, SOFTMAX_ROWS
    ),
    "glu": Kind(_glu(False), _glu(True), glu_back_kernel, width=2),
    "maxout": Kind(_maxout(False), _maxout(True), maxout_back_kernel, 1, (("k", 2),), "k"),
    "prelu": Kind(
        prelu_kernel, prelu_kernel, prelu_back_kernel, 0, (("alpha", 0.25),), trained="alpha"
    ),
}
