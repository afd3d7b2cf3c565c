"""All parameters of a network in one flat vector, of which its layers hold views."""

from __future__ import annotations

from collections.abc import Sequence
from operator import is_
from typing import Any

import numpy as np

from ._arrays import Array, aligned
from ._models import holders, outdate_all
from .layers import Layer, count_change


class FlatParameters:
    """Keeps the vector of a list of layers, and gathers it again when the layers have changed.

    The layers own the truth: whoever assigns ``layer.w`` a new shape, replaces a layer in the list
    or puts a layer into a second network takes the views away, and the next use sees it. Networks
    that share a layer have it in turn: whichever is used has its values in its own vector, which
    stays the same one.
    """

    def __init__(self) -> None:
        self._theta: Array = np.empty(0)
        self._layers: list[Layer] = []
        self._views: list[list[Array]] = []  # of each layer, in the order of its `trained`

    @property
    def theta(self) -> Array:
        """The flat vector as it was last, which some layers may have left."""
        return self._theta

    def vector(self, layers: Sequence[Any]) -> Array:
        """The flat vector, up to date, layer by layer, w before b and what else is trained."""
        if len(layers) != len(self._views) or not layers:
            return self._gather(layers)
        for layer, views in zip(layers, self._views, strict=True):
            if not isinstance(layer, Layer) or not _holds(layer, views):
                return self._gather(layers)
        return self._theta

    def _gather(self, layers: Sequence[Any]) -> Array:
        """Fetch all values; models that have these layers elsewhere, or other layers here, end."""
        _check(layers)
        count_change()
        for owner in [owner for layer in layers for owner in holders(layer)]:
            if owner.theta is not self._theta:
                owner.outdate()
        if self._is_home(layers):
            for layer, views in zip(layers, self._views, strict=True):
                for name, view in zip(layer.trained, views, strict=True):
                    view[...] = getattr(layer, name)
                    setattr(layer, f"_{name}", view)
            return self._theta
        outdate_all(self._theta)
        arrays = [getattr(layer, name) for layer in layers for name in layer.trained]
        self._theta = aligned(sum(array.size for array in arrays), layers[0].dtype)
        np.concatenate([array.ravel() for array in arrays], out=self._theta)
        self._views, self._layers = [], list(layers)
        place = 0
        for layer in layers:
            self._views.append([])
            for name in layer.trained:
                array = getattr(layer, f"_{name}")
                view = self._theta[place : place + array.size].reshape(array.shape)
                setattr(layer, f"_{name}", view)
                self._views[-1].append(view)
                place += array.size
        return self._theta

    def _is_home(self, layers: Sequence[Layer]) -> bool:
        """Whether the vector was made for these layers, with these shapes."""
        return len(layers) == len(self._layers) and all(
            layer is known
            and [getattr(layer, name).shape for name in layer.trained]
            == [view.shape for view in views]
            and layer.dtype == self._theta.dtype
            for layer, known, views in zip(layers, self._layers, self._views, strict=True)
        )


def _holds(layer: Layer, views: list[Array]) -> bool:
    """Whether the parameters of a layer are still these; written for speed."""
    return (
        layer._w is views[0]
        and layer._b is views[1]
        and len(layer.trained) == len(views)
        and (len(views) == 2 or all(map(is_, views, _stored(layer))))
    )


def _stored(layer: Layer) -> list[Any]:
    return [getattr(layer, f"_{name}") for name in layer.trained]


def _check(layers: Sequence[Any]) -> None:
    if not layers:
        raise ValueError("layers is empty, expected at least one layer")
    for k, layer in enumerate(layers):
        if not isinstance(layer, Layer):
            raise TypeError(f"layers[{k}] is a {type(layer).__name__}, expected a Layer")
        layer.check_shapes(f"layers[{k}].")
        if k:
            check_neighbours(layers, k)
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
