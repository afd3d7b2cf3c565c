"""Activations that are one elementary function of exp, log or tanh, nearly."""

from .. import vecmath
from ..jit import like, scalar


@scalar
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return vecmath.sigmoid(x)


@scalar
def sigmoid_derivative(x):
    """σ(x) σ(-x)."""
    s = vecmath.sigmoid(x)
    return s * vecmath.sigmoid_of_minus(x, s)


@scalar
def sigmoid_from_output(y):
    """y (1 - y)."""
    return y * (like(y, 1) - y)


@scalar
def tanh(x):
    """Hyperbolic tangent."""
    return vecmath.tanh(x)


@scalar
def tanh_derivative(x):
    """1 - tanh²(x)."""
    return tanh_from_output(vecmath.tanh(x))


@scalar
def tanh_from_output(y):
    """1 - y²; as a product it rounds once less near y = ±1."""
    return (like(y, 1) - y) * (like(y, 1) + y)


@scalar
def softplus(x):
    """log(1 + exp(x))."""
    return vecmath.softplus(x)


@scalar
def softplus_derivative(x):
    """sigmoid(x)."""
    return vecmath.sigmoid(x)


@scalar
def swish(x, beta=1.0):
    """x σ(β x)."""
    return x * vecmath.sigmoid(beta * x)


@scalar
def swish_derivative(x, beta):
    """σ(β x) + β x σ(β x) σ(-β x); the product form has no cancellation."""
    z = beta * x
    s = vecmath.sigmoid(z)
    return s + z * (s * vecmath.sigmoid_of_minus(z, s))
