"""Trainings by steps: of one network, or of all that an ensemble has, several at once."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from ..callbacks import EarlyStopping, TerminateOnNaN, as_callbacks
from ..history import History
from ..training.many import fit_many
from . import settings
from .compat import ConvergenceWarning, train_test_split
from .minibatches import Minibatches
from .training import NOT_FINITE, Data, Task, loss_of_validation, set_penalty
from .watch import Watch

__all__ = ["descend"]

Rows = npt.NDArray[np.int64]

_SILENT = EarlyStopping, TerminateOnNaN  # callbacks that nobody outside of the network notices


def descend(tasks: Sequence[Task], threads: int | None) -> None:
    """Train each by steps, for `max_iter` epochs at most.

    Several networks are trained at once, each as it would be alone on one thread. Where somebody
    sees them train they are so one after the other, here.
    """
    descents = [_Descent(task) for task in tasks]
    try:
        if len(descents) == 1:
            descents[0].train_alone(threads)
        elif _are_noticed(descents):
            for descent in descents:
                descent.train_alone(1)
        else:
            _train_together(descents, threads)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=2)
    for descent in descents:
        descent.check()
    for descent in descents:
        descent.finish()


def _are_noticed(descents: list[_Descent]) -> bool:
    """Whether somebody sees them train: reports, and callbacks that write, draw or remember."""
    hooks = [hook for descent in descents for hook in descent.hooks]
    return (
        any(descent.estimator.verbose for descent in descents)
        or not all(type(hook) in _SILENT for hook in hooks)
        or len({id(hook) for hook in hooks}) < len(hooks)
    )


def _train_together(descents: list[_Descent], threads: int | None) -> None:
    """Train all in one call; the data is one, of which some hold out samples of their own."""
    first = descents[0]
    histories = fit_many(
        [descent.network for descent in descents],
        first.task.data.X,
        first.targets(),
        subsets=[descent.kept for descent in descents],
        sample_weight=[descent.weights for descent in descents],
        validation_data=first.judged(),
        callbacks=[[descent.watch, *descent.hooks] for descent in descents],
        optimizer=[descent.estimator._optimizer for descent in descents],
        rng=[descent.task.random for descent in descents],
        epochs=first.epochs,
        batch_size=[descent.batch for descent in descents],
        shuffle=False,  # the trainer draws the order
        n_threads=threads,
    )
    for descent, history in zip(descents, histories, strict=True):
        descent.history = history


class _Descent:
    """One network in training.

    Parameters
    ----------
    task : Task

    Attributes
    ----------
    kept : array of int, or None
        The samples that are trained on; None: all.
    weights : array or None
        Of all samples, those kept or not; of those kept the mean is one.

    """

    history: History | None = None  # as long as the training is not complete

    def __init__(self, task: Task) -> None:
        self.task, self.estimator, self.network = task, task.estimator, task.network
        estimator, data = self.estimator, task.data
        if estimator.early_stopping and task.given.incremental:
            raise ValueError("partial_fit does not support early_stopping=True")
        self.kept, held = _split(task)
        rows = len(data.X) if self.kept is None else self.kept.size
        weight, self.weights = float(rows), data.weights
        if data.weights is not None:
            weight = float(self._cut(data.weights).sum(dtype=np.float64))
        set_penalty(self.network, estimator, weight)
        if data.weights is not None:
            self.weights = data.weights * (rows / weight)
        _begin(task)
        score = None if held is None else _score(task, held)
        self.watch = Watch(estimator, rows, score, loss_of_validation(task))
        self.hooks = as_callbacks(estimator.callbacks)
        self.epochs = 1 if task.given.incremental else estimator.max_iter
        self.batch = _batch_size(estimator, rows)

    def _cut(self, values: Any) -> Any:
        """Of the samples that are trained on."""
        return values if self.kept is None or values is None else values[self.kept]

    def targets(self) -> Array:
        """Targets of all samples, as the cost wants them."""
        return np.asarray(self.estimator._encoded(self.task.data.y))

    def judged(self) -> tuple[Any, ...] | None:
        """Samples to judge by, as `fit` of a network takes them."""
        judged = self.task.validation
        return judged and (judged.X, self.estimator._encoded(judged.y), judged.relative)

    def train_alone(self, threads: int | None) -> None:
        """Train this network only, on so many threads."""
        ways = self.network.minibatches
        self.network.minibatches = replace(ways, offsets=self._cut(ways.offsets))
        self.history = self.network.fit(
            self._cut(self.task.data.X),
            self._cut(self.targets()),
            optimizer=self.estimator._optimizer,
            epochs=self.epochs,
            batch_size=self.batch,
            shuffle=False,  # the trainer draws the order
            validation_data=self.judged(),
            sample_weight=self._cut(self.weights),
            callbacks=[self.watch, *self.hooks],
            rng=self.task.random,
            n_threads=threads,
        )

    def check(self) -> None:
        """Refuse parameters that are not finite, unless there are better ones to go back to."""
        error = self.watch.error
        if error is not None and not self.estimator.early_stopping:
            raise ValueError(f"{NOT_FINITE} {error}") from error

    def finish(self) -> None:
        """Tell how it ended; of early stopping, go back to the best parameters."""
        estimator, history = self.estimator, self.history
        if self.watch.error is not None:
            estimator.n_iter_ += 1
            estimator.loss_curve_.append(float("nan"))
            estimator.validation_scores_.append(float("nan"))
        _align(estimator)
        over = history is not None and history.stopped is None
        if over and not self.task.given.incremental:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the "
                "optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=2,
            )
        if estimator.early_stopping:
            self.network.parameters = estimator._best_parameters


def _begin(task: Task) -> None:
    """Set what a training by steps goes on from."""
    estimator, network = task.estimator, task.network
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
    if not task.given.incremental or not hasattr(estimator, "_optimizer"):
        estimator._optimizer, estimator._of_solver = settings.make_optimizer(estimator)
    try:
        estimator._optimizer.serve(network.layers)
    except ValueError:  # those of a network that was made of other parameters
        estimator._optimizer = copy.deepcopy(estimator._optimizer)
    network.minibatches = Minibatches(
        random=task.random if estimator.shuffle else None,
        outputs=task.outputs,
        offsets=estimator._offsets(task.data.y),
        **estimator._of_solver,
    )


def _align(estimator: Any) -> None:
    """Give the losses of validation data a NaN for each epoch that had none."""
    curve = vars(estimator).get("validation_loss_curve_")
    if curve is not None:
        curve += [float("nan")] * (len(estimator.loss_curve_) - len(curve))


def _score(task: Task, held: Data) -> Callable[[], float]:
    """What gives the score of early stopping."""

    def score() -> float:
        outputs = task.network.predict(held.X)
        if not np.isfinite(outputs).all() or not held.weight:
            return float("nan")
        return float(task.estimator._score_of(outputs, held))

    return score


def _batch_size(estimator: Any, rows: int) -> int:
    if estimator.batch_size == "auto":
        return min(200, rows)
    if estimator.batch_size > rows:
        warnings.warn(
            "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
            stacklevel=2,
        )
    return int(min(estimator.batch_size, rows))


def _split(task: Task) -> tuple[Rows | None, Data | None]:
    """The samples to train on, None for all, and those that early stopping looks at."""
    estimator, data = task.estimator, task.data
    if not estimator.early_stopping:
        return None, None
    if task.validation is not None:
        return None, task.validation
    stratify = data.y if estimator._stratifies and data.y.shape[1] == 1 else None
    kept, held = train_test_split(
        np.arange(len(data.X)),
        random_state=task.random,
        test_size=estimator.validation_fraction,
        stratify=stratify,
    )
    if held.size < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your "
            "dataset."
        )
    return kept, data.rows(held)
