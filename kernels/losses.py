"""Costs: sum over a tile of logits and targets, its gradient, and the activation that goes with it.

All row kernels here take a: logits (features, rows), b: targets of the same shape and one more
row, the weights w of the samples, c: scratch of four rows. ``value`` returns the sum; ``step``
returns it too, and turns the logits into its gradient; ``activate`` turns them into the network's
output, and ``pull`` a gradient by that output (a; b: the output) into one by the logits.
"""

import functools

import numpy as np

from . import vecmath
from .jit import carray, like, scalar, wide
from .kinds import SOFTMAX_ROWS, row_maxima, softmax, softmax_pull


@scalar
def squares(a, t):
    """(a - t)² / 2."""
    return like(a, 0.5) * (a - t) * (a - t)


@scalar
def squares_delta(a, t):
    """a - t."""
    return a - t


@scalar
def sigmoid_entropy(a, t):
    """-t log σ(a) - (1 - t) log(1 - σ(a)) from the logit, exact in both tails.

    Equal to log(1 + exp(-|a|)) + (a (1 - t) for a > 0, else -a t); a factor of exactly zero wins
    over an infinite logit.
    """
    zero = like(a, 0)
    weight = like(a, 1) - t if a > zero else -t
    linear = zero if weight == zero else a * weight
    return linear + vecmath.softplus_tail(-abs(a))


@scalar
def sigmoid_entropy_delta(a, t):
    """σ(a) - t."""
    return vecmath.sigmoid(a) - t


@scalar
def weighted(w, x):
    """w x, where a weight of zero wins over an infinite x."""
    return like(x, 0) if w == like(x, 0) else w * x


@scalar(reassoc=True)
def _total(x, count):
    """Σ x, in float64."""
    wide()
    total = 0.0
    for i in range(count):
        total += np.float64(x[i])
    return total


@functools.cache
def elementwise_value(formula):
    """Row kernel: Σ w formula(a, t)."""

    def elementwise_value_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        x, t = carray(a, (features, rows)), carray(b, (features + 1, rows))
        scratch = carray(c, (rows,))
        total = 0.0
        for j in range(features):  # vectorised formula first, sum after
            for r in range(rows):
                scratch[r] = weighted(t[features, r], formula(x[j, r], t[j, r]))
            total += _total(scratch, rows)
        return total

    return elementwise_value_kernel


@functools.cache
def elementwise_step(formula, delta):
    """Row kernel: Σ w formula(a, t); then a = w delta(a, t), in place."""

    def elementwise_step_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        x, t = carray(a, (features, rows)), carray(b, (features + 1, rows))
        scratch = carray(c, (rows,))
        total = 0.0
        for j in range(features):
            for r in range(rows):
                w, logit, target = t[features, r], x[j, r], t[j, r]
                scratch[r] = weighted(w, formula(logit, target))
                x[j, r] = weighted(w, delta(logit, target))
            total += _total(scratch, rows)
        return total

    return elementwise_step_kernel


@functools.cache
def elementwise_activation(formula):
    """Row kernel: a = formula(a), in place."""

    def elementwise_activation_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        x = carray(a, (features * rows,))
        for i in range(features * rows):
            x[i] = formula(x[i])
        return 0.0

    return elementwise_activation_kernel


@functools.cache
def elementwise_pull(derivative):
    """Row kernel: a = a derivative(b), in place; b: outputs."""

    def elementwise_pull_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        for i in range(features * rows):
            a[i] *= derivative(b[i])
        return 0.0

    return elementwise_pull_kernel


@scalar
def sigmoid_slope(y):
    """y (1 - y), the derivative of the sigmoid from its output."""
    return y * (like(y, 1) - y)


def softmax_pull_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: a = b (a - Σ a b), in place; b: outputs of a softmax."""
    wide()
    g, y = carray(a, (features, rows)), carray(b, (features, rows))
    softmax_pull(g, y, carray(c, (rows,)), g, features, rows, False)
    return 0.0


def softmax_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: a = softmax over the features of each sample, shifted by its maximum."""
    wide()
    softmax(carray(a, (features, rows)), carray(c, (SOFTMAX_ROWS, rows)), features, rows)
    return 0.0


def softmax_entropy_value_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: Σ w t (log Σ exp(a) - a), where t = 0 wins over an infinite logit."""
    return _softmax_entropy(a, b, c, features, rows, False)


def softmax_entropy_step_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: the same sum; and a = w (softmax(a) - t), in place."""
    return _softmax_entropy(a, b, c, features, rows, True)


@scalar
def _softmax_entropy(a, b, c, features, rows, step):
    """Σ w (log Σ exp(a - top) Σ t + Σ t (top - a)); with the gradient in place of the logits."""
    wide()
    x, t = carray(a, (features, rows)), carray(b, (features + 1, rows))
    work = carray(c, (4, rows))
    top, total, linear, shares = work[0], work[1], work[2], work[3]
    row_maxima(x, top, features, rows)
    zero = like(top[0], 0)
    for r in range(rows):
        total[r] = linear[r] = shares[r] = zero
    for j in range(features):
        for r in range(rows):
            below = x[j, r] - top[r]
            e = vecmath.exp(below)
            total[r] += e
            linear[r] -= weighted(t[j, r], below)
            shares[r] += t[j, r]
            if step:
                x[j, r] = e
    for r in range(rows):
        cost = linear[r] + vecmath.log(total[r]) * shares[r]
        linear[r] = weighted(t[features, r], cost)
    if step:
        for j in range(features):
            for r in range(rows):
                x[j, r] = weighted(t[features, r], x[j, r] / total[r] - t[j, r])
    return _total(linear, rows)
