"""Callbacks: code of yours that runs between the epochs of `NeuralNetwork.fit`.

Hand any of these to ``fit(..., callbacks=...)``, one or several::

    nn.fit(X, t, 0.01, epochs=1000, callbacks=[EarlyStopping(patience=20), Progress()])

A callback sees the training as a `Run`. A function that takes one will do; a class of your own,
made from `Callback`, can also act before the first epoch, after the last and on divergence.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import numpy as np

from .._core.arrays import Array, count, number
from ..history import History
from ..model.draws import Draws
from ..model.stack import Stack

__all__ = ["Callback", "Callbacks", "Run", "as_callbacks", "flag", "last", "shown"]


def _given(name: str, doc: str) -> Any:
    """An attribute that `fit` counts on, and nobody else sets."""
    return property(operator.attrgetter(f"_{name}"), doc=doc)


class Run:
    """A call of `fit` as its callbacks see it.

    Parameters
    ----------
    network : NeuralNetwork
        What is trained. Its parameters may be changed between epochs, by writing into
        ``network.parameters``.
    history : History
        Of the epochs so far; the one that `fit` returns.
    epochs : int
        Asked for.
    steps_per_epoch : int
        Mini-batches in an epoch; of blocks from a function those of the last one, 0 before it.
    optimizer : object
        What turns gradients into steps.
    learning_rate : float
        Of the first epoch.
    training_cost : callable, optional
        What `training_cost` calls.
    draws : Draws, optional
        Where the training's random numbers stand before the first epoch.

    Attributes
    ----------
    network, history, epochs, steps_per_epoch, optimizer
        As given.
    epoch : int
        Complete epochs of this call, 0 before the first.

    Notes
    -----
    The structure of the network, which is layers, widths, dtype, activations, dropout, penalties
    and cost, stays as it is until the training is over: a callback that changes it makes `fit`
    raise a ValueError as soon as it returns.

    """

    network: Stack = _given("network", "What is trained.")
    history: History = _given("history", "Of the epochs so far.")
    epochs: int = _given("epochs", "Asked for.")
    steps_per_epoch: int = _given("steps_per_epoch", "Mini-batches in an epoch.")
    optimizer: Any = _given("optimizer", "What turns gradients into steps.")
    epoch: int = _given("epoch", "Complete epochs of this call, 0 before the first.")

    def __init__(
        self,
        network: Stack,
        history: History,
        *,
        epochs: int,
        steps_per_epoch: int,
        optimizer: Any,
        learning_rate: float,
        training_cost: Callable[[], float] | None = None,
        draws: Draws | None = None,
    ) -> None:
        self._network = network
        self._history = history
        self._epochs = epochs
        self._steps_per_epoch = steps_per_epoch
        self._optimizer = optimizer
        self._epoch = 0
        self._learning_rate = learning_rate
        self._learning_rate_set = False
        self._stopping = False
        self._training_cost = training_cost
        self._draws = draws  # before the first epoch
        if draws is not None:
            # of the dropout's key and the optimizer's steps: both count up together
            self._distance = draws.key - optimizer.steps
            self._note_draws()

    def _note_draws(self) -> None:
        """Let the network know where its random numbers stand, after whole epochs."""
        if self._draws is not None:
            key = self._distance + self.optimizer.steps
            self.network.draws = self._draws.after(self.epoch if self._draws.rows else 0, key)

    @property
    def cost(self) -> float | None:
        """Cost of the last epoch; None before the first."""
        return last(self.history.cost)

    def training_cost(self) -> float:
        """Cost of all training data at the parameters as they are now, without dropout.

        `cost` is that of the epoch's batches, each before its step. This takes one more pass over
        the data, forward only.
        """
        if self._training_cost is None:
            raise ValueError("this Run knows no training data")
        return self._training_cost()

    @property
    def validation_cost(self) -> float | None:
        """Validation cost of the last epoch; None before the first, or without validation data."""
        return last(self.history.validation_cost)

    @property
    def learning_rate(self) -> float:
        """Learning rate of the next epoch; one that is set holds until it is set again."""
        return self._learning_rate

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        self._learning_rate = number("learning_rate", value, least=0.0)
        self._learning_rate_set = True

    @property
    def stopping(self) -> bool:
        """Whether a callback has asked for the end."""
        return self._stopping

    def stop(self, reason: str) -> None:
        """End the training once the callbacks of this epoch are through.

        Parameters
        ----------
        reason : str
            Found in ``history.stopped``; of several in one epoch, the first.

        """
        if not isinstance(reason, str):
            raise TypeError(f"reason must be a str, not {reason!r}")
        if not self._stopping:
            self.history.stopped = reason
        self._stopping = True

    def __repr__(self) -> str:
        return f"Run(epoch {self.epoch}/{self.epochs}, {self.history!r})"


class Callback:
    """What `fit` calls as it goes; override any of the methods.

    Attributes
    ----------
    every : int
        `on_epoch` is due after each so many epochs, and after the last. `fit` may run that many
        epochs in one compiled call, so the larger the faster. Read anew after `on_begin`.

    Examples
    --------
    A callback that remembers the largest weight of every tenth epoch:

    >>> class LargestWeight(Callback):
    ...     every = 10
    ...
    ...     def on_begin(self, run):
    ...         self.found = []
    ...
    ...     def on_epoch(self, run):
    ...         self.found.append(abs(run.network.parameters).max())

    """

    every: int = 1

    def on_begin(self, run: Run) -> None:
        """Called before the first epoch."""

    def on_epoch(self, run: Run) -> None:
        """Called after epochs; see `every`."""

    def on_end(self, run: Run) -> None:
        """Called at the very end, also if an error or Ctrl-C brought it."""

    def on_divergence(self, run: Run, error: Exception) -> bool:
        """Called when the next step would make a parameter infinite or NaN.

        Returns
        -------
        bool
            Whether `fit` ends quietly instead of raising `error`.

        """
        return False


Callbacks: TypeAlias = (
    Callback | Callable[[Run], object] | Iterable[Callback | Callable[[Run], object]] | None
)
"""A callback, a function of the `Run`, several of these, or none."""


def as_callbacks(callbacks: Callbacks) -> list[Callback]:
    """The callbacks of a call of `fit` as a list of objects.

    Parameters
    ----------
    callbacks : Callback, callable, iterable of these, or None
        A plain callable takes a `Run` and is called after every epoch.

    Raises
    ------
    TypeError
        Naming the first that is something else.

    Examples
    --------
    >>> from fastnn.callbacks import EarlyStopping, LearningRate, TerminateOnNaN
    >>> as_callbacks([TerminateOnNaN(), LearningRate(lambda epoch: 0.1 / (1 + epoch))])[0]
    TerminateOnNaN()
    >>> as_callbacks(EarlyStopping)
    Traceback (most recent call last):
    TypeError: callbacks is the class EarlyStopping, expected an object: EarlyStopping(...)

    """
    given: Any = callbacks
    if given is None:
        return []
    if isinstance(given, (Callback, str, bytes)) or callable(given):
        return [_as_callback("callbacks", given)]
    try:
        values = list(given)
    except TypeError as error:
        raise TypeError(_unfit("callbacks", given)) from error
    return [_as_callback(f"callbacks[{k}]", value) for k, value in enumerate(values)]


def _as_callback(name: str, value: Any) -> Callback:
    if isinstance(value, type):
        hint = f"{value.__name__}(...)"
        raise TypeError(f"{name} is the class {value.__name__}, expected an object: {hint}")
    if isinstance(value, Callback):
        count(f"{name}.every", value.every, least=1)
        return value
    if not callable(value):
        raise TypeError(_unfit(name, value))
    return _Function(value)


def _unfit(name: str, value: object) -> str:
    return f"{name} is {value!r}, expected a Callback or a function that takes a Run"


class _Function(Callback):
    """A plain callable, called after every epoch."""

    def __init__(self, function: Callable[[Run], object]) -> None:
        self.function = function

    def on_epoch(self, run: Run) -> None:
        self.function(run)

    def __repr__(self) -> str:
        return repr(self.function)


def last(values: Array) -> float | None:
    """The value of the latest epoch; None before the first."""
    return float(values[-1]) if values.size else None


def flag(name: str, value: Any) -> bool:
    """The value, which must be a bool."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def shown(callback: Callback, *names: str) -> str:
    """How a callback is written, with these of its parameters."""
    given = ", ".join(f"{name}={getattr(callback, name)!r}" for name in names)
    return f"{type(callback).__name__}({given})"
