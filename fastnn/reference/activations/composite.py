"""Functions of functions of an exponential, and of the error function."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erfc

from .exponential import bounded, sech_squared, sigmoid, sigmoid_derivative, softplus

Array = npt.NDArray[np.float64]


def _times(x: Array, factor: Any) -> Any:
    """x times a factor in [0, 1] that vanishes faster than x grows."""
    return np.where(np.isneginf(x), -0.0, x * factor)


# coefficients of x³, x⁵, … in x - tanh(x)
_TANH_SHRINK = (
    1 / 3,
    -2 / 15,
    17 / 315,
    -62 / 2835,
    1382 / 155925,
    -21844 / 6081075,
    929569 / 638512875,
)


def tanh_shrink(x: Array) -> Any:
    """x - tanh(x), near 0 by its Taylor series."""
    near = np.clip(x, -0.15, 0.15)
    square = near**2
    series = near * square * np.polyval(_TANH_SHRINK[::-1], square)
    return np.where(np.abs(x) < 0.15, series, x - np.tanh(x))


def tanh_shrink_derivative(x: Array) -> Any:
    """tanh²(x)."""
    return np.tanh(x) ** 2


def tanh_shrink_second_derivative(x: Array) -> Any:
    """2 tanh(x) / cosh²(x)."""
    return 2 * np.tanh(x) * sech_squared(x)


def tanh_shrink_third_derivative(x: Array) -> Any:
    """(2 - 6 tanh²(x)) / cosh²(x)."""
    return (2 - 6 * np.tanh(x) ** 2) * sech_squared(x)


def log_cosh(x: Array) -> Any:
    """log(cosh(x)) = |x| - log(2) + log(1 + exp(-2|x|)), near 0 log(1 + 2 sinh²(x/2))."""
    size = np.abs(x)
    near = np.log1p(2 * np.sinh(np.minimum(size, 1.0) / 2) ** 2)
    return np.where(size < 1, near, size - np.log(2.0) + np.log1p(np.exp(-2 * size)))


def log_cosh_derivative(x: Array) -> Any:
    """tanh(x)."""
    return np.tanh(x)


def log_cosh_second_derivative(x: Array) -> Any:
    """1 / cosh²(x)."""
    return sech_squared(x)


def log_cosh_third_derivative(x: Array) -> Any:
    """-2 tanh(x) / cosh²(x)."""
    return -2 * np.tanh(x) * sech_squared(x)


def mish(x: Array) -> Any:
    """x tanh(s), s = softplus(x)."""
    return _times(x, np.tanh(softplus(x)))


def mish_derivative(x: Array) -> Any:
    """tanh(s) + x σ(x) / cosh²(s)."""
    s = softplus(x)
    return np.tanh(s) + bounded(x) * sigmoid(x) * sech_squared(s)


def mish_second_derivative(x: Array) -> Any:
    """σ(x) / cosh²(s) (2 + x (σ(-x) - 2 tanh(s) σ(x)))."""
    s, p = softplus(x), sigmoid(x)
    bracket = 2 + bounded(x) * (sigmoid(-x) - 2 * np.tanh(s) * p)
    return p * sech_squared(s) * bracket


def mish_third_derivative(x: Array) -> Any:
    """σ(x) S (3 g + x (g² + g')), S = 1 / cosh²(s), g = σ(-x) - 2 tanh(s) σ(x)."""
    s, p, q = softplus(x), sigmoid(x), sigmoid(-x)
    square, t = sech_squared(s), np.tanh(s)
    g = q - 2 * t * p
    slope = -p * (q + 2 * square * p + 2 * t * q)
    return p * square * (3 * g + bounded(x) * (g**2 + slope))


def _exp(x: Array) -> Any:
    """exp(x) for `tanh_exp`, which is x to a millionfold precision before the cut."""
    return np.exp(np.minimum(x, 30.0))


def tanh_exp(x: Array) -> Any:
    """x tanh(e), e = exp(x)."""
    return _times(x, np.tanh(_exp(x)))


def tanh_exp_derivative(x: Array) -> Any:
    """tanh(e) + x e / cosh²(e)."""
    e = _exp(x)
    return np.tanh(e) + bounded(x) * e * sech_squared(e)


def tanh_exp_second_derivative(x: Array) -> Any:
    """e / cosh²(e) (2 + x (1 - 2 e tanh(e)))."""
    e = _exp(x)
    return e * sech_squared(e) * (2 + bounded(x) * (1 - 2 * e * np.tanh(e)))


def tanh_exp_third_derivative(x: Array) -> Any:
    """e S (3 w + x (w² - 2 e tanh(e) - 2 e² S)), S = 1 / cosh²(e), w = 1 - 2 e tanh(e)."""
    e = _exp(x)
    square, double = sech_squared(e), 2 * e * np.tanh(e)
    w = 1 - double
    return e * square * (3 * w + bounded(x) * (w**2 - double - 2 * e**2 * square))


def _normal_density(x: Array) -> Any:
    """exp(-x²/2) / sqrt(2π)."""
    return np.exp(-0.5 * bounded(x) ** 2) / np.sqrt(2 * np.pi)


def _normal_cdf(x: Array) -> Any:
    """Share of the standard normal distribution below x."""
    return 0.5 * erfc(-x / np.sqrt(2.0))


def gelu(x: Array) -> Any:
    """x Φ(x), with Φ and φ the normal distribution and its density."""
    return _times(x, _normal_cdf(x))


def gelu_derivative(x: Array) -> Any:
    """Φ(x) + x φ(x)."""
    return _normal_cdf(x) + bounded(x) * _normal_density(x)


def gelu_second_derivative(x: Array) -> Any:
    """φ(x) (2 - x²)."""
    return _normal_density(x) * (2 - bounded(x) ** 2)


def gelu_third_derivative(x: Array) -> Any:
    """φ(x) x (x² - 4)."""
    x = bounded(x)
    return _normal_density(x) * x * (x**2 - 4)


_SCALE, _CUBIC = np.sqrt(2 / np.pi), 0.044715


def _twice_u(x: Array) -> Any:
    """2 u and its two derivatives, u = sqrt(2/π) (x + 0.044715 x³)."""
    x = bounded(x)
    square = _CUBIC * x * x
    return (
        2 * _SCALE * x * (1 + square),
        2 * _SCALE * (1 + 3 * square),
        12 * _SCALE * _CUBIC * x,
    )


def gelu_tanh(x: Array) -> Any:
    """x (1 + tanh(u)) / 2 = x σ(2 u), u = sqrt(2/π) (x + 0.044715 x³)."""
    return _times(x, sigmoid(_twice_u(x)[0]))


def gelu_tanh_derivative(x: Array) -> Any:
    """σ(w) + x w' σ'(w), w = 2 u."""
    w, dw, _ = _twice_u(x)
    return sigmoid(w) + bounded(x) * dw * sigmoid_derivative(w)


def gelu_tanh_second_derivative(x: Array) -> Any:
    """σ'(w) (2 w' + x w'' - x w'² tanh(w/2)), w = 2 u."""
    w, dw, ddw = _twice_u(x)
    x = bounded(x)
    return sigmoid_derivative(w) * (2 * dw + x * ddw - x * dw**2 * np.tanh(w / 2))


def gelu_tanh_third_derivative(x: Array) -> Any:
    """σ'(w) (4 w'' - 3 t w' (w' + x w'') + x w'³ (3 t² - 1) / 2), w = 2 u, t = tanh(w/2)."""
    w, dw, ddw = _twice_u(x)
    x, t = bounded(x), np.tanh(w / 2)
    bracket = 4 * ddw - 3 * t * dw * (dw + x * ddw) + x * dw**3 * (3 * t**2 - 1) / 2
    return sigmoid_derivative(w) * bracket
