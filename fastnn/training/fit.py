"""What `NeuralNetwork.fit` does: check everything, then train, epoch by epoch or all at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, count
from .._core.random import RNG
from ..callbacks import Callback, Callbacks, Progress, Run, as_callbacks
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
from .compiled import compiled_trainer
from .epochs import Training, answered, begin, call_due, drive, end, epochs_until_due, first_rate
from .layerwise import LayerTrainer
from .trainer import Trainer

__all__ = ["Task", "fit", "hooks_of", "optimizer_for", "task_of", "training_of"]


def fit(
    network: Stack,
    X: npt.ArrayLike,
    t: npt.ArrayLike,
    learning_rate: Any,
    optimizer: Any,
    epochs: int,
    batch_size: int | None,
    shuffle: bool,
    validation_data: tuple[Any, ...] | None,
    sample_weight: npt.ArrayLike | None,
    class_weight: Any,
    callbacks: Callbacks,
    verbose: int,
    rng: RNG | Draws,
    n_threads: int | None,
) -> History:
    """See `NeuralNetwork.fit`."""
    threads = None if n_threads is None else count("n_threads", n_threads, least=1)
    task = task_of(
        network, X, t, epochs, batch_size, validation_data, sample_weight, class_weight, callbacks,
        verbose,
    )  # fmt: skip
    if (method := methods.find(optimizer)) is not None:
        return _minimize(task, learning_rate, threads, method)
    return _train(task, learning_rate, optimizer, shuffle, rng, threads)


def task_of(
    network: Stack,
    X: npt.ArrayLike,
    t: npt.ArrayLike,
    epochs: int,
    batch_size: int | None,
    validation_data: tuple[Any, ...] | None,
    sample_weight: npt.ArrayLike | None,
    class_weight: Any,
    callbacks: Callbacks,
    verbose: int,
    least: int = 1,
) -> Task:
    """What these arguments of `fit` ask for, of at least so many rows."""
    epochs = count("epochs", epochs, least=0)
    hooks = hooks_of(callbacks, verbose)
    now = snapshot(network)
    names = network._data_names
    x, targets = finite_samples(now.layers, now.cost_function, X, t, names, least)
    batch = len(x) if batch_size is None else count("batch_size", batch_size, least=1)
    data = x, targets, sample_weights(sample_weight, class_weight, targets)
    validation = validation_pair(now.layers, now.cost_function, validation_data)
    return Task(network, now, data, validation, min(batch, len(x)), epochs, hooks)


class Task(NamedTuple):
    """What is to be trained, on what, and for how long: all of it checked."""

    network: Stack
    now: Snapshot
    data: tuple[Array, Array, Array]  # samples, targets, weights
    validation: tuple[Array, Array, Array] | None
    batch: int
    epochs: int
    hooks: list[Callback]
    chosen: npt.NDArray[np.int64] | None = None  # rows that are trained on; None: all

    @property
    def rows(self) -> int:
        """How many samples are trained on."""
        return len(self.data[0]) if self.chosen is None else self.chosen.size

    def chosen_data(self) -> tuple[Array, Array, Array]:
        """The samples that are trained on, with their targets and weights."""
        return self.data if self.chosen is None else rows_of(self.data, self.chosen)

    def pinned(self) -> Pinned:
        """The network and the data, which nobody may change meanwhile."""
        return Pinned(self.network, self.now, *self.data, *(self.validation or ()))

    def run(self, **options: Any) -> Run:
        """What callbacks see."""
        return Run(self.network, History(), epochs=self.epochs, **options)


def _reported_epochs(verbose: Any) -> int:
    """Epochs from one report to the next; 0 for none."""
    if isinstance(verbose, (bool, np.bool_)):
        return int(verbose)
    return count("verbose", verbose, least=0)


def hooks_of(callbacks: Callbacks, verbose: int) -> list[Callback]:
    """What a training calls between its epochs."""
    every = _reported_epochs(verbose)
    return [*as_callbacks(callbacks), *([Progress(every)] if every else [])]


def _train(
    task: Task,
    learning_rate: Any,
    optimizer: Optimizer | str | None,
    shuffle: bool,
    rng: RNG | Draws,
    threads: int | None,
) -> History:
    """Train by steps of an update rule."""
    training = training_of(task, learning_rate, optimizer, shuffle, rng, threads)
    drive(training)
    return training.run.history


def training_of(
    task: Task,
    learning_rate: Any,
    optimizer: Optimizer | str | None,
    shuffle: bool,
    rng: RNG | Draws,
    threads: int | None,
) -> Training:
    """A training by steps of an update rule, which is yet to begin."""
    network, epochs = task.network, task.epochs
    opt, given = optimizer_for(network, learning_rate, optimizer)
    samples = _samples(task, shuffle, rng, opt.steps)
    rate = first_rate(opt, given, epochs)
    pinned = task.pinned()
    pinned.check()  # callables of the caller's have run: the data's, the schedule
    trainer = _trainer_for(network, pinned, samples, opt, epochs, threads)
    if optimizer is not None:
        network.optimizer = opt
    run = task.run(
        steps_per_epoch=trainer.steps_per_epoch,
        optimizer=opt,
        learning_rate=rate,
        training_cost=lambda: trainer.evaluate(*task.chosen_data()),
        draws=samples.draws,
    )
    return Training(run, trainer, pinned, given, task.hooks, task.validation)


def _samples(task: Task, shuffle: bool, rng: RNG | Draws, steps: int) -> Samples:
    """The data in batches; steps: of the optimizer so far."""
    shuffled = bool(shuffle) and task.batch < task.rows
    random = shuffled or any(getattr(layer, "dropout", 0.0) for layer in task.now.layers)
    draws = Draws.begin(rng, task.rows if shuffled else 0, steps) if random else None
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
) -> Trainer:
    """What trains this network, ready to begin."""
    check_trainable(pinned.now.layers)
    if not pinned.now.compiled:
        return LayerTrainer(network, pinned, samples, optimizer)
    return compiled_trainer(network, pinned, samples, optimizer, epochs, threads)


def optimizer_for(
    network: Stack, learning_rate: Any, optimizer: Optimizer | str | None
) -> tuple[Optimizer, Schedule | None]:
    """The optimizer that `fit` uses, and the learning rates that it takes instead of its own.

    A learning rate alone is gradient descent, as in the article; neither goes on with the optimizer
    of the last `fit`; the same name again goes on with its state.
    """
    last = network.optimizer
    if optimizer is not None:
        chosen = resolve(optimizer, last)
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


def _minimize(
    task: Task, learning_rate: Any, threads: int | None, method: methods.Method
) -> History:
    """What `_train` is for a method that does not go by single steps: an epoch is an iteration."""
    if learning_rate is not None:
        raise TypeError(f"{method.name} finds the length of its steps: give no learning_rate")
    rows = len(task.data[0])
    if task.batch < rows:
        raise ValueError(f"batch_size is {task.batch}, but {method.name} takes all {rows} samples")
    pinned, hooks = task.pinned(), [*task.hooks, *method.hooks(task.validation is not None)]
    objective = method.objective(task.network, *task.data, pinned, threads)
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
        minimum = method.descend(objective, 0 if run.stopping else task.epochs, after, until_due)
        if minimum.converged and not run.stopping:
            run.stop(f"{method.name} has converged: {minimum.reason}")
    except lbfgs.NotFiniteError as error:
        if not answered(hooks, run, error):
            raise
    finally:
        end(hooks, run)
    return run.history


def _after_iterations(
    hooks: list[Callback],
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
