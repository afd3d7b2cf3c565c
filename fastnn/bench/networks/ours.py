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
from .in_turn import InTurn
from .numba_peer import FedBack
from .tasks import Inference, Task, Training

__all__ = ["LOOP", "NAME", "competitor", "loops"]

NAME, LOOP = "fastnn", "loop of fit"
_COSTS = {
    "sigmoid": lambda: fastnn.SigmoidCrossEntropy(),
    "softmax": lambda: fastnn.SoftmaxCrossEntropy(reduction="mean"),
    "squares": lambda: fastnn.SumSquaresError(reduction="mean"),
}


def competitor(task: Task, n_threads: int | None = None) -> Competitor:
    """Trainings run on so many threads; None: the library's own choice."""
    if isinstance(task, Training):
        return _Trainer(task, n_threads) if task.networks == 1 else _Many(task, n_threads)
    return _inside_njit(task) if task.inside_njit else _prediction(task)


def loops(task: Task) -> list[Competitor]:
    """Many networks as they are trained without `fit_many`."""
    if not isinstance(task, Training) or task.networks == 1:
        return []
    return [InTurn(LOOP, [_Trainer(task, 1, number) for number in range(task.networks)])]


def _network(task: Task, cost, number: int = 0) -> fastnn.NeuralNetwork:
    *hidden, last = pairwise(task.sizes)
    more: dict[str, Any] = {"dropout": task.dropout} if isinstance(task, Training) else {}
    layers = [
        fastnn.DenseLayer(*shape, activation=task.activation, dtype=task.dtype, rng=0, **more)
        for shape in hidden
    ]
    layers.append(fastnn.DenseLayer(*last, dtype=task.dtype, rng=0))
    network = fastnn.NeuralNetwork(layers, cost)
    network.parameters = data.flat(data.weights(task, number))
    return network


def _optimizer(task: Training) -> fastnn.Optimizer:
    """A new one, which has no moments; Adam in the peers' form: the article's has eps inside."""
    more: dict[str, Any] = {"eps_placement": "outside"}
    more |= {"weight_decay": task.weight_decay} if task.weight_decay else {}
    return fastnn.get_opt(task.optimizer, alpha=task.learning_rate, **more)


class _Trainer:
    def __init__(self, task: Training, n_threads: int | None, number: int = 0) -> None:
        self.name, self.steps, self._n_threads = NAME, task.steps, n_threads
        self._task = task
        self._network = _network(task, _COSTS[task.cost](), number)
        self._initial = data.flat(data.weights(task, number))
        self._x, self._t = data.samples(task), data.targets(task)

    def start(self) -> None:
        task, network = self._task, self._network
        network.parameters = self._initial
        if task.optimizer == "SGD":
            self._fit = partial(network.fit, self._x, self._t, task.learning_rate)
            return
        self._fit = partial(network.fit, self._x, self._t, optimizer=_optimizer(task))

    def run(self) -> None:
        task = self._task
        self._fit(
            epochs=task.epochs, batch_size=task.batch, shuffle=False, n_threads=self._n_threads
        )

    def result(self) -> np.ndarray:
        return self._network.parameters


class _Many:
    def __init__(self, task: Training, n_threads: int | None) -> None:
        self.name, self.steps, self._n_threads = NAME, task.steps * task.networks, n_threads
        self._task, self._initial = task, data.flat_of_all(task)
        self._networks = [_network(task, _COSTS[task.cost]()) for _ in self._initial]
        self._x, self._t = data.samples(task), data.targets(task)

    def start(self) -> None:
        for network, theta in zip(self._networks, self._initial, strict=True):
            network.parameters = theta
        self._optimizers = [_optimizer(self._task) for _ in self._networks]

    def run(self) -> None:
        task = self._task
        fastnn.fit_many(
            self._networks, self._x, self._t, optimizer=self._optimizers, epochs=task.epochs,
            batch_size=task.batch, shuffle=False, n_threads=self._n_threads,
        )  # fmt: skip

    def result(self) -> np.ndarray:
        return np.stack([network.parameters for network in self._networks])


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
