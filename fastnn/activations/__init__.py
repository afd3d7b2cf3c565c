"""Activations: the table, `get_act`, and a class for each entry."""

from typing import Any

from .base import Activator
from .classes import CLASSES as _CLASSES
from .classes import get_act
from .maxout import Maxout
from .spec import Activation
from .table import ACTIVATIONS as _ACTIVATIONS
from .table import find

__all__ = ["ACTIVATIONS", "Activation", "Activator", "Maxout", "find", "get_act"]

ACTIVATIONS = _ACTIVATIONS
"""All entries of the table, by name."""

_BY_NAME = {kind.__name__: kind for kind in _CLASSES.values()}
globals().update(_BY_NAME)
__all__ += [name for name in _BY_NAME if name not in __all__]


def __getattr__(name: str) -> Any:  # types of the classes that are made of entries
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
