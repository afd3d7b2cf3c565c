"""The loop over epochs: what a trainer does next, and what callbacks are told of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing

from .._core.arrays import Array
from ..callbacks import Callback, Run
from ..model.snapshot import Pinned
from ..optimizers import Optimizer
from ..schedules import Constant, Schedule
from .settings import Settings
from .trainer import MOST_EPOCHS, Trainer, rate_at

__all__ = [
    "Training", "answered", "begin", "call_due", "drive", "end", "epochs_until_due", "first_rate",
]  # fmt: skip


class Training:
    """One network in training by steps of an update rule, some epochs at a time.

    After `begin`, as long as it `goes_on`: `plan`, `train`, `tell`; in the end `close`.

    Parameters
    ----------
    run : Run
        With an optimizer.
    trainer : Trainer
        Ready to begin.
    pinned : Pinned
        What nobody may change meanwhile.
    given : Schedule or None
        Learning rates that come before the optimizer's, which callbacks may change.
    hooks : sequence of Callback
    validation : tuple of arrays or None

    """

    def __init__(
        self,
        run: Run,
        trainer: Trainer,
        pinned: Pinned,
        given: Schedule | None,
        hooks: Sequence[Callback],
        validation: tuple[Array, Array, Array] | None,
    ) -> None:
        self.run, self.trainer, self.closed = run, trainer, False
        self._pinned, self._given, self._hooks = pinned, given, hooks
        self._validation, self._begun, self._over = validation, False, False
        self._error: ValueError | None = None
        run.optimizer.bind(trainer)

    def keep_optimizer(self, settings: Settings) -> None:
        """Let the network go on with an optimizer that was asked for: once nothing is refused."""
        if settings.optimizer is not None:
            self.run.network.optimizer = self.run.optimizer

    @property
    def goes_on(self) -> bool:
        """Whether there are epochs to come."""
        run = self.run
        return run.epoch < run.epochs and not (run.stopping or self._over)

    def begin(self) -> None:
        """Tell the callbacks."""
        self._begun = True
        begin(self._hooks, self.run, self._pinned)

    def plan(self) -> None:
        """Settle the epochs that come next, and their learning rates."""
        epochs = epochs_until_due(self.run, self._hooks, self._validation is not None)
        self._epochs, self._rates = self.trainer.plan(self._schedule(), epochs)
        self._pinned.check()

    def train(self) -> None:
        """Train for these epochs in one call, and write them down."""
        run, validation = self.run, self._validation
        costs, seconds, self._error, reduction = self.trainer.train(self._epochs, self._rates)
        judged = None if validation is None else self.trainer.evaluate(*validation)
        rates = _shown(self._rates, run, costs.size)
        run.history.extend(costs, rates, seconds, judged, reduction)
        run._epoch += costs.size
        run._steps_per_epoch = self.trainer.steps_per_epoch
        run._note_draws()

    def tell(self) -> ValueError | None:
        """Tell the callbacks that are due; the error, if it diverges and none answers for it."""
        run = self.run
        if self._error:
            self._over = True
            return None if answered(self._hooks, run, self._error) else self._error
        if not run._learning_rate_set and run.epoch < run.epochs:  # there is a next one
            run._learning_rate = rate_at(self._schedule(), run.optimizer.steps)
        call_due(self._hooks, run, self._pinned)
        return None

    def _schedule(self) -> Schedule:
        """Of the steps to come: a rate that a callback has set comes before all others."""
        run = self.run
        if run._learning_rate_set:
            return Constant(run.learning_rate)
        return _schedule(run.optimizer, self._given)

    def close(self) -> None:
        """End what runs in the background, and tell the callbacks; again, do nothing."""
        if self.closed:
            return
        self.closed = self._over = True
        self.trainer.close()
        self.run.optimizer.release(self.trainer)
        if self._begun:
            end(self._hooks, self.run)


def drive(training: Training) -> None:
    """Train from the first epoch to the last."""
    with closing(training):
        training.begin()
        while training.goes_on:
            training.plan()
            training.train()
            if error := training.tell():
                raise error


def begin(hooks: Sequence[Callback], run: Run, pinned: Pinned) -> None:
    """Tell all callbacks, which may not change what is pinned."""
    for hook in hooks:
        hook.on_begin(run)
        pinned.check()


def call_due(hooks: Sequence[Callback], run: Run, pinned: Pinned) -> None:
    """Tell the callbacks that want to know of this epoch."""
    for hook in hooks:
        if run.epoch % hook.every == 0 or run.epoch == run.epochs:
            hook.on_epoch(run)
            pinned.check()


def answered(hooks: Sequence[Callback], run: Run, error: ValueError) -> bool:
    """Tell all callbacks of a divergence; whether one of them answers for it."""
    answers = [hook.on_divergence(run, error) for hook in hooks]  # all are told
    return any(answers)


def end(hooks: Sequence[Callback], run: Run) -> None:
    """Tell all callbacks, even if one of them raises."""
    if hooks:
        try:
            hooks[0].on_end(run)
        finally:
            end(hooks[1:], run)


def epochs_until_due(run: Run, hooks: Sequence[Callback], validated: bool) -> int:
    """Epochs that may run in one call: until a callback is due, or the end."""
    if validated:
        return 1
    stops = [run.epochs, *(hook.every * (run.epoch // hook.every + 1) for hook in hooks)]
    return min(*stops, run.epoch + MOST_EPOCHS) - run.epoch


def first_rate(optimizer: Optimizer, given: Schedule | None, epochs: int) -> float:
    """The learning rate of the first of so many epochs; NaN where there is none."""
    return rate_at(_schedule(optimizer, given), optimizer.steps) if epochs else math.nan


def _schedule(optimizer: Optimizer, given: Schedule | None) -> Schedule:
    return optimizer.schedule if given is None else given


def _shown(rates: Array, run: Run, epochs: int) -> Array:
    """The learning rate of each epoch's first step."""
    every = run.steps_per_epoch if rates.size > 1 else 1
    return rates[0] if rates.size < epochs else rates[: every * epochs : every]
