"""Predictions inside compiled code as a user of Numba would write them himself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from ..timing import Competitor
from . import data
from .tasks import Inference, Task

__all__ = ["FedBack", "competitors"]


def competitors(task: Task) -> list[Competitor]:
    """Loops and products, for predictions inside compiled code."""
    if not isinstance(task, Inference) or not task.inside_njit:
        return []
    weights = tuple(part for pair in data.weights(task) for part in pair)
    hidden = tuple(np.empty(m, task.dtype) for m in task.sizes[1:-1])
    loops: Any = _loops
    products: Any = _products
    return [
        FedBack("Numba loops", task, lambda x, y, n: loops(x, y, *hidden, *weights, n)),
        FedBack("Numba np.dot", task, lambda x, y, n: products(x, y, *weights, n)),
    ]


class FedBack:
    """Predictions in one compiled call, the first input of each being an output of the one before.

    Without that the compiler could see that all are the same.

    Parameters
    ----------
    name : str
    task : Inference
        Of one sample.
    predict : callable
        Of input and output, both vectors, and the number of predictions.

    """

    steps = 100_000

    def __init__(self, name: str, task: Inference, predict) -> None:
        self.name = name
        self._task, self._predict = task, predict
        self._y = np.empty(task.sizes[-1], task.dtype)

    def start(self) -> None:
        """Begin again."""
        self._x = data.one_sample(self._task)

    def run(self) -> None:
        """All steps."""
        self._predict(self._x, self._y, self.steps)

    def result(self) -> np.ndarray:
        """What they arrived at."""
        self._predict(data.one_sample(self._task), self._y, 1)
        return self._y


@njit(nogil=True)
def _layer(x, w, b, y):
    for j in range(y.size):
        a = b[j]
        for i in range(x.size):
            a += x[i] * w[i, j]
        y[j] = a


@njit(nogil=True)
def _tanh(x):
    for i in range(x.size):
        x[i] = math.tanh(x[i])


@njit(nogil=True)
def _loops(x, y, h, g, w1, b1, w2, b2, w3, b3, n):
    for _ in range(n):
        _layer(x, w1, b1, h)
        _tanh(h)
        _layer(h, w2, b2, g)
        _tanh(g)
        _layer(g, w3, b3, y)
        x[0] = y[0]


@njit(nogil=True)
def _products(x, y, w1, b1, w2, b2, w3, b3, n):
    for _ in range(n):
        h = np.tanh(np.dot(x, w1) + b1)
        g = np.tanh(np.dot(h, w2) + b2)
        y[:] = np.dot(g, w3) + b3
        x[0] = y[0]
