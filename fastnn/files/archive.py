"""Saving a network and loading it again, in either format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from .._core.writing import checked_path, replacing
from ..losses.base import CostFunction
from ..model.draws import Draws
from ..model.snapshot import snapshot
from ..model.stack import Stack
from . import description, document, npz, safetensors_file, training
from .description import Arrays

__all__ = ["TEXT", "contents", "load", "save"]

S = TypeVar("S", bound=Stack)

TEXT = "fastnn"  # the name of the description among the arrays of an .npz file

_SAFETENSORS, _NPZ = ".safetensors", ".npz"


def save(network: Stack, path: Any, training: bool = True) -> None:
    """See `NeuralNetwork.save`."""
    name = checked_path(path)
    if not name.lower().endswith((_SAFETENSORS, _NPZ)):
        raise ValueError(f"path is {name!r}, expected a name that ends in {_SAFETENSORS} or {_NPZ}")
    with network._lock.held():
        snapshot(network)  # which refuses what is no network
        more = (network.optimizer, network.draws) if training else (None, None)
        text, arrays = contents(network, *more)
    with replacing(name) as file:
        if name.lower().endswith(_NPZ):
            npz.write(file, {TEXT: np.array(text), **arrays})
        else:
            safetensors_file.write(file, arrays, text)


def contents(
    network: Stack, optimizer: Any, draws: Draws | None, arrays: Arrays | None = None
) -> tuple[str, Arrays]:
    """What a file is made of: the description as text, and all arrays.

    arrays: those that hold the parameters, and whatever else the checksum is to cover; default: the
    parameters by their names.

    Raises
    ------
    TypeError
        If something is the caller's own, which cannot be made again by its name.
    ValueError
        If the optimizer's state is that of other parameters.

    """
    described = {
        "network": description.network(network),
        "optimizer": training.optimizer(optimizer),
        "draws": training.draws(draws),
    }
    state, size = training.state(optimizer), network.parameters.size
    for key, values in state.items():
        if values.shape != (size,) or values.dtype != network.dtype:
            raise ValueError(
                f"{key} has shape {values.shape} and dtype {values.dtype}, but the network has "
                f"{size} parameters of {network.dtype}: its optimizer has served other ones; "
                "reset() makes it forget them"
            )
    arrays = {**(description.parameters(network) if arrays is None else arrays), **state}
    return document.written(described, arrays), arrays


def load(path: Any, kind: Callable[[list[Any], CostFunction], S]) -> S:
    """The network of a file, as a stack of that kind; see `fastnn.load`."""
    name = checked_path(path)
    try:
        text, arrays = _read(name)
        if text is None:
            raise ValueError("it has no description that fastnn has written")
        return _made(document.read(text, arrays), arrays, kind)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"{name!r} cannot be loaded: {error}") from error


def _read(path: str) -> tuple[str | None, Arrays]:
    """Text and arrays of a file, whose name need not tell its format."""
    if path.lower().endswith(_SAFETENSORS) or not (path.lower().endswith(_NPZ) or npz.is_one(path)):
        return safetensors_file.read(path)
    arrays = npz.read(path)
    text = arrays.pop(TEXT, None)
    return None if text is None else str(text), arrays


def _made(
    described: dict[str, Any], arrays: Arrays, kind: Callable[[list[Any], CostFunction], S]
) -> S:
    network = description.made(described.get("network"), arrays, kind)
    opt = described.get("optimizer")
    if opt is not None:
        theta = network.parameters
        network.optimizer = training.made_optimizer(opt, arrays, theta.size, theta.dtype)
    network.draws = training.made_draws(described.get("draws"))
    return network
