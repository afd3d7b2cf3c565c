"""A callback that sets the learning rate of every epoch."""

from __future__ import annotations

from collections.abc import Callable

from .._core.arrays import number
from .base import Callback, Run, shown

__all__ = ["LearningRate"]


class LearningRate(Callback):
    """Take the learning rate of every epoch from a function.

    Parameters
    ----------
    schedule : callable
        From the number of an epoch, 0 for the first of this training, to its learning rate. Called
        before each epoch.

    Examples
    --------
    Halved every 100 epochs:

    >>> halved = LearningRate(lambda epoch: 0.1 * 0.5 ** (epoch // 100))
    >>> halved.schedule(250)
    0.025

    """

    def __init__(self, schedule: Callable[[int], float]) -> None:
        if isinstance(schedule, type) or not callable(schedule):
            raise TypeError(f"schedule is {schedule!r}, expected a function of the epoch")
        self.schedule = schedule

    def on_begin(self, run: Run) -> None:
        """Set the learning rate of the first epoch."""
        self._set(run)

    def on_epoch(self, run: Run) -> None:
        """Set the learning rate of the next epoch."""
        self._set(run)

    def _set(self, run: Run) -> None:
        if run.epoch < run.epochs:  # a table of rates has none for what follows the last epoch
            value = self.schedule(run.epoch)
            run.learning_rate = number(f"schedule({run.epoch})", value, least=0.0)

    def __repr__(self) -> str:
        return shown(self, "schedule")
