"""Callbacks: code of yours that runs between the epochs of `NeuralNetwork.fit`.

Hand any of these to ``fit(..., callbacks=...)``, one or several::

    nn.fit(X, t, 0.01, epochs=1000, callbacks=[EarlyStopping(patience=20), Progress()])

A callback sees the training as a `Run`. A function that takes one will do; a class of your own,
made from `Callback`, can also act before the first epoch, after the last and on divergence.
"""

from __future__ import annotations

import json
import math
import operator
import os
import re
import sys
import uuid
import zipfile
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias

import numpy as np

from .._core.arrays import Array, count, number
from .._core.units import duration
from ..history import History
from ..kernels.codegen.compiler import imported
from ..model.stack import Stack
from ..optimizers import Optimizer

__all__ = [
    "Callback",
    "Callbacks",
    "Checkpoint",
    "EarlyStopping",
    "LearningRate",
    "Progress",
    "Run",
    "TerminateOnNaN",
    "as_callbacks",
]

Monitor: TypeAlias = Literal["cost", "validation_cost"]

_OF_STATE = "optimizer."  # before the names of an optimizer's state in an archive
_UPDATES = 100  # of a progress display, at most
_EPOCH_FIELD = re.compile(r"\{epoch(?::([^{}]*))?\}")


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
        Mini-batches in an epoch.
    optimizer : object
        What turns gradients into steps.
    learning_rate : float
        Of the first epoch.
    training_cost : callable, optional
        What `training_cost` calls.

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

    @property
    def cost(self) -> float | None:
        """Cost of the last epoch; None before the first."""
        return _last(self.history.cost)

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
        return _last(self.history.validation_cost)

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
        self.monitor = _monitor(monitor)
        self.patience = count("patience", patience, least=1)
        self.min_delta = number("min_delta", min_delta, least=0.0)
        self.restore_best = _flag("restore_best", restore_best)
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
        name, value = _monitored(self, self.monitor, run)
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
        return _repr(self, "monitor", "patience", "min_delta", "restore_best")


