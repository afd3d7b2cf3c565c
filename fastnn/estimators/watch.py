"""What an estimator does between epochs: it writes down losses, and ends the training in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..callbacks import Callback, Run

__all__ = ["Watch"]

_SMALLEST_RATE = 1e-6  # of scikit-learn's adaptive learning rate


class Watch(Callback):
    """Scikit-learn's rules of stopping and of learning rates, and its attributes.

    A training ends when more than `n_iter_no_change` epochs in a row were no better; so as many as
    are missing to that can go by in one compiled call.

    Parameters
    ----------
    estimator : estimator
        Gets `loss_`, `loss_curve_`, `n_iter_`, `t_`, `best_loss_` …
    rows : int
        Samples of an epoch.
    score : callable, optional
        Early stopping: the score of the validation samples, as the network is.
    validation_loss : callable, optional
        Of the validation cost as the training has it.

    Attributes
    ----------
    error : Exception or None
        Of a training that left the finite numbers.
    stopped : bool
        Whether it is over because it no longer improves.

    """

    def __init__(
        self,
        estimator: Any,
        rows: int,
        score: Callable[[], float] | None = None,
        validation_loss: Callable[[float], float] | None = None,
    ) -> None:
        self.estimator, self._rows, self._seen = estimator, rows, 0
        self._score, self._validation_loss = score, validation_loss
        self.error: Exception | None = None
        self.stopped = False

    @property
    def _is_sgd(self) -> bool:
        return bool(self.estimator.solver == "sgd")

    def on_begin(self, run: Run) -> None:
        """Work out how long nothing need be done."""
        self._wait(run)

    def _wait(self, run: Run) -> None:
        """Set the epoch of the next look."""
        estimator, epochs = self.estimator, run.epochs
        looks = self._score or self._validation_loss or estimator.verbose
        if looks or (self._is_sgd and estimator.learning_rate == "invscaling"):
            epochs = 1
        left = estimator.n_iter_no_change + 1 - estimator._no_improvement_count
        self.every = run.epoch + int(max(1, min(epochs, left)))

    def on_epoch(self, run: Run) -> None:
        """Take note of what has gone by, and stop if it is enough."""
        estimator = self.estimator
        self._catch_up(run)
        if self._validation_loss and run.validation_cost is not None:
            estimator.validation_loss_curve_.append(self._validation_loss(run.validation_cost))
        if self._is_sgd and estimator.learning_rate == "invscaling":
            rate = float(estimator.learning_rate_init) / (estimator.t_ + 1) ** estimator.power_t
            run.learning_rate = run.optimizer.learning_rate = rate
        if estimator._no_improvement_count > estimator.n_iter_no_change:
            self._give_up(run)
        self._wait(run)

    def _catch_up(self, run: Run) -> None:
        """Note what has gone by."""
        losses, self._seen = run.history.cost[self._seen :].tolist(), len(run.history)
        for loss in losses:
            self._note(loss)

    def _note(self, loss: float) -> None:
        """An epoch has gone by."""
        estimator = self.estimator
        estimator.n_iter_ += 1
        estimator.t_ += self._rows
        estimator.loss_ = loss
        estimator.loss_curve_.append(loss)
        if estimator.verbose:
            print(f"Iteration {estimator.n_iter_}, loss = {loss:.8f}")
        if self._score:
            self._note_score(self._score())
            return
        improved = not loss > estimator.best_loss_ - estimator.tol
        estimator._no_improvement_count = 0 if improved else estimator._no_improvement_count + 1
        if loss < estimator.best_loss_:
            estimator.best_loss_ = loss

    def _note_score(self, score: float) -> None:
        estimator = self.estimator
        estimator.validation_scores_.append(score)
        if estimator.verbose:
            print(f"Validation score: {score:f}")
        worse = score < estimator.best_validation_score_ + estimator.tol
        estimator._no_improvement_count = estimator._no_improvement_count + 1 if worse else 0
        if score > estimator.best_validation_score_:
            estimator.best_validation_score_ = score
            estimator._best_parameters = np.array(estimator._network.parameters)

    def _give_up(self, run: Run) -> None:
        """End the training, or go on with a fifth of the learning rate."""
        estimator = self.estimator
        what = "Validation score" if self._score else "Training loss"
        reason = (
            f"{what} did not improve more than tol={estimator.tol:f} for "
            f"{estimator.n_iter_no_change} consecutive epochs."
        )
        adaptive = self._is_sgd and estimator.learning_rate == "adaptive"
        if adaptive and run.learning_rate > _SMALLEST_RATE:
            run.learning_rate = run.optimizer.learning_rate = run.learning_rate / 5.0
            end = f"Setting learning rate to {run.learning_rate:f}"
            estimator._no_improvement_count = 0
        else:
            end = "Learning rate too small. Stopping." if adaptive else "Stopping."
            self.stopped = True
            run.stop(reason)
        if estimator.verbose:
            print(f"{reason} {end}")

    def on_end(self, run: Run) -> None:
        """Take note of the epochs before the end, if that was somebody else's."""
        self._catch_up(run)

    def on_divergence(self, run: Run, error: Exception) -> bool:
        """Keep the error for the end."""
        self.error = error
        return True
