"""Functions of one exponential. None overflows before its result does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .piecewise import choose

Array = npt.NDArray[np.float64]

# x² and x exp(x) of an infinity are kept from being ∞ · 0; beyond, exponentials have decided
FAR = 1e4


def bounded(x: Array) -> Any:
    """x, cut off where every exponential of it is 0 or has made others negligible."""
    return np.clip(x, -FAR, FAR)


def sech_squared(x: Array) -> Any:
    """1 / cosh²(x), as 4 e / (1 + e)² with e = exp(-2|x|)."""
    e = np.exp(-2 * np.abs(x))
    return 4 * e / (1 + e) ** 2


def sigmoid(x: Array) -> Any:
    """1 / (1 + exp(-x)); above and below the bar divided by what would overflow."""
    return np.exp(np.minimum(x, 0.0)) / (1 + np.exp(-np.abs(x)))


def sigmoid_derivative(x: Array) -> Any:
    """σ(x) σ(-x)."""
    e = np.exp(-np.abs(x))
    return e / (1 + e) ** 2


def sigmoid_second_derivative(x: Array) -> Any:
    """σ'(x) (σ(-x) - σ(x)), the difference being -tanh(x/2)."""
    return -sigmoid_derivative(x) * np.tanh(x / 2)


def sigmoid_third_derivative(x: Array) -> Any:
    """σ'(x) (3 t² - 1) / 2, t = tanh(x/2)."""
    return sigmoid_derivative(x) * (3 * np.tanh(x / 2) ** 2 - 1) / 2


def log_sigmoid(x: Array) -> Any:
    """-log(1 + exp(-x))."""
    return -softplus(-x)


def log_sigmoid_derivative(x: Array) -> Any:
    """σ(-x)."""
    return sigmoid(-x)


def log_sigmoid_second_derivative(x: Array) -> Any:
    """-σ(x) σ(-x)."""
    return -sigmoid_derivative(x)


def log_sigmoid_third_derivative(x: Array) -> Any:
    """-σ''(x)."""
    return -sigmoid_second_derivative(x)


def tanh(x: Array) -> Any:
    """Hyperbolic tangent."""
    return np.tanh(x)


def tanh_derivative(x: Array) -> Any:
    """1 / cosh²(x)."""
    return sech_squared(x)


def tanh_second_derivative(x: Array) -> Any:
    """-2 tanh(x) / cosh²(x)."""
    return -2 * np.tanh(x) * sech_squared(x)


def tanh_third_derivative(x: Array) -> Any:
    """(6 tanh²(x) - 2) / cosh²(x)."""
    return (6 * np.tanh(x) ** 2 - 2) * sech_squared(x)


def softplus(x: Array) -> Any:
    """log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def softplus_derivative(x: Array) -> Any:
    """σ(x)."""
    return sigmoid(x)


def softplus_second_derivative(x: Array) -> Any:
    """σ(x) σ(-x)."""
    return sigmoid_derivative(x)


def softplus_third_derivative(x: Array) -> Any:
    """σ''(x)."""
    return sigmoid_second_derivative(x)


def elu(x: Array, alpha: float = 1.0) -> Any:
    """x for x >= 0, else α (exp(x) - 1)."""
    return choose(x, x >= 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def elu_derivative(x: Array, alpha: float = 1.0) -> Any:
    """1 for x >= 0, else α exp(x)."""
    return choose(x, x >= 0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))


def elu_second_derivative(x: Array, alpha: float = 1.0) -> Any:
    """0 for x >= 0, else α exp(x)."""
    return choose(x, x >= 0, 0.0, alpha * np.exp(np.minimum(x, 0.0)))


def elu_third_derivative(x: Array, alpha: float = 1.0) -> Any:
    """0 for x >= 0, else α exp(x)."""
    return elu_second_derivative(x, alpha)


SELU_LAMBDA, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def selu(x: Array, lambda_: float = SELU_LAMBDA, alpha: float = SELU_ALPHA) -> Any:
    """λ ELU(x, α)."""
    return lambda_ * elu(x, alpha)


def selu_derivative(x: Array, lambda_: float = SELU_LAMBDA, alpha: float = SELU_ALPHA) -> Any:
    """λ ELU'(x, α); λ at 0."""
    return lambda_ * elu_derivative(x, alpha)


