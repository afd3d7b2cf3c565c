"""What `fit_many` trains: each network with its data, checked once where several have the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._core import collector
from ..kernels.codegen import headers
from ..layers import Layer
from ..losses.base import CostFunction
from ..model.data import finite_samples, sample_weights, validation_pair
from ..model.snapshot import Snapshot, snapshot
from ..model.stack import Stack
from ..optimizers.classes import resolve
from ..schedules import as_schedule
from . import methods, per_network
from .fit import Task
from .settings import Settings

__all__ = ["asked", "optimizers", "tasks"]


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


def _form(network: Stack, now: Snapshot) -> tuple[Any, ...]:
    """What samples and targets are checked by."""
    cost, first, last = now.cost_function, now.layers[0], now.layers[-1]
    of_cost = (type(cost), repr(cost)) if isinstance(cost, CostFunction) else id(cost)
    shapes = first.w.shape[0], last.w.shape, getattr(last, "dim_output", 0)
    return *shapes, first.w.dtype, of_cost, network._data_names


def tasks(networks: list[Stack], given: dict[str, list[Any]]) -> list[Task]:
    """All networks, each with what it is trained on."""
    data = _CheckedData()
    with collector.paused():  # all that is made here stays
        for network in networks:
            if all(isinstance(layer, Layer) for layer in network.layers):
                with network._lock.held():
                    network._flat.gather(network.layers)
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
    form, layers, cost = _form(network, now), now.layers, now.cost_function
    X, t, validation = given["X"], given["t"], given["validation_data"]
    x, targets = data.once(
        ("X", id(X), id(t), form), lambda: finite_samples(layers, cost, X, t, network._data_names)
    )
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
    arrays = x, targets, weights
    table = data.once(
        ("headers", *map(id, arrays), id(judged)),
        lambda: headers.table([*arrays, *(judged or ())]),
    )
    return Task(network, now, arrays, judged, settings, chosen, table)


def asked(tasks: list[Task], how: dict[str, list[Any]]) -> list[Task]:
    """The same by these learning rates, optimizers and sources of random numbers."""
    return [
        task._replace(
            settings=replace(task.settings, **{name: values[k] for name, values in how.items()})
        )
        for k, task in enumerate(tasks)
    ]


def optimizers(networks: list[Stack], given: dict[str, list[Any]]) -> list[Any]:
    """The optimizers that are meant, or None."""
    each = zip(networks, given["learning_rate"], given["optimizer"], strict=True)
    return [_resolved(k, *what) for k, what in enumerate(each)]


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
