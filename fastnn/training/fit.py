"""What `NeuralNetwork.fit` does: check everything, then train, epoch by epoch or all at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from ..callbacks import Callback, Run
from ..history import History
from ..layers.base import check_trainable, forget
from ..model.data import Samples, finite_samples, rows_of, sample_weights, validation_pair
from ..model.draws import Draws
from ..model.evaluation import evaluate
from ..model.snapshot import Pinned, Snapshot, snapshot
from ..model.stack import Stack
from ..optimizers import Optimizer, get_opt
from ..optimizers.classes import resolve
from ..schedules import Constant, Schedule, as_schedule
from . import lbfgs, methods
from .compiled import CompiledTrainer, compiled_trainer
from .epochs import Training, answered, begin, call_due, drive, end, epochs_until_due, first_rate
from .layerwise import LayerTrainer
from .settings import Settings
from .trainer import Trainer

__all__ = ["Task", "fit", "optimizer_for", "task_of", "training_of"]


def fit(network: Stack, X: npt.ArrayLike, t: npt.ArrayLike, settings: Settings) -> History:
    """See `NeuralNetwork.fit`; the settings are checked."""
    task = task_of(network, X, t, settings)
    if (method := methods.find(settings.optimizer)) is not None:
        return _minimize(task, method)
    training = training_of(task)
    training.keep_optimizer(settings)
    drive(training)
    return training.run.history


def task_of(
    network: Stack, X: npt.ArrayLike, t: npt.ArrayLike, settings: Settings, least: int = 1
) -> Task:
    """What is to be trained, by checked settings, on at least so many rows."""
    now = snapshot(network)
    x, targets = finite_samples(now.layers, now.cost_function, X, t, network._data_names, least)
    weights = sample_weights(settings.sample_weight, settings.class_weight, targets)
    validation = validation_pair(now.layers, now.cost_function, settings.validation_data)
    return Task(network, now, (x, targets, weights), validation, settings)


class Task(NamedTuple):
    """What is to be trained, on what, and how: all of it checked."""

    network: Stack
    now: Snapshot
    data: tuple[Array, Array, Array]  # samples, targets, weights
    validation: tuple[Array, Array, Array] | None
    settings: Settings
    chosen: npt.NDArray[np.int64] | None = None  # rows that are trained on; None: all
    headers: npt.NDArray[np.int64] | None = None  # of the data, if somebody has them

    @property
    def rows(self) -> int:
        """How many samples are trained on."""
        return len(self.data[0]) if self.chosen is None else self.chosen.size

    @property
    def batch(self) -> int:
        """How many of them a step has."""
        asked = self.settings.batch_size
        return self.rows if asked is None else min(asked, self.rows)

    def chosen_data(self) -> tuple[Array, Array, Array]:
        """The samples that are trained on, with their targets and weights."""
        return self.data if self.chosen is None else rows_of(self.data, self.chosen)

    def pinned(self) -> Pinned:
        """The network and the data, which nobody may change meanwhile."""
        arrays = *self.data, *(self.validation or ())
        return Pinned(self.network, self.now, *arrays, table=self.headers)

    def run(self, **options: Any) -> Run:
        """What callbacks see."""
        return Run(self.network, History(), epochs=self.settings.epochs, **options)


def training_of(task: Task, known: dict[Any, CompiledTrainer] | None = None) -> Training:
    """A training by steps of an update rule, which is yet to begin; known: `compiled_trainer`."""
    network, settings, epochs = task.network, task.settings, task.settings.epochs
    opt, given = optimizer_for(network, settings)
    samples = _samples(task, opt.steps)
    rate = first_rate(opt, given, epochs)
    pinned = task.pinned()
    pinned.check()  # callables of the caller's have run: the data's, the schedule
    trainer = _trainer_for(network, pinned, samples, opt, epochs, settings.n_threads, known)
    run = task.run(
        steps_per_epoch=trainer.steps_per_epoch,
        optimizer=opt,
        learning_rate=rate,
        training_cost=lambda: trainer.evaluate(*task.chosen_data()),
        draws=samples.draws,
    )
    return Training(run, trainer, pinned, given, settings.hooks, task.validation)


def _samples(task: Task, steps: int) -> Samples:
    """The data in batches; steps: of the optimizer so far."""
    shuffled = task.settings.shuffle and task.batch < task.rows
    random = shuffled or any(getattr(layer, "dropout", 0.0) for layer in task.now.layers)
    draws = Draws.begin(task.settings.rng, task.rows if shuffled else 0, steps) if random else None
    data, chosen = task.data, task.chosen
    if chosen is not None and not task.now.compiled:  # layers of the caller's take what they get
        data, chosen = task.chosen_data(), None
    return Samples(*data, task.batch, shuffled, draws, chosen)


def _trainer_for(
    network: Stack,
    pinned: Pinned,
    samples: Samples,
    optimizer: Optimizer,
    epochs: int,
    threads: int | None,
    known: dict[Any, CompiledTrainer] | None,
) -> Trainer:
    """What trains this network, ready to begin."""
    check_trainable(pinned.now.layers)
    if not pinned.now.compiled:
        return LayerTrainer(network, pinned, samples, optimizer)
    return compiled_trainer(network, pinned, samples, optimizer, epochs, threads, known)


def optimizer_for(network: Stack, settings: Settings) -> tuple[Optimizer, Schedule | None]:
    """The optimizer that `fit` uses, and the learning rates that it takes instead of its own.

    A learning rate alone is gradient descent, as in the article; neither goes on with the optimizer
    of the last `fit`; the same name again goes on with its state.
    """
    last, learning_rate = network.optimizer, settings.learning_rate
    if settings.optimizer is not None:
        chosen = resolve(settings.optimizer, last)
    elif learning_rate is not None:
        return _descent(network, learning_rate), None
    elif last is not None:
        chosen = last
    else:
        raise TypeError("fit needs a learning_rate or an optimizer")
    chosen.serve(network.layers)
    return chosen, None if learning_rate is None else as_schedule(learning_rate)


def _descent(network: Stack, rate: Any) -> Optimizer:
    """Plain gradient descent, which begins anew with every `fit`, but for the schedule of the last.

    A schedule, or a function, goes on where it was if it is the very object: so one `fit` a step
    runs through it.
    """
    descent = network._plain_descent
    if descent is None or descent.is_at_work:  # in the call of `fit` whose callback calls it
        descent = get_opt("SGD")
        if network._plain_descent is None:
            network._plain_descent = descent
    if descent.learning_rate is not rate:
        as_schedule(rate)  # an error calls it what `fit` does
        descent.learning_rate, descent.counter[0] = rate, 0
    elif isinstance(descent.schedule, Constant):
        descent.counter[0] = 0
    return descent


def _check_whole(task: Task, method: methods.Method) -> None:
    """Refuse what does not go with a method that takes all samples at once."""
    if task.settings.learning_rate is not None:
        raise TypeError(f"{method.name} finds the length of its steps: give no learning_rate")
    if task.batch < task.rows:
        raise ValueError(
            f"batch_size is {task.batch}, but {method.name} takes all {task.rows} samples"
        )


def _minimize(task: Task, method: methods.Method) -> History:
    """Train by a method that does not go by single steps: an epoch is an iteration."""
    _check_whole(task, method)
    settings = task.settings
    pinned, hooks = task.pinned(), [*settings.hooks, *method.hooks(task.validation is not None)]
    objective = method.objective(task.network, *task.data, pinned, settings.n_threads)
    run = task.run(
        steps_per_epoch=1,
        optimizer=method.name,
        learning_rate=math.nan,  # found by each iteration
        training_cost=lambda: evaluate(pinned.now, *task.data),
    )
    after = _after_iterations(hooks, run, pinned, task.validation, method.name)

    def until_due() -> int:
        return epochs_until_due(run, hooks, task.validation is not None)

    forget(task.network.layers)
    try:
        begin(hooks, run, pinned)
        minimum = method.descend(
            objective, 0 if run.stopping else settings.epochs, after, until_due
        )
        if minimum.converged and not run.stopping:
            run.stop(f"{method.name} has converged: {minimum.reason}")
    except lbfgs.NotFiniteError as error:
        if not answered(hooks, run, error):
            raise
    finally:
        end(hooks, run)
    return run.history


def _after_iterations(
    hooks: Sequence[Callback],
    run: Run,
    pinned: Pinned,
    validation: tuple[Array, Array, Array] | None,
    name: str,
) -> Callable[[lbfgs.Block], bool]:
    """What is called after some iterations; whether they were the last."""

    def after(block: lbfgs.Block) -> bool:
        validation_cost = None if validation is None else evaluate(pinned.now, *validation)
        run.history.extend(block.costs[:-1], block.steps, block.seconds, validation_cost)
        run._epoch += block.steps.size
        run._learning_rate = float(block.steps[-1])
        call_due(hooks, run, pinned)
        if run._learning_rate_set:
            raise ValueError(f"{name} has no learning rate that a callback could set")
        return run.stopping

    return after
