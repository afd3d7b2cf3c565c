"""Costs: sum over a tile of logits and targets, its gradient, and the activation that goes with it.

All row kernels here take a: logits (features, rows), b: targets of the same shape, c: scratch of
two rows. ``value`` returns the sum; ``delta`` turns the logits into the gradient of that sum;
``activate`` turns them into the network's output.
"""

import functools

from . import vecmath
from .jit import carray, like, scalar, wide


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
    return linear + vecmath.softplus(-abs(a))


@scalar
def sigmoid_entropy_delta(a, t):
    """σ(a) - t."""
    return vecmath.sigmoid(a) - t


@functools.cache
def elementwise_value(formula):
    """Row kernel: Σ formula(a, t), summed in float64."""

    def elementwise_value_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        count = features * rows
        x = carray(a, (count,))
        t = carray(b, (count,))
        scratch = carray(c, (rows,))
        total = 0.0
        for start in range(0, count, rows):  # vectorised formula first, ordered sum after
            for r in range(rows):
                scratch[r] = formula(x[start + r], t[start + r])
            for r in range(rows):
                total += scratch[r]
        return total

    return elementwise_value_kernel


@functools.cache
def elementwise_delta(formula):
    """Row kernel: a = formula(a, t), in place."""

    def elementwise_delta_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        count = features * rows
        x = carray(a, (count,))
        t = carray(b, (count,))
        for i in range(count):
            x[i] = formula(x[i], t[i])
        return 0.0

    return elementwise_delta_kernel


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


@scalar
def _row_maxima(x, top, features, rows):
    """top[r] = max over the features; a NaN may be passed over, exp() brings it back."""
    for r in range(rows):
        top[r] = x[0, r]
    for j in range(1, features):
        for r in range(rows):
            top[r] = x[j, r] if x[j, r] > top[r] else top[r]


@scalar
def _row_exponential_sums(x, top, total, features, rows):
    """total[r] = Σ exp(x - top)."""
    for r in range(rows):
        total[r] = like(total[r], 0)
    for j in range(features):
        for r in range(rows):
            total[r] += vecmath.exp(x[j, r] - top[r])


def softmax_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: a = softmax over the features of each sample, shifted by its maximum."""
    wide()
    x = carray(a, (features, rows))
    work = carray(c, (2, rows))
    top, total = work[0], work[1]
    _row_maxima(x, top, features, rows)
    for r in range(rows):
        total[r] = like(total[r], 0)
    for j in range(features):
        for r in range(rows):
            e = vecmath.exp(x[j, r] - top[r])
            x[j, r] = e
            total[r] += e
    for j in range(features):
        for r in range(rows):
            x[j, r] = x[j, r] / total[r]
    return 0.0


def softmax_entropy_delta_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: a = softmax(a) - t."""
    softmax_kernel_inline(a, b, c, parameters, features, rows, k, flag)
    count = features * rows
    x = carray(a, (count,))
    t = carray(b, (count,))
    for i in range(count):
        x[i] -= t[i]
    return 0.0


softmax_kernel_inline = scalar(softmax_kernel)


def softmax_entropy_value_kernel(a, b, c, parameters, features, rows, k, flag):
    """Row kernel: Σ t (log Σ exp(a) - a), where t = 0 wins over an infinite logit."""
    wide()
    x = carray(a, (features, rows))
    t = carray(b, (features, rows))
    work = carray(c, (2, rows))
    top, total = work[0], work[1]
    _row_maxima(x, top, features, rows)
    _row_exponential_sums(x, top, total, features, rows)
    for r in range(rows):
        total[r] = vecmath.log(total[r])
    cost = 0.0
    for j in range(features):
        for r in range(rows):
            if t[j, r] != like(total[r], 0):
                cost += t[j, r] * (total[r] + (top[r] - x[j, r]))
    return cost
