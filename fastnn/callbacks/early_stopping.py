"""Callbacks that end a training: when it no longer improves, or leaves the finite numbers."""

from __future__ import annotations

import math

import numpy as np

from .._core.arrays import Array, count, number
from .base import Callback, Run, flag, shown
from .monitor import Monitor, checked_monitor, monitored_cost

__all__ = ["EarlyStopping", "TerminateOnNaN"]


class EarlyStopping(Callback):
    """End the training when the cost has not improved for a while, and go back to the best.

    What is compared is the cost of the parameters as they are after the epoch. Of the training data
    that is `Run.training_cost`, one more pass over them after every epoch (about a third of what
    the epoch took on one thread), since the history's cost is that of the batches before their
    steps. The validation cost is known already, and tells more: better give that.

    Parameters
    ----------
    monitor : "cost", "validation_cost" or None
        What is to improve. None takes the validation cost if there is one, else the cost.
    patience : int
        Epochs without improvement that end the training.
    min_delta : float
        What counts as an improvement: more than so much below the best so far.
    restore_best : bool
        Whether the network gets back the parameters of its best epoch, however the training ends.

    Attributes
    ----------
    best : float
        The least monitored cost, infinite before the first epoch: that of the parameters which
        `restore_best` brings back.
    best_epoch : int
        Complete epochs at that time, 0 before the first.

    References
    ----------
    L. Prechelt, "Early Stopping - But When?", in Neural Networks: Tricks of the Trade, 1998.

    Examples
    --------
    >>> EarlyStopping("validation_cost", patience=20)
    EarlyStopping(monitor='validation_cost', patience=20, min_delta=0.0, restore_best=True)

    """

    def __init__(
        self,
        monitor: Monitor | None = None,
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best: bool = True,
    ) -> None:
        self.monitor = checked_monitor(monitor)
        self.patience = count("patience", patience, least=1)
        self.min_delta = number("min_delta", min_delta, least=0.0)
        self.restore_best = flag("restore_best", restore_best)
        self._forget()

    def _forget(self) -> None:
        self.best = math.inf
        self.best_epoch = 0
        self._parameters: Array | None = None

    def on_begin(self, run: Run) -> None:
        """Start anew."""
        self._forget()

    def on_epoch(self, run: Run) -> None:
        """Compare with the best epoch so far."""
        name, value = monitored_cost(self, self.monitor, run)
        if value < self.best - self.min_delta:
            if self.restore_best:
                self._parameters = np.array(run.network.parameters)
            self.best, self.best_epoch = value, run.epoch
        elif run.epoch - self.best_epoch >= self.patience:
            run.stop(
                f"{name.replace('_', ' ')} has not improved for {run.epoch - self.best_epoch} "
                f"epochs, the best is {self.best:.6g} after epoch {self.best_epoch}"
            )

    def on_end(self, run: Run) -> None:
        """Go back to the best epoch, if that is wanted and there is one."""
        if self._parameters is not None:
            run.network.parameters = self._parameters
            self._parameters = None

    def __repr__(self) -> str:
        return shown(self, "monitor", "patience", "min_delta", "restore_best")


class TerminateOnNaN(Callback):
    """End the training, without an error, when it leaves the finite numbers.

    That is when the cost or the validation cost is infinite or NaN, or when the next step would
    make a parameter so. ``history.stopped`` tells which.
    """

    def on_epoch(self, run: Run) -> None:
        """Look at the costs of the last epoch."""
        for name, value in (("cost", run.cost), ("validation cost", run.validation_cost)):
            if value is not None and not math.isfinite(value):
                run.stop(f"{name} is {value} after epoch {run.epoch}")

    def on_divergence(self, run: Run, error: Exception) -> bool:
        """Make the error a reason to stop."""
        run.stop(str(error))
        return True

    def __repr__(self) -> str:
        return shown(self)
