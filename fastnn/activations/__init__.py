"""Activations: the table, `get_act`, and a class for each entry."""

from typing import Any

from . import table as _table
from .table import *  # noqa: F403

__all__ = list(_table.__all__)

ACTIVATIONS = _table.ACTIVATIONS
"""All entries of the table, by name."""


def __getattr__(name: str) -> Any:  # types of the classes that `table` makes of its entries
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
