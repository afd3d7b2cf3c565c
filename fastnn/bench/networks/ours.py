"""fastnn."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numba import njit

import fastnn

from ... import kernels
from ..timing import Calls, Competitor
from . import data
from .numba_peer import FedBack
from .tasks import Inference, Task, Training

__all__ = ["NAME", "competitor"]

NAME = "fastnn"
_COSTS = {
    "sigmoid": lambda: fastnn.SigmoidCrossEntropy(),
    "softmax": lambda: fastnn.SoftmaxCrossEntropy(reduction="mean"),
    "squares": lambda: fastnn.SumSquaresError(reduction="mean"),
}


def competitor(task: Task, n_threads: int | None = None) -> Competitor:
    """Trainings run on so many threads; None: the library's own choice."""
    if isinstance(task, Training):
        return _Trainer(task, n_threads)
    return _inside_njit(task) if task.inside_njit else _prediction(task)


def _network(task: Task, cost) -> fastnn.NeuralNetwork:
    *hidden, last = pairwise(task.sizes)
    more: dict[str, Any] = {"dropout": task.dropout} if isinstance(task, Training) else {}
    layers = [
        fastnn.DenseLayer(*shape, activation=task.activation, dtype=task.dtype, rng=0, **more)
        for shape in hidden
    ]
    layers.append(fastnn.DenseLayer(*last, dtype=task.dtype, rng=0))
    network = fastnn.NeuralNetwork(layers, cost)
    network.parameters = data.flat(data.weights(task))
    return network


class _Trainer:
    def __init__(self, task: Training, n_threads: int | None) -> None:
        self.name, self.steps, self._n_threads = NAME, task.steps, n_threads
        self._task = task
        self._network = _network(task, _COSTS[task.cost]())
        self._initial = data.flat(data.weights(task))
        self._x, self._t = data.samples(task), data.targets(task)

    def start(self) -> None:
        task, network = self._task, self._network
        network.parameters = self._initial
        if task.optimizer == "SGD":
            self._fit = partial(network.fit, self._x, self._t, task.learning_rate)
            return
        # The peers' form of Adam; the article's has eps inside the root.
        more: dict[str, Any] = {"eps_placement": "outside"}
        more |= {"weight_decay": task.weight_decay} if task.weight_decay else {}
        # A new one every time: it would remember the moments of the run before.
        optimizer = fastnn.get_opt(task.optimizer, alpha=task.learning_rate, **more)
        self._fit = partial(network.fit, self._x, self._t, optimizer=optimizer)

    def run(self) -> None:
        task = self._task
        self._fit(
            epochs=task.epochs, batch_size=task.batch, shuffle=False, n_threads=self._n_threads
        )

    def result(self) -> np.ndarray:
        return self._network.parameters


def _prediction(task: Inference) -> Competitor:
    # SumSquaresError leaves the outputs of the last layer as they are.
    network = _network(task, fastnn.SumSquaresError())
    x = data.one_sample(task) if task.batch == 1 else data.samples(task)
    y = np.empty((*x.shape[:-1], task.sizes[-1]), task.dtype)

    def call():
        network.predict(x, out=y)
        return y

    return Calls(NAME, call)


def _inside_njit(task: Inference) -> Competitor:
    model = _network(task, fastnn.SumSquaresError()).compiled()
    workspace = np.empty(kernels.workspace_size(model, 1), task.dtype)
    return FedBack(NAME, task, lambda x, y, n: _predictions(model, x, y, workspace, n))


@njit(nogil=True)
def _predictions(model, x, y, workspace, n):
    for _ in range(n):
        kernels.predict(model, x, y, workspace)
        x[0] = y[0]
