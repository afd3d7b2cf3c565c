"""What trainings of an estimator share, and those by L-BFGS."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._core.arrays import Array
from ..callbacks import Callback, Run, as_callbacks
from ..training.lbfgs import NotFiniteError, Options
from . import lbfgs
from .compat import ConvergenceWarning
from .minibatches import EstimatorNetwork

__all__ = [
    "NOT_FINITE",
    "Data",
    "Given",
    "Task",
    "loss_of_validation",
    "minimize",
    "set_penalty",
]

_TOLERANCE = 1e7 * float(np.finfo(np.float64).eps)  # of L-BFGS, as in scikit-learn

NOT_FINITE = (
    "Solver produced non-finite parameter weights. The input data may contain large values and "
    "need to be preprocessed."
)


class Data(NamedTuple):
    """Samples (rows, features), targets (rows, columns), and weights (rows,) or None."""

    X: Array
    y: Any
    weights: Array | None = None

    @property
    def weight(self) -> float:
        """The sum of the weights."""
        return float(len(self.X) if self.weights is None else self.weights.sum(dtype=np.float64))

    def rows(self, chosen: Any) -> Data:
        """Copies of these rows."""
        weights = None if self.weights is None else self.weights[chosen]
        return Data(self.X[chosen], self.y[chosen], weights)

    @property
    def relative(self) -> Array | None:
        """Weights whose mean is one, so that a mean over the samples is that by the weights."""
        return None if self.weights is None else self.weights * (len(self.X) / self.weight)


class Given(NamedTuple):
    """What a training is given, checked: the same for all networks of an ensemble.

    incremental: one epoch of `partial_fit`.
    """

    data: Data
    validation: Data | None
    incremental: bool


class Task(NamedTuple):
    """What is to be trained, on what.

    outputs: over which the reported loss is a mean.
    """

    estimator: Any
    network: EstimatorNetwork
    given: Given
    outputs: int
    random: Any

    @property
    def data(self) -> Data:
        """The samples."""
        return self.given.data

    @property
    def validation(self) -> Data | None:
        """Samples to judge by, if there are any."""
        return self.given.validation


def set_penalty(network: EstimatorNetwork, estimator: Any, weight: float) -> None:
    """Of all samples together: alpha Σ w² / 2, divided by the sum of their weights."""
    if not weight:
        raise ValueError("Sample weights must contain at least one non-zero number.")
    l2 = float(estimator.alpha) / weight
    for layer in network.layers:
        if layer.l2 != l2:
            layer.l2 = l2


def minimize(task: Task) -> None:
    """Train by L-BFGS."""
    estimator, network = task.estimator, task.network
    data, judged = task.data, task.validation
    set_penalty(network, estimator, data.weight)
    validation_loss = loss_of_validation(task)
    hooks = as_callbacks(estimator.callbacks)
    if judged is not None or estimator.verbose:
        hooks.insert(0, _Iterations(estimator, validation_loss))
    try:
        minimum, cost, ended = lbfgs.minimize(
            network, data.X, estimator._encoded(data.y), data.relative, hooks,
            judged and (judged.X, estimator._encoded(judged.y), judged.relative),
            estimator.max_iter,
            Options(10, _TOLERANCE, estimator.tol, estimator.max_fun),
        )  # fmt: skip
    except NotFiniteError as error:
        raise ValueError(f"{NOT_FINITE} {error}") from error
    estimator.n_iter_ = minimum.costs.size - 1
    if not (minimum.converged or ended):
        warnings.warn(
            f"lbfgs failed to converge after {estimator.n_iter_} iterations: {minimum.reason}. "
            "Increase max_iter or max_fun, or scale the data.",
            ConvergenceWarning,
            stacklevel=2,
        )
    penalty, offset = _penalty(network), _mean_offset(estimator, data)
    estimator.loss_ = (cost - penalty) / task.outputs + penalty + offset


class _Iterations(Callback):
    """Tells of each iteration of L-BFGS."""

    def __init__(self, estimator: Any, validation_loss: Callable[[float], float] | None) -> None:
        self._estimator, self._validation_loss = estimator, validation_loss
        if validation_loss is not None:
            estimator.validation_loss_curve_ = []

    def on_epoch(self, run: Run) -> None:
        """Print the cost, and write down the validation loss."""
        if self._estimator.verbose:
            print(f"Iteration {run.epoch}, cost = {run.cost:.8f}")
        if self._validation_loss is not None and run.validation_cost is not None:
            loss = self._validation_loss(run.validation_cost)
            self._estimator.validation_loss_curve_.append(loss)


def _penalty(network: EstimatorNetwork) -> float:
    return float(sum(layer.penalty() for layer in network.layers))


def loss_of_validation(task: Task) -> Callable[[float], float] | None:
    """What makes a loss of the validation cost, if there are samples to judge by."""
    if task.validation is None:
        return None
    offset = _mean_offset(task.estimator, task.validation)
    return lambda cost: (cost - _penalty(task.network)) / task.outputs + offset


def _mean_offset(estimator: Any, data: Data) -> float:
    offsets = estimator._offsets(data.y)
    return 0.0 if offsets is None else float(np.average(offsets, weights=data.weights))
