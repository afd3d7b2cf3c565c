"""Activations as everybody writes them with NumPy and SciPy, in a line, in the dtype of x."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from .cases import PARAMETERS, Case

__all__ = ["FORMULAS", "calls"]

Array = Any


def _where(condition: Array, x: Any, y: Any, out: Array) -> Array:
    """`np.where` into an array."""
    np.copyto(out, y)
    np.copyto(out, x, where=condition)
    return out


def _gated(x: Array, out: Array) -> Array:
    a, b = np.split(x, 2, axis=-1)
    return np.multiply(a, special.expit(b, out=out), out=out)


def _normal(x: Array, out: Array) -> Array:
    """x Φ(x)."""
    return np.multiply(x, 0.5 * (1 + special.erf(x * np.sqrt(x.dtype.type(0.5)))), out=out)


def _along_axis(x: Array, out: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.divide(e, e.sum(axis=-1, keepdims=True), out=out)


def _largest(x: Array, out: Array) -> Array:
    n, k, act = PARAMETERS["maxout"]["n"], PARAMETERS["maxout"]["k"], _maxout()
    return (x @ act.w + act.b).reshape(len(x), n, k).max(axis=-1, out=out)


def _maxout() -> Any:
    import fastnn

    return fastnn.get_act("maxout", **PARAMETERS["maxout"])


_ALPHA, _LAMBDA = 1.6732632423543772, 1.0507009873554805  # of SELU
_AT, _ELSE = PARAMETERS["threshold"].values()
_SLOPE = PARAMETERS["hard-sigmoid"]["slope"]
_GELU = (2 / np.pi) ** 0.5

FORMULAS: dict[str, Callable[[Array, Array], Array]] = {
    "step": lambda x, out: np.greater(x, 0, out=out),
    "identity": lambda x, out: np.positive(x, out=out),
    "bent-identity": lambda x, out: np.add((np.sqrt(x * x + 1) - 1) / 2, x, out=out),
    "hard-shrink": lambda x, out: np.multiply(x, np.abs(x) > 0.5, out=out),
    "soft-shrink": lambda x, out: np.subtract(x, np.clip(x, -0.5, 0.5), out=out),
    "threshold": lambda x, out: _where(x > _AT, x, _ELSE, out),
    "sigmoid": lambda x, out: special.expit(x, out=out),
    "hard-sigmoid": lambda x, out: np.clip(_SLOPE * x + 0.5, 0, 1, out=out),
    "log-sigmoid": lambda x, out: special.log_expit(x, out=out),
    "tanh": lambda x, out: np.tanh(x, out=out),
    "tanh-shrink": lambda x, out: np.subtract(x, np.tanh(x), out=out),
    "hard-tanh": lambda x, out: np.clip(x, -1, 1, out=out),
    "ReLU": lambda x, out: np.maximum(x, 0, out=out),
    "ReLU6": lambda x, out: np.clip(x, 0, 6, out=out),
    "leaky-ReLU": lambda x, out: np.maximum(x, 0.01 * x, out=out),
    "ELU": lambda x, out: _where(x < 0, np.expm1(np.minimum(x, 0)), x, out),
    "SELU": lambda x, out: np.multiply(
        _where(x < 0, _ALPHA * np.expm1(np.minimum(x, 0)), x, out), _LAMBDA, out=out
    ),
    "CELU": lambda x, out: _where(x < 0, np.expm1(np.minimum(x, 0)), x, out),
    "softmax": _along_axis,
    "softmin": lambda x, out: _along_axis(-x, out),
    "log-softmax": lambda x, out: np.subtract(
        x, special.logsumexp(x, axis=-1, keepdims=True), out=out
    ),
    "softplus": lambda x, out: np.logaddexp(x, 0, out=out),
    "softsign": lambda x, out: np.divide(x, 1 + np.abs(x), out=out),
    "Swish": lambda x, out: np.multiply(x, special.expit(x), out=out),
    "Mish": lambda x, out: np.multiply(x, np.tanh(np.logaddexp(x, 0)), out=out),
    "tanhExp": lambda x, out: np.multiply(x, np.tanh(np.exp(x)), out=out),
    "maxout": _largest,
    "GELU": _normal,
    "GELU-tanh": lambda x, out: np.multiply(
        x, 0.5 * (1 + np.tanh(_GELU * (x + 0.044715 * x * x * x))), out=out
    ),
    "hard-Swish": lambda x, out: np.multiply(x, np.clip(x + 3, 0, 6) / 6, out=out),
    "squareplus": lambda x, out: np.multiply(x + np.sqrt(x * x + 4), 0.5, out=out),
    "log-cosh": lambda x, out: np.subtract(
        np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))), np.log(2.0), out=out, casting="same_kind"
    ),
    "exponential": lambda x, out: np.exp(x, out=out),
    "sparse-plus": lambda x, out: np.where(
        x < 1, np.square(np.maximum(x + 1, 0, out=out)) / 4, x
    ),
    "sparse-sigmoid": lambda x, out: np.clip((x + 1) * 0.5, 0, 1, out=out),
    "PReLU": lambda x, out: _where(x < 0, 0.25 * x, x, out),
    "GLU": _gated,
}  # fmt: skip


def calls(case: Case) -> dict[str, Callable[[], Any]]:
    """The formula, if there is one; derivatives everybody leaves to a library."""
    if case.part not in ("forward", "call") or case.name not in FORMULAS:
        return {}
    x, out, formula = case.data.x, case.data.out, FORMULAS[case.name]
    return {"NumPy": lambda: formula(x, out)}
