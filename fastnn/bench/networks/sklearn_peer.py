"""scikit-learn: its multi-layer perceptron, by the public interface."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from ..timing import Competitor
from . import data
from .tasks import Task, Training

__all__ = ["MORE", "competitors"]

MORE = ()
"""Forms that a quick look leaves out."""

_ACTIVATIONS = {"tanh": "tanh", "ReLU": "relu"}
_SOLVERS = {"SGD": "sgd", "Adam": "adam"}


def competitors(task: Task) -> list[Competitor]:
    """Cross entropies with its own two activations and solvers; it knows no Swish, no AdamW."""
    if not isinstance(task, Training):
        return []
    known = (
        task.cost != "squares" and task.activation in _ACTIVATIONS and task.optimizer in _SOLVERS
    )
    return [_Trainer(task)] if known else []


class _Trainer:
    def __init__(self, task: Training) -> None:
        self.name, self.steps = "scikit-learn", task.steps
        self._task = task
        self._x, self._t = data.samples(task), data.labels(task)
        # Its cost is a mean: where ours is a sum, the learning rate makes up for it.
        rate = task.learning_rate * (task.batch if task.summed else 1)
        self._model = MLPClassifier(
            task.sizes[1:-1],
            activation=_ACTIVATIONS[task.activation],
            solver=_SOLVERS[task.optimizer],
            alpha=0.0,
            batch_size=task.batch,
            learning_rate_init=rate,
            max_iter=1,
            shuffle=False,
            tol=0.0,
            warm_start=True,  # keeps the weights set in `start`; the solver is new with every fit
            momentum=0.0,
            nesterovs_momentum=False,
            n_iter_no_change=np.iinfo(np.int32).max,
        )
        self._fit()  # so that there are weights to set

    def _fit(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model.fit(self._x, self._t)

    def start(self) -> None:
        self._model.max_iter = self._task.epochs
        weights = data.weights(self._task)
        self._model.coefs_ = [w for w, _ in weights]
        self._model.intercepts_ = [b for _, b in weights]

    def run(self) -> None:
        self._fit()

    def result(self) -> np.ndarray:
        return data.flat(list(zip(self._model.coefs_, self._model.intercepts_, strict=True)))
