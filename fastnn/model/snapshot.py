"""A network as it is at one instant, and the watch that it stays so for the time of a training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from ..kernels.codegen import headers
from ..layers import Layer
from ..layers.changes import changes
from .compile import is_compiled
from .flat_parameters import Known

__all__ = ["Pinned", "Snapshot", "logits", "snapshot"]


class Snapshot(NamedTuple):
    """What a compiled form is made of, so that all of it belongs together.

    The network's own layers may get other weights or another activation at any time, from another
    thread or from code of the caller's that runs in between.
    """

    layers: list[Any]  # detached copies, if all are layers of this library or subclasses
    cost_function: Any
    compiled: bool  # whether the engine can run it
    known: Known | None

    @property
    def theta(self) -> Array:
        """All parameters."""
        assert self.known
        return self.known.theta


def snapshot(network: Any) -> Snapshot:
    """The network as it is now."""
    layers, cost = list(network.layers), network.cost_function
    if not all(isinstance(layer, Layer) for layer in layers):
        return Snapshot(layers, cost, False, None)
    known = network._flat.look(layers)
    return Snapshot(known.twins, cost, is_compiled(known.twins, cost), known)


def logits(layers: Iterable[Any], X: npt.ArrayLike) -> Any:
    """Activity of the last layer; nothing of it stays in the layers."""
    activity: Any = X
    for layer in layers:
        activity = (layer.detached() if isinstance(layer, Layer) else layer)(activity)
    return activity


class Pinned:
    """Holds a network to its structure while it is trained; values may change.

    Parameters
    ----------
    network : Stack
        Whatever has layers, a cost and one vector of parameters.
    now : Snapshot
        Of it.
    *arrays
        The data of the training.
    table : array, optional
        Their headers, if somebody has them already.

    """

    def __init__(
        self,
        network: Any,
        now: Snapshot,
        *arrays: Array,
        table: npt.NDArray[np.int64] | None = None,
    ) -> None:
        self.now, self._network, self._layers = (
            now,
            network,
            now.known.layers if now.known else now.layers,
        )
        self._arrays, self._changes = arrays, now.known.changes if now.known else -1
        self._parameters: Any = now.known
        self._headers = headers.table(list(arrays)) if table is None else table

    def check(self) -> None:
        """Refuse what a callback, a schedule or another thread has made of network and data.

        Raises
        ------
        ValueError
            Naming what has changed.

        """
        network, known = self._network, self.now.known
        if network.cost_function is not self.now.cost_function:
            raise _changed("cost_function is another")
        if network.layers != self._layers:
            raise _changed(_differing(self._layers, list(network.layers)))
        if not headers.unchanged(self._headers):
            raise _changed("the samples, targets or weights have another size or place")
        if known is None or (
            self._changes == changes() and headers.unchanged(self._parameters.headers)
        ):
            return
        for k, (layer, twin) in enumerate(zip(self._layers, known.twins, strict=True)):
            _compare(f"layers[{k}]", layer, twin)
        # Another network has used a layer that both have: by this it comes home again.
        self._parameters = network._flat.look(self._layers)
        if self._parameters.theta is not known.theta:
            raise _changed("the parameters are others")
        self._changes = self._parameters.changes


def _differing(before: list[Any], now: list[Any]) -> str:
    if len(before) != len(now):
        return f"layers are {len(now)}, before {len(before)}"
    index = next(k for k, layer in enumerate(before) if layer is not now[k])
    return f"layers[{index}] is another layer"


_SETTINGS = (
    "dtype", "activation", "activation_parameters", "dropout", "l1", "l2", "trainable",
)  # fmt: skip


def _compare(name: str, layer: Layer, twin: Layer) -> None:
    """Refuse a layer that is no longer what its twin is."""
    if type(layer) is not type(twin):
        raise _changed(f"{name} is a {type(layer).__name__}, before a {type(twin).__name__}")
    for setting in _SETTINGS:
        value, before = getattr(layer, setting, None), getattr(twin, setting, None)
        if value != before:
            raise _changed(f"{name}.{setting} is {_shown(value)}, before {_shown(before)}")
    for trained in twin.trained:
        array, before = getattr(layer, trained), getattr(twin, trained)
        if array.shape != before.shape or array.dtype != before.dtype:
            was = f"before {before.dtype} {before.shape}"
            raise _changed(f"{name}.{trained} is {array.dtype} {array.shape}, {was}")


def _shown(value: Any) -> str:
    return repr(getattr(value, "name", value))


def _changed(what: str) -> ValueError:
    return ValueError(
        f"{what}: during a training, callbacks and schedules may change the values of parameters, "
        "but not the network or the data"
    )
