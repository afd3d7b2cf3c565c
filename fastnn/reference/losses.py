"""Costs from the textbook: activation of the output, value, gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .activations.exponential import log_sigmoid, sigmoid
from .activations.softmax import log_softmax, softmax

Array = npt.NDArray[np.float64]


class Cost(NamedTuple):
    """A cost of logits and targets, summed over all samples."""

    activate: Callable[[Array], Array]
    value: Callable[[Array, Array], float]
    delta: Callable[[Array, Array], Array]


def _sigmoid_entropy(a: Array, t: Array) -> float:
    return float(-np.sum(t * log_sigmoid(a) + (1.0 - t) * log_sigmoid(-a)))


COSTS: dict[str, Cost] = {
    "SumSquaresError": Cost(
        lambda a: a, lambda a, t: float(0.5 * np.sum((a - t) ** 2)), lambda a, t: a - t
    ),
    "SigmoidCrossEntropy": Cost(sigmoid, _sigmoid_entropy, lambda a, t: sigmoid(a) - t),
    "SoftmaxCrossEntropy": Cost(
        softmax,
        lambda a, t: float(-np.sum(t * log_softmax(a))),
        lambda a, t: softmax(a) - t,
    ),
}
