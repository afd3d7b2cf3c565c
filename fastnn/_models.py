"""Compiled models in users' hands, which must notice when their network goes on without them."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._arrays import Array
    from ._program import Owner

__all__ = ["holders", "outdate", "outdate_all", "watch"]

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
    found = [reference() for reference in _owners.valuerefs()]
    return [owner for owner in found if owner is not None and not owner.outdated]
