"""Activations and their derivatives from the textbook, name by name of the table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

Array = npt.NDArray[np.float64]


def logistic(x: Array) -> Array:
    """1 / (1 + exp(-x)), as SciPy has it: no overflow on either side."""
    return np.asarray(expit(x))


def _swish(x: Array, beta: float) -> Array:
    return x * logistic(beta * x)


def _swish_derivative(x: Array, y: Array, beta: float) -> Array:
    return logistic(beta * x) + beta * x * logistic(beta * x) * logistic(-beta * x)


# name: (function of x, derivative of x and y = f(x)); the activation's parameters follow
ACTIVATIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "identity": (lambda x: x, lambda x, y: 1.0),
    "sigmoid": (logistic, lambda x, y: y * (1.0 - y)),
    "tanh": (np.tanh, lambda x, y: 1.0 - y**2),
    "ReLU": (lambda x: np.maximum(x, 0.0), lambda x, y: np.where(x > 0, 1.0, 0.0)),
    "softplus": (lambda x: np.logaddexp(x, 0.0), lambda x, y: logistic(x)),
    "Swish": (_swish, _swish_derivative),
}
