"""Activations: a scalar formula each, and the makers that turn formulas into row kernels.

A formula takes ``(x, p, q)``: the activity and two parameters (unused ones are ignored), in the
dtype of the network. A derivative formula takes ``(v, p, q)``, where v is the activation's output
where the derivative follows from it cheaply, else its input; the table in ``fastnn/activations.py``
says which.
"""

import functools

from . import vecmath
from .jit import carray, like, scalar, wide


@scalar
def identity(x, p, q):
    """x."""
    return x


@scalar
def sigmoid(x, p, q):
    """1 / (1 + exp(-x))."""
    return vecmath.sigmoid(x)


@scalar
def sigmoid_derivative(y, p, q):
    """y (1 - y), from the output."""
    return y * (like(y, 1) - y)


@scalar
def tanh(x, p, q):
    """Hyperbolic tangent."""
    return vecmath.tanh(x)


@scalar
def tanh_derivative(y, p, q):
    """1 - y², from the output; as a product it rounds once less near y = ±1."""
    return (like(y, 1) - y) * (like(y, 1) + y)


@scalar
def relu(x, p, q):
    """max(x, 0); the comparison is written so that NaN stays NaN."""
    return like(x, 0) if x <= like(x, 0) else x


@scalar
def relu_derivative(y, p, q):
    """1 where the output is positive, else 0; NaN stays NaN."""
    return y if y != y else (like(y, 1) if y > like(y, 0) else like(y, 0))


@scalar
def softplus(x, p, q):
    """log(1 + exp(x))."""
    return vecmath.softplus(x)


@scalar
def softplus_derivative(x, p, q):
    """sigmoid(x), from the input."""
    return vecmath.sigmoid(x)


@scalar
def swish(x, beta, q):
    """x σ(β x)."""
    return x * vecmath.sigmoid(beta * x)


@scalar
def swish_derivative(x, beta, q):
    """σ(β x) + β x σ(β x) σ(-β x), from the input; the product form has no cancellation."""
    z = beta * x
    s = vecmath.sigmoid(z)
    return s + z * (s * vecmath.sigmoid_of_minus(z, s))


@scalar
def one(x, p, q):
    """1, the derivative of the identity."""
    return like(x, 1)


@functools.cache
def forward(formula):
    """Row kernel: a = f(a + bias), in place. b: bias of each feature."""

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


@functools.cache
def forward_with_derivative(formula, derivative, from_output):
    """Row kernel: a = f(a + bias), in place, and c = f'(a + bias), in one pass.

    from_output: the derivative formula takes the output instead of the input.
    """

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