def selu_second_derivative(
    x: Array, lambda_: float = SELU_LAMBDA, alpha: float = SELU_ALPHA
) -> Any:
    """λ ELU''(x, α)."""
    return lambda_ * elu_second_derivative(x, alpha)


def selu_third_derivative(x: Array, lambda_: float = SELU_LAMBDA, alpha: float = SELU_ALPHA) -> Any:
    """λ ELU'''(x, α)."""
    return lambda_ * elu_third_derivative(x, alpha)


def celu(x: Array, alpha: float = 1.0) -> Any:
    """x for x >= 0, else α (exp(x/α) - 1)."""
    return choose(x, x >= 0, x, alpha * np.expm1(np.minimum(x, 0.0) / alpha))


def celu_derivative(x: Array, alpha: float = 1.0) -> Any:
    """1 for x >= 0, else exp(x/α)."""
    return choose(x, x >= 0, 1.0, np.exp(np.minimum(x, 0.0) / alpha))


def celu_second_derivative(x: Array, alpha: float = 1.0) -> Any:
    """0 for x >= 0, else exp(x/α) / α."""
    return choose(x, x >= 0, 0.0, np.exp(np.minimum(x, 0.0) / alpha) / alpha)


def celu_third_derivative(x: Array, alpha: float = 1.0) -> Any:
    """0 for x >= 0, else exp(x/α) / α²."""
    return choose(x, x >= 0, 0.0, np.exp(np.minimum(x, 0.0) / alpha) / alpha / alpha)


def swish(x: Array, beta: float = 1.0) -> Any:
    """x σ(β x); where that is -∞ · 0, its limit."""
    return np.where(np.isinf(x) & (beta * x < 0), -0.0 * np.sign(beta), x * sigmoid(beta * x))


def swish_derivative(x: Array, beta: float = 1.0) -> Any:
    """σ(z) + z σ'(z), z = β x."""
    z = beta * x
    return sigmoid(z) + bounded(z) * sigmoid_derivative(z)


def swish_second_derivative(x: Array, beta: float = 1.0) -> Any:
    """β σ'(z) (2 - z tanh(z/2)), z = β x."""
    z = beta * x
    return beta * sigmoid_derivative(z) * (2 - bounded(z) * np.tanh(z / 2))


def swish_third_derivative(x: Array, beta: float = 1.0) -> Any:
    """β² σ'(z) (z (3 t² - 1) / 2 - 3 t), z = β x, t = tanh(z/2)."""
    z = beta * x
    t = np.tanh(z / 2)
    return beta**2 * sigmoid_derivative(z) * (bounded(z) * (3 * t**2 - 1) / 2 - 3 * t)


def exponential(x: Array) -> Any:
    """exp(x)."""
    return np.exp(x)


def exponential_derivative(x: Array) -> Any:
    """exp(x)."""
    return np.exp(x)


def exponential_second_derivative(x: Array) -> Any:
    """exp(x)."""
    return np.exp(x)


def exponential_third_derivative(x: Array) -> Any:
    """exp(x)."""
    return np.exp(x)


def glu(a: Array, b: Array) -> Any:
    """a σ(b)."""
    return a * sigmoid(b)


def glu_by_value(a: Array, b: Array) -> Any:
    """σ(b), the derivative by a."""
    return sigmoid(b) + 0 * bounded(a)


def glu_by_gate(a: Array, b: Array) -> Any:
    """a σ(b) σ(-b), the derivative by b."""
    return a * sigmoid_derivative(b)
