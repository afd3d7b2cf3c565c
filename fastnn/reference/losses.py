"""Costs from the textbook: activation of the output, value, gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .activations import logistic

Array = npt.NDArray[np.float64]


class Cost(NamedTuple):
    """A cost of logits and targets, summed over all samples."""

    activate: Callable[[Array], Array]
    value: Callable[[Array, Array], float]
    delta: Callable[[Array, Array], Array]


def _log_logistic(x: Array) -> Array:
    return -np.logaddexp(0.0, -x)


def _sigmoid_entropy(a: Array, t: Array) -> float:
    return float(-np.sum(t * _log_logistic(a) + (1.0 - t) * _log_logistic(-a)))


def _log_softmax(a: Array) -> Array:
    shifted = a - a.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def _softmax(a: Array) -> Array:
    return np.exp(_log_softmax(a))


COSTS: dict[str, Cost] = {
    "SumSquaresError": Cost(
        lambda a: a, lambda a, t: float(0.5 * np.sum((a - t) ** 2)), lambda a, t: a - t
    ),
    "SigmoidCrossEntropy": Cost(logistic, _sigmoid_entropy, lambda a, t: logistic(a) - t),
    "SoftmaxCrossEntropy": Cost(
        _softmax,
        lambda a, t: float(-np.sum(t * _log_softmax(a))),
        lambda a, t: _softmax(a) - t,
    ),
}
