"""Trainings of an estimator: by steps, or by L-BFGS."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .._core.arrays import Array
from ..callbacks import Callback, Run, as_callbacks
from ..history import History
from ..training.lbfgs import NotFiniteError, Options
from . import lbfgs, settings
from .compat import ConvergenceWarning, train_test_split
from .minibatches import EstimatorNetwork, Minibatches
from .watch import Watch

__all__ = ["Data", "Task", "descend", "minimize"]

_TOLERANCE = 1e7 * float(np.finfo(np.float64).eps)  # of L-BFGS, as in scikit-learn

_NOT_FINITE = (
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

    @property
    def relative(self) -> Array | None:
        """Weights whose mean is one, so that a mean over the samples is that by the weights."""
        return None if self.weights is None else self.weights * (len(self.X) / self.weight)


class Task(NamedTuple):
    """What is to be trained, on what.

    outputs: over which the reported loss is a mean; incremental: one epoch of `partial_fit`.
    """

    estimator: Any
    data: Data
    validation: Data | None
    outputs: int
    random: Any
    incremental: bool


def _set_penalty(network: EstimatorNetwork, estimator: Any, data: Data) -> None:
    """Of all samples together: alpha Σ w² / 2, divided by their weights."""
    if not data.weight:
        raise ValueError("Sample weights must contain at least one non-zero number.")
    l2 = float(estimator.alpha) / data.weight
    for layer in network.layers:
        if layer.l2 != l2:
            layer.l2 = l2


def minimize(task: Task, network: EstimatorNetwork) -> None:
    """Train by L-BFGS."""
    estimator, data, judged = task.estimator, task.data, task.validation
    _set_penalty(network, estimator, data)
    validation_loss = _judges(task, network, None)[1]
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
        raise ValueError(f"{_NOT_FINITE} {error}") from error
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


def _mean_offset(estimator: Any, data: Data) -> float:
    offsets = estimator._offsets(data.y)
    return 0.0 if offsets is None else float(np.average(offsets, weights=data.weights))


def descend(task: Task, network: EstimatorNetwork) -> None:
    """Train by steps, for `max_iter` epochs at most."""
    estimator, random = task.estimator, task.random
    if estimator.early_stopping and task.incremental:
        raise ValueError("partial_fit does not support early_stopping=True")
    train, held = _split(task)
    _set_penalty(network, estimator, train)
    _begin(estimator, network, task)
    watch = Watch(estimator, len(train.X), *_judges(task, network, held))
    network.minibatches = Minibatches(
        random=random if estimator.shuffle else None,
        outputs=task.outputs,
        offsets=estimator._offsets(train.y),
        **estimator._of_solver,
    )
    judged = task.validation
    history = None
    try:
        history = network.fit(
            train.X,
            estimator._encoded(train.y),
            optimizer=estimator._optimizer,
            epochs=1 if task.incremental else estimator.max_iter,
            batch_size=_batch_size(estimator, len(train.X)),
            shuffle=False,  # the trainer draws the order
            validation_data=judged and (judged.X, estimator._encoded(judged.y), judged.relative),
            sample_weight=train.relative,
            callbacks=[watch, *as_callbacks(estimator.callbacks)],
            rng=random,
            n_threads=estimator.n_threads,
        )
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=2)
    _finish(task, network, watch, history)


def _begin(estimator: Any, network: EstimatorNetwork, task: Task) -> None:
    """Set what a training by steps goes on from."""
    estimator.n_iter_ = 0
    vars(estimator).setdefault("loss_curve_", [])
    if estimator.early_stopping and getattr(estimator, "validation_scores_", None) is None:
        estimator.validation_scores_, estimator.best_validation_score_ = [], -np.inf
        estimator._best_parameters = np.array(network.parameters)
    if not estimator.early_stopping:
        estimator.validation_scores_ = estimator.best_validation_score_ = None
    if getattr(estimator, "best_loss_", None) is None or estimator.early_stopping:
        estimator.best_loss_ = None if estimator.early_stopping else np.inf
    if task.validation is not None:
        vars(estimator).setdefault("validation_loss_curve_", [])
    _align(estimator)
    if not task.incremental or not hasattr(estimator, "_optimizer"):
        estimator._optimizer, estimator._of_solver = settings.make_optimizer(estimator)
    try:
        estimator._optimizer.serve(network.layers)
    except ValueError:  # those of a network that was made of other parameters
        estimator._optimizer = copy.deepcopy(estimator._optimizer)


def _align(estimator: Any) -> None:
    """Give the losses of validation data a NaN for each epoch that had none."""
    curve = vars(estimator).get("validation_loss_curve_")
    if curve is not None:
        curve += [float("nan")] * (len(estimator.loss_curve_) - len(curve))


def _judges(task: Task, network: EstimatorNetwork, held: Data | None) -> tuple[Any, Any]:
    """What gives the score of early stopping, and what makes a loss of the validation cost."""
    estimator, judged = task.estimator, task.validation

    def score() -> float:
        assert held is not None
        outputs = network.predict(held.X)
        if not np.isfinite(outputs).all() or not held.weight:
            return float("nan")
        return float(estimator._score_of(outputs, held))

    offset = 0.0 if judged is None else _mean_offset(estimator, judged)

    def loss(cost: float) -> float:
        return (cost - _penalty(network)) / task.outputs + offset

    return (None if held is None else score), (None if judged is None else loss)


def _batch_size(estimator: Any, rows: int) -> int:
    if estimator.batch_size == "auto":
        return min(200, rows)
    if estimator.batch_size > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=2,
        )
    return int(min(estimator.batch_size, rows))


def _split(task: Task) -> tuple[Data, Data | None]:
    """The samples to train on, and those that early stopping looks at."""
    estimator, data = task.estimator, task.data
    if not estimator.early_stopping:
        return data, None
    if task.validation is not None:
        return data, task.validation
    given = [array for array in data if array is not None]
    stratify = data.y if estimator._stratifies and data.y.shape[1] == 1 else None
    parts = train_test_split(
        *given, random_state=task.random, test_size=estimator.validation_fraction, stratify=stratify
    )
    train, held = Data(*parts[::2]), Data(*parts[1::2])
    if len(held.X) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return train, held


def _finish(task: Task, network: EstimatorNetwork, watch: Watch, history: History | None) -> None:
    """Tell how it ended; of early stopping, go back to the best parameters."""
    estimator = task.estimator
    if watch.error is not None and not estimator.early_stopping:
        raise ValueError(f"{_NOT_FINITE} {watch.error}") from watch.error
    if watch.error is not None:
        estimator.n_iter_ += 1
        estimator.loss_curve_.append(float("nan"))
        estimator.validation_scores_.append(float("nan"))
    _align(estimator)
    over = history is not None and history.stopped is None
    if over and not task.incremental:
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
            "optimization hasn't converged yet.",
            ConvergenceWarning,
            stacklevel=2,
        )
    if estimator.early_stopping:
        network.parameters = estimator._best_parameters
