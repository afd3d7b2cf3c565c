"""Activations made of straight and of parabolic pieces: exact, or rounded once."""

from ..jit import like, scalar


@scalar
def identity(x):
    """x."""
    return x


@scalar
def identity_derivative(x):
    """1; NaN stays NaN."""
    return like(x, 1) if x == x else x


@scalar
def relu(x):
    """max(x, 0); the comparison is written so that NaN stays NaN."""
    return like(x, 0) if x <= like(x, 0) else x


@scalar
def relu_derivative(x):
    """1 for x > 0, else 0."""
    return relu_from_output(x)


@scalar
def relu_from_output(y):
    """1 where the output is positive, else 0; NaN stays NaN."""
    return y if y != y else (like(y, 1) if y > like(y, 0) else like(y, 0))
