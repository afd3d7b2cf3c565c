"""Row kernels of activations that act on each number alone, made from their formulas.

See ``kernels/activations`` for the formulas, `codegen.declare` for what a row kernel is.
"""

import functools
import inspect

from ..codegen.declare import carray, like, scalar, wide


@functools.cache
def _with_two(formula):
    """The formula as a function of (x, p, q), whatever the number of its parameters."""
    count = len(inspect.signature(formula).parameters) - 1
    if count == 0:

        def called(x, p, q):
            return formula(x)

    elif count == 1:

        def called(x, p, q):
            return formula(x, p)

    else:

        def called(x, p, q):
            return formula(x, p, q)

    return scalar(called)


def forward(formula):
    """Row kernel: a = f(a + bias), in place. b: bias of each feature."""
    return _forward(_with_two(formula))


@functools.cache
def _forward(formula):
    def forward_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        z = carray(a, (features, rows))
        bias = carray(b, (features,))
        p = like(bias[0], parameters[0])
        q = like(bias[0], parameters[1])
        for j in range(features):
            shift = bias[j]
            for r in range(rows):
                z[j, r] = formula(z[j, r] + shift, p, q)
        return 0.0

    return forward_kernel


def forward_with_derivative(formula, derivative, from_output):
    """Row kernel: a = f(a + bias), in place, and c = f'(a + bias), in one pass.

    from_output: the derivative formula takes the output instead of the input.
    """
    return _forward_with_derivative(_with_two(formula), _with_two(derivative), from_output)


@functools.cache
def _forward_with_derivative(formula, derivative, from_output):
    def forward_with_derivative_kernel(a, b, c, parameters, features, rows, k, flag):
        wide()
        z = carray(a, (features, rows))
        d = carray(c, (features, rows))
        bias = carray(b, (features,))
        p = like(bias[0], parameters[0])
        q = like(bias[0], parameters[1])
        for j in range(features):
            shift = bias[j]
            for r in range(rows):
                x = z[j, r] + shift
                y = formula(x, p, q)
                z[j, r] = y
                d[j, r] = derivative(y if from_output else x, p, q)
        return 0.0

    return forward_with_derivative_kernel
