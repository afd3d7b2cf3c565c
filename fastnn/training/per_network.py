"""Arguments of trainings of many networks: one value for all of them, or one for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.foreign import shown
from .._core.random import uniform_source
from ..callbacks import Callback
from ..model.draws import Draws
from ..model.stack import Stack
from ..optimizers import Optimizer

__all__ = [
    "checked_networks",
    "checked_subset",
    "each",
    "each_callbacks",
    "each_optimizer",
    "each_rate",
    "each_rng",
    "each_subset",
    "given",
    "network_list",
]


def network_list(networks: Any) -> list[Any]:
    """The networks as a list; at least one."""
    if isinstance(networks, Stack):
        raise TypeError("networks is one network, expected a sequence of them: [network]")
    try:
        found = list(networks)
    except TypeError as error:
        raise TypeError(f"networks is {shown(networks)}, expected a sequence of them") from error
    if not found:
        raise ValueError("networks is empty, expected at least one network")
    for k, network in enumerate(found):
        if not isinstance(network, Stack):
            raise TypeError(f"networks[{k}] is {shown(network)}, expected a NeuralNetwork")
    return found


def checked_networks(networks: Any) -> list[Any]:
    """The networks as a list: distinct ones, which share no layers."""
    found = network_list(networks)
    owners: dict[int, str] = {}
    for k, network in enumerate(found):
        for part in (network, *network.layers):
            before = owners.setdefault(id(part), f"networks[{k}]")
            if part is network and before != f"networks[{k}]":
                raise ValueError(f"networks[{k}] is {before} again, expected distinct networks")
            if before != f"networks[{k}]":
                raise ValueError(
                    f"networks[{k}] has a layer of {before}, expected networks that share none"
                )
    return found


def each(name: str, value: Any, n: int, one: type | tuple[type, ...] = ()) -> list[Any]:
    """An argument for each of `n` networks: the entries of a list or tuple, else the value itself.

    one: sequences of these types are a value for all.
    """
    if not isinstance(value, (list, tuple)) or isinstance(value, one):
        return [value] * n
    if len(value) != n:
        raise ValueError(
            f"{name} has {len(value)} entries, expected one for each of the {n} networks: a list "
            "or tuple is that, while one value for all networks is a number, an array or an object"
        )
    return list(value)


def each_rate(value: Any, n: int) -> list[Any]:
    """Learning rates: an array of them has one for each network, too."""
    array = isinstance(value, np.ndarray) and value.ndim == 1
    return each("learning_rate", list(value) if array else value, n)


def each_optimizer(value: Any, n: int) -> list[Any]:
    """Optimizers: an object has the state of one network."""
    if isinstance(value, Optimizer) and n > 1:
        raise ValueError(
            f"optimizer is one {value.rule.name}, which has the state of one network: give its "
            "name, or a list with one for each network"
        )
    return each("optimizer", value, n)


def each_callbacks(value: Any, n: int) -> list[Any]:
    """Callbacks: an object remembers one training, a function need not."""
    if isinstance(value, Callback) and n > 1:
        raise ValueError(
            f"callbacks is one {type(value).__name__}, which follows one training: give a list "
            "with one for each network, as [EarlyStopping() for _ in networks]"
        )
    return [() if entry is None else entry for entry in each("callbacks", value or None, n)]


def each_rng(value: Any, n: int) -> list[Any]:
    """Sources of random numbers: a seed or a Generator makes one for each network.

    None and a RandomState are that for all, in turn.
    """
    if isinstance(value, Draws) and n > 1:
        raise TypeError("rng is where one network's random numbers stand: give a list of them")
    if isinstance(value, (list, tuple)) or value is None or isinstance(value, Draws):
        return each("rng", value, n)
    source = uniform_source(value)
    return list(source.spawn(n)) if isinstance(source, np.random.Generator) else [source] * n


def each_subset(value: Any, n: int) -> list[Any]:
    """Indices of samples: a matrix has a row for each network."""
    matrix = isinstance(value, np.ndarray) and value.ndim == 2
    return each("subsets", list(value) if matrix else value, n)


_OWN_WAYS: dict[str, Callable[[Any, int], list[Any]]] = {
    "learning_rate": each_rate,
    "optimizer": each_optimizer,
    "callbacks": each_callbacks,
    "rng": each_rng,
    "subsets": each_subset,
    "validation_data": lambda value, n: each("validation_data", value, n, tuple),
}


def given(n: int, **arguments: Any) -> dict[str, list[Any]]:
    """Arguments for each of `n` networks."""
    return {
        name: _OWN_WAYS[name](value, n) if name in _OWN_WAYS else each(name, value, n)
        for name, value in arguments.items()
    }


def checked_subset(name: str, value: Any, rows: int) -> npt.NDArray[np.int64] | None:
    """Indices as the engine takes them; of a mask, those where it is true."""
    if value is None:
        return None
    array = np.asarray(value)
    if array.ndim == 1 and not array.size:
        raise ValueError(f"{name} is empty, expected at least one sample")
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise TypeError(
            f"{name} has shape {array.shape} and dtype {array.dtype}, expected (rows,) of ints, "
            "or a mask"
        )
    if array.dtype.kind == "b":
        if array.size != rows:
            raise ValueError(f"{name} is a mask of {array.size} samples, expected {rows}")
        array = np.flatnonzero(array)
    if not array.size:
        raise ValueError(f"{name} is a mask without a sample, expected at least one")
    bad = (array < 0) | (array >= rows)
    if bad.any():
        index = int(bad.argmax())
        raise ValueError(f"{name}[{index}] is {array[index]}, expected 0 to {rows - 1}")
    return array.astype(np.int64)
