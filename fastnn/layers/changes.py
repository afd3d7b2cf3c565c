"""The count of what changes in layers, and the locks of all layers."""

from __future__ import annotations

import itertools
import os
import threading

from .._core.locks import Lock

__all__ = ["changes", "count_change", "passing", "structure"]

_numbers = itertools.count(1)
_changes = 0

# Held while storage or activation of a layer is replaced, and while a network is looked at: what
# several attributes say together is then from one instant, whatever other threads assign.
_structure = threading.RLock()

# Held while samples go through layers that remember them, and back: those of another thread, in
# another network with the same layers, do not come in between.
_passing = Lock("what layers remember of samples")


def changes() -> int:
    """Another number whenever the compiled form of a network, with any layer, is out of date."""
    return _changes


def count_change() -> int:
    """To be called where a layer gets other storage or another activation; the number of this."""
    global _changes
    with _structure:  # the number of one thread must not take the place of a later one
        _changes = next(_numbers)
        return _changes


def structure() -> threading.RLock:
    """The lock of all layers' storage and activations."""
    return _structure


def passing() -> Lock:
    """The lock of what all layers remember of samples."""
    return _passing


def _renew() -> None:
    """In a forked child: a thread of the parent may have held the locks, and is not here."""
    global _structure, _passing
    _structure, _passing = threading.RLock(), Lock("what layers remember of samples")
    count_change()  # prepared calls have the parent's locks


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
