"""Update rules: a scalar formula each, and the maker that turns it into a row kernel."""

import functools

from .jit import carray, like, scalar, wide


@scalar
def sgd(p, g, learning_rate):
    """p - η g."""
    return p - learning_rate * g


@functools.cache
def stateless(formula):
    """Row kernel: a = formula(a, b, η) in place; a: parameters, b: their gradients.

    The first pass only looks: if any result is not finite, the kernel returns 1 and has changed
    nothing, so a training that diverges ends with the last finite parameters.
    """

    def update_kernel(a, b, c, parameters, count, step, k, flag):
        wide()
        p = carray(a, (count,))
        g = carray(b, (count,))
        learning_rate = like(p[0], parameters[0])
        zero = like(p[0], 0)  # zero times a finite number is zero, times another NaN
        bad = 0
        for i in range(count):
            bad += formula(p[i], g[i], learning_rate) * zero != zero
        if bad:
            return 1.0
        for i in range(count):
            p[i] = formula(p[i], g[i], learning_rate)
        return 0.0

    return update_kernel
