"""Compiled models in users' hands, which must notice when their network goes on without them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.engine import layout
from .arrays import Array

__all__ = ["Owner", "holders", "outdate", "outdate_all", "watch"]


class Owner:
    """The base of a model's descriptor: keeps alive what that has addresses of."""

    def __init__(self, descriptor: npt.NDArray[np.int64], theta: Array) -> None:
        self.descriptor, self.theta = descriptor, theta
        self.layers: tuple[Any, ...] = ()  # of the network, once the model is watched
        self.kept: dict[int, npt.NDArray[Any]] = {}
        self.__array_interface__ = descriptor.__array_interface__

    @property
    def outdated(self) -> bool:
        """Whether the network has gone on without the model."""
        return bool(self.descriptor[layout.STALE])

    def outdate(self) -> None:
        """Let the model be refused from now on."""
        self.descriptor[layout.STALE] = 1


_owners: weakref.WeakValueDictionary[int, Owner] = weakref.WeakValueDictionary()


def watch(owner: Owner, layers: Sequence[Any]) -> None:
    """From now on, tell the model of this owner, made of these layers, when it is out of date."""
    owner.layers = tuple(layers)
    _owners[id(owner)] = owner


def holders(layer: Any) -> list[Owner]:
    """The owners of models that have this layer and are up to date."""
    return [owner for owner in _living() if any(layer is held for held in owner.layers)]


def outdate(layer: Any) -> None:
    """What the models of this layer have compiled in is not so any more."""
    for owner in holders(layer):
        owner.outdate()


def outdate_all(theta: Array) -> None:
    """The same for all models whose parameters these are."""
    for owner in _living():
        if owner.theta is theta:
            owner.outdate()


def _living() -> list[Owner]:
    # Other threads make and drop models: the list of references is taken at once.
    owners = [reference() for reference in _owners.valuerefs()]
    return [owner for owner in owners if owner is not None and not owner.outdated]