class Checkpoint(Callback):
    """Write the parameters and the optimizer's state to a file as the training goes.

    A file is complete or not there at all: it is written beside its place and then moved there.
    It is an .npz archive of arrays, without pickles; see `load`. A training of all samples at once
    that goes on from it is the one that was never interrupted, to the last bit; with mini-batches,
    if every call of `fit` is given its own `rng`.

    Parameters
    ----------
    path : str or path
        Where to; folders that are missing are made. ``{epoch}`` stands for the number of complete
        epochs, ``{epoch:04d}`` for the same in four digits; without it each file replaces the one
        before.
    every : int
        Write after each so many epochs, and after the last.
    best_only : bool
        Whether to write only if the monitored cost is the least so far in this training.
    monitor : "cost", "validation_cost" or None
        For `best_only`. None takes the validation cost if there is one, else the cost. As with
        `EarlyStopping`, it is that of the parameters after the epoch; the file then holds it.

    Examples
    --------
    >>> Checkpoint("digits-{epoch:04d}.npz", every=100)
    Checkpoint(path='digits-{epoch:04d}.npz', every=100, best_only=False, monitor=None)

    In another process, with the same network and optimizer made anew::

        found = Checkpoint.restore("digits-0300.npz", nn, optimizer)
        nn.fit(X, t, optimizer=optimizer, epochs=1000 - found["epoch"])

    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        every: int = 1,
        best_only: bool = False,
        monitor: Monitor | None = None,
    ) -> None:
        self.path = _path(path)
        self.every = count("every", every, least=1)
        self.best_only = _flag("best_only", best_only)
        self.monitor = _monitor(monitor)
        self._best = math.inf

    def on_begin(self, run: Run) -> None:
        """Start anew."""
        self._best = math.inf

    def on_epoch(self, run: Run) -> None:
        """Write a file, if it is time to."""
        if self.best_only:
            name, value = _monitored(self, self.monitor, run)
            if not value < self._best:
                return
            self._write(run, run.history.cost[-1:] if name != "cost" else np.array([value]))
            self._best = value
        else:
            self._write(run, run.history.cost[-1:])

    def _write(self, run: Run, cost: Array) -> None:
        path = _at_epoch(self.path, run.epoch)
        folder = os.path.dirname(path) or "."
        os.makedirs(folder, exist_ok=True)
        temporary = os.path.join(folder, f".fastnn-{uuid.uuid4().hex}.tmp")
        try:
            # Opened here and not by `tempfile`, whose files nobody else may read.
            with open(temporary, "xb") as file:
                np.savez(
                    file,
                    parameters=run.network.parameters,
                    epoch=np.int64(run.epoch),
                    cost=cost,
                    validation_cost=run.history.validation_cost[-1:],
                    layers=np.array(json.dumps(_structure(run.network))),
                    **_state_of(run.optimizer),
                )
            os.replace(temporary, path)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise

    @staticmethod
    def load(path: str | os.PathLike[str]) -> dict[str, Any]:
        """What a file of this callback holds.

        Returns
        -------
        dict
            ``parameters`` (array), ``epoch`` (int), ``cost`` (float; of the last epoch's batches,
            each before its step, and with ``best_only`` as told there), ``validation_cost`` (float,
            or None without validation data), ``optimizer`` (for `Optimizer.load_state_dict`; None
            if there was none) and ``layers`` (a list of mappings: inputs, outputs, activation). The
            last two are None of files of older versions.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is no such file.

        """
        with open(path, "rb") as file:
            if not zipfile.is_zipfile(file):
                raise ValueError(f"{os.fspath(path)!r} is not a checkpoint: it is no .npz file")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                missing = {"parameters", "epoch", "cost", "validation_cost"} - set(archive)
                if missing:
                    raise ValueError(
                        f"{os.fspath(path)!r} is not a checkpoint: it has no {sorted(missing)}"
                    )
                state = {
                    key.removeprefix(_OF_STATE): archive[key]
                    for key in archive
                    if key.startswith(_OF_STATE)
                }
                return {
                    "parameters": archive["parameters"],
                    "epoch": int(archive["epoch"]),
                    "cost": _last(archive["cost"]),
                    "validation_cost": _last(archive["validation_cost"]),
                    "optimizer": state or None,
                    "layers": json.loads(str(archive["layers"])) if "layers" in archive else None,
                }

    @classmethod
    def restore(
        cls,
        path: str | os.PathLike[str],
        network: Stack,
        optimizer: Optimizer | None = None,
    ) -> dict[str, Any]:
        """Give a network the parameters of a file, and an optimizer its state.

        Parameters
        ----------
        path : str or path
        network : NeuralNetwork
            Of the same layers; its dtype may be another.
        optimizer : Optimizer, optional
            Of the same rule. Default: that of the network's last `fit`, if there was one with an
            optimizer. Else the state is left alone: then give it to the optimizer by
            ``optimizer.load_state_dict(found["optimizer"])``. A training by a learning rate alone
            goes on with ``get_opt("SGD", eta=…)``.

        Returns
        -------
        dict
            All that the file holds; see `load`.

        Raises
        ------
        OSError, ValueError
            As `load` does, and ValueError if the file is of other layers, or of an optimizer of
            another rule, or of none though one was given. Network and optimizer are then as before.

        """
        found, name = cls.load(path), os.fspath(path)
        shape, expected = found["parameters"].shape, network.parameters.shape
        theirs, own = found["layers"], _structure(network)
        if theirs is not None and theirs != own:
            raise ValueError(
                f"{name!r} is of a network {_shown(theirs)}, but this one is {_shown(own)}"
            )
        if shape != expected:
            raise ValueError(f"parameters in {name!r} have shape {shape}, expected {expected}")
        state = found["optimizer"]
        if state is None and optimizer is not None:
            raise ValueError(f"{name!r} holds no state of an optimizer")
        optimizer = network.optimizer if optimizer is None else optimizer
        if state is not None and optimizer is not None:
            dtype = {"dtype": network.parameters.dtype.name} if "dtype" in state else {}
            optimizer.load_state_dict({**state, **dtype})
        network.parameters[...] = found["parameters"]
        return found

    def __repr__(self) -> str:
        return _repr(self, "path", "every", "best_only", "monitor")


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
        return _repr(self, "schedule")


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
        return _repr(self)


class Progress(Callback):
    """Show how far the training is.

    On a terminal with tqdm installed, a bar on stderr. Otherwise a line of print now and then::

        epoch 30/100  cost 0.123456  validation 0.2345  12 µs/step

    Parameters
    ----------
    every : int, optional
        Epochs between updates. Default: so many that there are at most 100 updates.

    """

    def __init__(self, every: int | None = None) -> None:
        self._chosen = None if every is None else count("every", every, least=1)
        self.every = self._chosen or 1
        self._bar: Any = None
        self._shown = 0

    def on_begin(self, run: Run) -> None:
        """Open the bar, if there is to be one."""
        self.every = self._chosen or max(1, -(-run.epochs // _UPDATES))
        self._shown = 0
        self._bar = _bar(run.epochs)

    def on_epoch(self, run: Run) -> None:
        """Show the epochs since the last update."""
        new, self._shown = run.epoch - self._shown, run.epoch
        costs = f"cost {run.cost:.6g}"
        if run.validation_cost is not None:
            costs += f"  validation {run.validation_cost:.6g}"
        if self._bar is not None:
            self._bar.set_postfix_str(costs, refresh=False)
            self._bar.update(new)
            return
        step = float(run.history.seconds[-new:].mean()) / run.steps_per_epoch
        _print(f"epoch {run.epoch}/{run.epochs}  {costs}  {duration(step)}/step")

    def on_end(self, run: Run) -> None:
        """Show what is left to show: the last epochs, and why there were no more."""
        try:
            if run.epoch > self._shown and run.cost is not None:
                self.on_epoch(run)
        finally:
            if self._bar is not None:
                self._bar.close()
                self._bar = None
        if run.history.stopped is not None:
            _print(f"stopped: {run.history.stopped}")

    def __repr__(self) -> str:
        return f"Progress(every={self._chosen})"


def _bar(epochs: int) -> Any:
    """A bar of tqdm; None where there is no terminal, or no tqdm."""
    if sys.stderr is None or not sys.stderr.isatty():
        return None
    try:
        tqdm = imported("tqdm").tqdm
    except ModuleNotFoundError as error:
        if error.name != "tqdm":
            raise
        return None
    return tqdm(total=epochs, unit="epoch", file=sys.stderr)


def _print(line: str) -> None:
    try:
        print(line)
    except UnicodeEncodeError:  # an output that knows ASCII only
        print(line.replace("µ", "u").encode("ascii", "replace").decode("ascii"))


def _structure(network: Stack) -> list[dict[str, Any]]:
    """What the parameters of a network are those of, layer by layer, for JSON."""
    found = []
    for layer in network.layers:
        spec = getattr(layer, "activation", None)
        inputs, outputs = np.shape(layer.w)
        found.append(
            {
                "inputs": inputs,
                "outputs": getattr(layer, "dim_output", outputs),
                "activation": getattr(spec, "name", None) or type(layer).__name__,
                "numbers": dict(getattr(layer, "activation_parameters", {})),
            }
        )
    return found


def _shown(layers: list[dict[str, Any]]) -> str:
    """Such a list as text: 9-4-1 (tanh, identity)."""
    widths = [layers[0]["inputs"], *(layer["outputs"] for layer in layers)]
    names = [
        f"{layer['activation']}{layer['numbers'] if layer['numbers'] else ''}" for layer in layers
    ]
    return f"{'-'.join(map(str, widths))} ({', '.join(names)})"


def _state_of(optimizer: Any) -> dict[str, Any]:
    """The state of an optimizer as arrays of an archive; L-BFGS has none."""
    if not hasattr(optimizer, "state_dict"):
        return {}
    return {_OF_STATE + key: np.asarray(value) for key, value in optimizer.state_dict().items()}


def _last(values: Array) -> float | None:
    return float(values[-1]) if values.size else None


def _monitor(value: Any) -> Monitor | None:
    known: tuple[Monitor | None, ...] = (None, "cost", "validation_cost")
    for name in known:
        if type(value) is type(name) and value == name:
            return name
    raise ValueError(f"monitor is {value!r}, expected 'cost', 'validation_cost' or None")


def _monitored(callback: Callback, monitor: Monitor | None, run: Run) -> tuple[Monitor, float]:
    """Name and value of the cost to look at, which is that of the parameters as they are."""
    validation = run.validation_cost
    if monitor is None:
        monitor = "cost" if validation is None else "validation_cost"
    value = run.training_cost() if monitor == "cost" else validation
    if value is None:
        raise ValueError(f"{callback!r} needs validation data, but the training has none")
    return monitor, value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, not {value!r}")
    return bool(value)


def _path(value: Any) -> str:
    try:
        path = os.fsdecode(value)
    except TypeError as error:
        raise TypeError(f"path must be a str or a path, not {value!r}") from error
    if not os.path.basename(path):
        raise ValueError(f"path is {path!r}, expected the name of a file")
    try:
        _at_epoch(path, 0)
    except ValueError as error:
        raise ValueError(f"path is {path!r}, which has no number format: {error}") from error
    return path


def _at_epoch(path: str, epoch: int) -> str:
    """The path with the epoch in it; other braces are left alone."""
    return _EPOCH_FIELD.sub(lambda field: format(epoch, field[1] or ""), path)


def _repr(callback: Callback, *names: str) -> str:
    given = ", ".join(f"{name}={getattr(callback, name)!r}" for name in names)
    return f"{type(callback).__name__}({given})"
