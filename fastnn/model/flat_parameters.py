"""All parameters of a network in one flat vector, of which its layers hold views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned
from .._core.live_models import holders, outdate_all
from ..kernels.codegen import headers
from ..layers import Layer
from ..layers.changes import changes, count_change, structure


class Known(NamedTuple):
    """A network's layers and parameters as they are at one instant."""

    changes: int  # of any layer, at that time
    layers: list[Any]
    views: list[list[Array]]  # of each layer, in the order of its `trained`
    vector: Array  # what `parameters` gives to the caller
    headers: npt.NDArray[np.int64]  # of all these arrays, which the caller may change in place
    theta: Array  # the same vector: nobody else has this object, nor the layers that follow
    twins: list[Any]  # the layers, detached


class FlatParameters:
    """Keeps the vector of a list of layers, and gathers it again when the layers have changed.

    The layers own the truth: whoever assigns ``layer.w`` a new shape, replaces a layer in the list
    or puts a layer into a second network takes the views away, and the next use sees it. Networks
    that share a layer have it in turn: whichever is used has its values in its own vector, which
    stays the same one.
    """

    def __init__(self) -> None:
        self._known: Known | None = None

    @property
    def theta(self) -> Array | None:
        """The flat vector as it was last, which some layers may have left."""
        return None if self._known is None else self._known.theta

    def vector(self, layers: Sequence[Any]) -> Array:
        """The flat vector, up to date, layer by layer, w before b and what else is trained."""
        return self.look(layers).vector

    def gather(self, layers: Sequence[Any]) -> None:
        """Fetch all values into the vector, as `look` does where it must, and no more.

        That is a change to all other networks: of many, the first `look` is best after it.
        """
        with structure():
            if self._known is None or not _hold(list(layers), self._known):
                self._known = _gathered(list(layers), self._known)

    def look(self, layers: Sequence[Any]) -> Known:
        """What the layers are now, all of it from one instant."""
        known = self._known
        if (
            known is None
            or known.changes != changes()
            or known.layers != layers
            or list(map(type, known.twins)) != list(map(type, layers))
            or not headers.unchanged(known.headers)
        ):
            with structure():
                known = self._known = _looked_at(list(layers), self._known)
        return known


def _looked_at(layers: list[Any], last: Known | None) -> Known:
    """What to know of layers that differ from the last ones, or may."""
    now, twins = None, []
    if last is None or not _hold(layers, last):
        before = changes()
        last = _gathered(layers, last)
        if last.changes == before + 1:  # there was no other since the layers were looked at
            now, twins = last.changes, last.twins
    if now is None:
        now, twins = changes(), _detached(layers)  # in this order: what changes later is seen later
        _check(layers, twins)
    attach(twins, last.theta, last.views)
    return last._replace(changes=now, layers=layers, twins=twins)


def attach(twins: list[Any], theta: Array, like: list[list[Array]]) -> None:
    """Give detached layers parameters in a vector, in the shapes of other arrays."""
    for twin, views in zip(twins, _cut(theta, like), strict=True):
        vars(twin).update(zip((f"_{name}" for name in twin.trained), views, strict=True))


def _detached(layers: list[Any]) -> list[Any]:
    return [layer.detached() if isinstance(layer, Layer) else layer for layer in layers]


def _hold(layers: list[Any], last: Known) -> bool:
    """Whether the parameters of these layers are the views of the last ones, as they were made."""
    return (
        len(layers) == len(last.views)
        and bool(layers)
        and all(map(_holds, layers, last.views))
        and bool(headers.unchanged(last.headers))
    )


def _holds(layer: Any, views: list[Array]) -> bool:
    return (
        isinstance(layer, Layer)
        and len(layer.trained) == len(views)
        and all(
            getattr(layer, f"_{name}") is view
            for name, view in zip(layer.trained, views, strict=True)
        )
    )


def _gathered(layers: list[Any], last: Known | None) -> Known:
    """Fetch all values into the vector; the lock of `structure` is held.

    Models that have these layers elsewhere end, and those that have other layers here.
    """
    twins = _detached(layers)
    _check(layers, twins)
    arrays = [_stored(twin) for twin in twins]
    vector = None
    if last is not None and _is_home(layers, arrays, last):
        theta = last.theta
        vector = last.vector if headers.unchanged(last.headers[:1]) else None
    else:
        if last is not None:
            outdate_all(last.theta)
        theta = aligned(sum(array.size for parts in arrays for array in parts), twins[0].dtype)
    for owner in [owner for layer in layers for owner in holders(layer)]:
        if owner.theta is not theta:
            owner.outdate()
    views = _cut(theta, arrays)
    for layer, parts, given in zip(layers, views, arrays, strict=True):
        for name, view, array in zip(layer.trained, parts, given, strict=True):
            view[...] = array
            setattr(layer, f"_{name}", view)
    now = count_change()
    vector = theta[:] if vector is None else vector
    table = headers.table([vector, *(view for parts in views for view in parts)])
    return Known(now, layers, views, vector, table, theta, twins)


def _stored(layer: Layer) -> list[Array]:
    return [getattr(layer, name) for name in layer.trained]


def _is_home(layers: list[Any], arrays: list[list[Array]], last: Known) -> bool:
    """Whether the last vector was made for these layers, with these shapes."""
    return (
        len(layers) == len(last.layers)
        and all(layer is known for layer, known in zip(layers, last.layers, strict=True))
        and [[(array.shape, array.dtype) for array in parts] for parts in arrays]
        == [[(array.shape, array.dtype) for array in _stored(twin)] for twin in last.twins]
    )


def _cut(theta: Array, like: list[list[Array]]) -> list[list[Array]]:
    """New views of a vector in the shapes of other arrays."""
    views: list[list[Array]] = []
    offset = 0
    for parts in like:
        views.append([])
        for array in parts:
            views[-1].append(theta[offset : offset + array.size].reshape(array.shape))
            offset += array.size
    return views


def _check(layers: list[Any], twins: list[Any]) -> None:
    """Refuse what is no network; of its layers, their detached copies are looked at."""
    if not layers:
        raise ValueError("layers is empty, expected at least one layer")
    for k, layer in enumerate(twins):
        if not isinstance(layer, Layer):
            raise TypeError(f"layers[{k}] is a {type(layer).__name__}, expected a Layer")
        layer.check_shapes(f"layers[{k}].")
        if k:
            check_neighbours(twins, k)
    if len({id(layer) for layer in layers}) < len(layers):
        raise ValueError("layers holds one layer twice, expected distinct layers")


def check_neighbours(layers: Sequence[Layer], k: int) -> None:
    """Refuse layer k if it does not take what the one before it gives."""
    if layers[k].dtype != layers[k - 1].dtype:
        raise TypeError(
            f"layers[{k}] has dtype {layers[k].dtype}, expected that of layers[{k - 1}], "
            f"{layers[k - 1].dtype}: all layers of a network have one dtype"
        )
    given, taken = layers[k - 1].dim_output, layers[k].dim_input
    if given != taken:
        raise ValueError(f"layers[{k}] takes {taken} features, but layers[{k - 1}] gives {given}")
