"""`fit_many` and `predict_many`: many networks, each on one thread, as many at once as are free."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from .._core import collector
from .._core.arrays import Array, count
from .._core.locks import Helper
from .._core.random import RNG
from .._core.threads import get_num_threads, start_threads
from ..history import History
from ..losses.base import CostFunction
from ..model.data import finite_samples, sample_weights, validation_pair
from ..model.draws import Draws
from ..model.snapshot import Snapshot, snapshot
from ..model.stack import Stack
from ..optimizers.classes import resolve
from ..schedules import as_schedule
from . import methods, per_network
from .compiled import CompiledTrainer
from .epochs import Training
from .fit import Task, training_of
from .settings import Settings

__all__ = ["fit_many", "predict_many"]


def fit_many(
    networks: Sequence[Any],
    X: Any,
    t: Any,
    learning_rate: Any = None,
    *,
    optimizer: Any = None,
    epochs: int | Sequence[int] = 1,
    batch_size: int | Sequence[int | None] | None = None,
    shuffle: bool | Sequence[bool] = True,
    subsets: Any = None,
    validation_data: Any = None,
    sample_weight: Any = None,
    class_weight: Any = None,
    callbacks: Any = None,
    rng: RNG | Sequence[RNG | Draws] = None,
    n_threads: int | None = None,
    on_divergence: Literal["raise", "stop"] = "raise",
) -> list[History]:
    """Train many networks, each as its own `NeuralNetwork.fit` on one thread would.

    Parameters, optimizers, histories and draws are those of the separate calls with
    ``n_threads=1``, to the last bit, however many threads there are: each of them takes the next
    network that is left, and trains it to its end. The networks may differ in shapes, dtypes,
    activations and costs. Every argument but `n_threads` and `on_divergence` is one value for all
    networks, or **a list or tuple with an entry for each**. So what is shared is an array, never a
    list of rows.

    Parameters
    ----------
    networks : sequence of NeuralNetwork
        Distinct ones, without layers in common. Those with layers or costs of your own are trained
        first, one after the other.
    X, t : array, or list of arrays
        Samples (rows, dim_input) and targets (rows, dim_output). An array that fits is read where
        it is by all networks; another is converted once.
    learning_rate : float, schedule or callable, or list or array (networks,), optional
        As of `fit`.
    optimizer : str or list of str and Optimizer, optional
        As of `fit`; each network has its own. Weight decay and other numbers of one network are
        those of its optimizer and its layers: ``[get_opt("AdamW", weight_decay=d) for d in …]``.
    epochs, batch_size, shuffle
        As of `fit`.
    subsets : array (networks, rows) or list of arrays, optional
        Indices of the samples that each network is trained on, or masks of them; a sample may come
        several times. An array (rows,) is that for all. Equal to ``fit(X[subset], t[subset])``.
    validation_data : tuple or list of tuples, optional
        (X, t) or (X, t, sample_weight), for all; a list has one such tuple for each network.
    sample_weight : array (rows,) or list of arrays, optional
        Of the samples in X; a subset chooses from them.
    class_weight : mapping, array, or list of these, optional
        As of `fit`.
    callbacks : function, or list, optional
        A list has for each network what `fit` takes. A function is called for all. Callbacks of one
        network are called by the thread that trains it, while others train others.
    rng : None, int, Generator, RandomState, or list of these and Draws
        A seed or a Generator gives each network its own: ``np.random.default_rng(seed).spawn(n)``
        in the order of the networks. None, the global ``np.random``, and a RandomState are that for
        all, in turn.
    n_threads : int, optional
        Threads; left out, `fastnn.get_num_threads`.
    on_divergence : "raise" or "stop"
        What becomes of a network that would leave the finite numbers, after all others are done: a
        ValueError that names all such networks, or nothing but the reason, in its
        ``history.stopped``.

    Returns
    -------
    list of History
        In the order of the networks.

    Raises
    ------
    TypeError, ValueError
        For arguments that do not fit, before any training begins, and see `on_divergence`.
    KeyboardInterrupt
        Ctrl-C ends all trainings; parameters are those of each one's last complete step.

    Examples
    --------
    A sweep of learning rates:

    >>> import numpy as np
    >>> from fastnn import LinearLayer, MeanSquaredError, NeuralNetwork, TanhLayer
    >>> x = np.linspace(-1.0, 1.0, 64).reshape(-1, 1)
    >>> def network():
    ...     layers = [TanhLayer(1, 8, rng=1), LinearLayer(8, 1, rng=2)]
    ...     return NeuralNetwork(layers, MeanSquaredError())
    >>> rates = [1e-4, 1e-3, 1e-2]
    >>> histories = fit_many(
    ...     [network() for _ in rates], x, np.sin(3.0 * x), rates, optimizer="Adam", epochs=200
    ... )
    >>> int(np.argmin([history.cost[-1] for history in histories]))
    2

    """
    found = per_network.checked_networks(networks)
    if on_divergence not in ("raise", "stop"):
        raise ValueError(f'on_divergence must be "raise" or "stop", not {on_divergence!r}')
    threads = get_num_threads() if n_threads is None else count("n_threads", n_threads, least=1)
    n = len(found)
    plain = {"epochs": epochs, "batch_size": batch_size, "shuffle": shuffle, "X": X, "t": t}
    plain |= {"sample_weight": sample_weight, "class_weight": class_weight}
    given = {name: per_network.each(name, value, n) for name, value in plain.items()}
    given |= {
        "subsets": per_network.each_subset(subsets, n),
        "validation_data": per_network.each("validation_data", validation_data, n, tuple),
        "callbacks": per_network.each_callbacks(callbacks, n),
    }
    with collector.paused():  # all that is made here stays
        tasks = _tasks(found, given)
    rates = per_network.each_rate(learning_rate, n)
    optimizers = per_network.each_optimizer(optimizer, n)
    for k, network in enumerate(found):
        optimizers[k] = _resolved(k, network, rates[k], optimizers[k])
    each = zip(rates, optimizers, per_network.each_rng(rng, n), strict=True)
    histories, errors = _train([_asked(*one) for one in zip(tasks, each, strict=True)], threads)
    if errors and on_divergence == "raise":
        raise _of_all(errors, n) from next(iter(errors.values()))
    for k, error in errors.items():
        histories[k].stopped = str(error)
    return histories


class _CheckedData:
    """Data that is checked, and converted, once for all networks that take the same.

    Arguments are known by their identity: the caller holds them meanwhile.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """What `make` gave for this key."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


def _form(now: Snapshot) -> tuple[Any, ...]:
    """What samples and targets are checked by."""
    cost, first, last = now.cost_function, now.layers[0], now.layers[-1]
    of_cost = (type(cost), repr(cost)) if isinstance(cost, CostFunction) else id(cost)
    return first.w.shape[0], last.w.shape, getattr(last, "dim_output", 0), first.w.dtype, of_cost


def _tasks(networks: list[Stack], given: dict[str, list[Any]]) -> list[Task]:
    """All networks, each with what it is trained on."""
    for network in networks:  # a network's first look is a change to all others
        with network._lock.held():
            snapshot(network)
    data = _CheckedData()
    return [
        _task(k, network, {name: values[k] for name, values in given.items()}, data)
        for k, network in enumerate(networks)
    ]


def _task(k: int, network: Stack, given: dict[str, Any], data: _CheckedData) -> Task:
    """A network with what it is trained on, checked."""
    with network._lock.held():
        now = snapshot(network)
    names = "epochs", "batch_size", "shuffle", "callbacks"
    settings = Settings(**{name: given[name] for name in names}, n_threads=1).checked()
    form, layers, cost = _form(now), now.layers, now.cost_function
    X, t, validation = given["X"], given["t"], given["validation_data"]
    x, targets = data.once(("X", id(X), id(t), form), lambda: finite_samples(layers, cost, X, t))
    weights = data.once(
        ("weights", id(given["sample_weight"]), id(given["class_weight"]), id(targets)),
        lambda: sample_weights(given["sample_weight"], given["class_weight"], targets),
    )
    judged = data.once(
        ("validation", id(validation), form), lambda: validation_pair(layers, cost, validation)
    )
    chosen = data.once(
        ("subset", id(given["subsets"]), len(x)),
        lambda: per_network.checked_subset(f"subsets[{k}]", given["subsets"], len(x)),
    )
    return Task(network, now, (x, targets, weights), judged, settings, chosen)


def _asked(task: Task, asked: tuple[Any, Any, Any]) -> Task:
    """The same by this learning rate, this optimizer and this source of random numbers."""
    rate, optimizer, rng = asked
    settings = replace(task.settings, learning_rate=rate, optimizer=optimizer, rng=rng)
    return task._replace(settings=settings)


def _resolved(k: int, network: Stack, rate: Any, optimizer: Any) -> Any:
    """The optimizer that is meant, or None; refuses what is no rate or no rule of steps."""
    if (method := methods.find(optimizer)) is not None:
        raise ValueError(f"fit_many trains by single steps: call fit for {method.name}")
    try:
        if rate is not None:
            as_schedule(rate)
        return None if optimizer is None else resolve(optimizer, network.optimizer)
    except (TypeError, ValueError) as error:
        raise type(error)(f"networks[{k}]: {error}") from error


def _train(tasks: list[Task], threads: int) -> tuple[list[History], dict[int, ValueError]]:
    """Train all; the histories, and the errors of networks that diverge."""
    trainings: list[Training] = []
    with ExitStack() as stack:
        with collector.paused():  # all that is made here stays
            for task in tasks:
                with task.network._lock.held():
                    trainings.append(training_of(task))
                stack.callback(trainings[-1].close)
        errors = _Race(trainings).run(threads)
    return [training.run.history for training in trainings], errors


class _Race:
    """Trainings that threads take one after the other."""

    def __init__(self, trainings: list[Training]) -> None:
        self._trainings, self._stopping = trainings, False
        self.errors: dict[int, ValueError] = {}
        self._helper = Helper("to train it in fit_many")
        compiled = [isinstance(training.trainer, CompiledTrainer) for training in trainings]
        self._fast = [k for k, found in enumerate(compiled) if found]
        self._slow = [k for k, found in enumerate(compiled) if not found]
        self._free = itertools.count()

    def run(self, threads: int) -> dict[int, ValueError]:
        """Run all of them to their ends; the errors of those that diverge."""
        for k in self._slow:  # Python code of the caller's, which Ctrl-C ends where it is
            self._drive(k)
        threads, main = min(threads, len(self._fast)), threading.main_thread()
        pool = None
        if threads > 1 or (threads == 1 and threading.current_thread() is main):
            threads, pool = start_threads(threads, always=True)
        if pool is None:
            self._take(0)
        else:
            try:
                pool.run(self._help, threads, self._stop)
            finally:
                pool.close()
        return dict(sorted(self.errors.items()))

    def _help(self, thread: int) -> None:
        """What a thread of its own does: it must not ask for networks that this one holds."""
        with self._helper.at_work():
            self._take(thread)

    def _take(self, _: int) -> None:
        """Take trainings until none is left: what a thread does."""
        while (place := next(self._free)) < len(self._fast) and not self._stopping:
            try:
                self._drive(self._fast[place])
            except BaseException:
                self._stop()
                raise

    def _drive(self, k: int) -> None:
        training = self._trainings[k]
        with training.run.network._lock.held(), closing(training):
            training.begin()
            while training.goes_on and not self._stopping:
                training.plan()
                training.train()
                if error := training.tell():
                    self.errors[k] = error

    def _stop(self) -> None:
        """End all of them after the tiles at hand."""
        self._stopping = True
        for k in self._fast:
            if not self._trainings[k].closed:
                self._trainings[k].trainer.stop()  # type: ignore[attr-defined]


_SHOWN = 3  # errors of networks in one message


def _of_all(errors: dict[int, ValueError], n: int) -> ValueError:
    """One error for all networks that diverged."""
    names = ", ".join(f"networks[{k}]" for k in errors)
    first = "; ".join(f"networks[{k}]: {errors[k]}" for k in [*errors][:_SHOWN])
    more = "; …" if len(errors) > _SHOWN else ""
    return ValueError(
        f"{len(errors)} of {n} networks diverge ({names}), the training of the others is complete; "
        f'on_divergence="stop" returns all histories: {first}{more}'
    )


def predict_many(networks: Sequence[Any], X: Any) -> Array:
    """Outputs of many networks, each as its `NeuralNetwork.predict` gives them.

    Parameters
    ----------
    networks : sequence of NeuralNetwork
        Of as many outputs each.
    X : array (rows, dim_input) or (dim_input,), or list of arrays
        For all networks; a list or tuple has one for each, all with as many rows.

    Returns
    -------
    array (networks, rows, dim_output) or (networks, dim_output)
        Of the networks' dtype; float64, if they differ.

    Raises
    ------
    TypeError, ValueError
        For what is no network, and for samples and outputs that do not fit.

    Examples
    --------
    The mean of an ensemble, and how far its networks are apart:

    >>> from fastnn import LinearLayer, NeuralNetwork, SumSquaresError
    >>> networks = [
    ...     NeuralNetwork([LinearLayer(1, 1, init=[[w]])], SumSquaresError()) for w in (1.0, 3.0)
    ... ]
    >>> outputs = predict_many(networks, np.array([[1.0], [2.0]]))
    >>> outputs.mean(axis=0).ravel(), outputs.std(axis=0).ravel()
    (array([2., 4.]), array([1., 2.]))

    """
    found = per_network.network_list(networks)
    outputs: list[Array] = []
    for k, (network, x) in enumerate(zip(found, per_network.each("X", X, len(found)), strict=True)):
        outputs.append(np.asarray(network.predict(x)))
        if outputs[k].shape != outputs[0].shape:
            raise ValueError(
                f"networks[{k}] gives outputs of shape {outputs[k].shape}, expected "
                f"{outputs[0].shape} as networks[0]"
            )
    return np.stack(outputs)
