"""Costs of a network: the table, and a class for each entry."""

from typing import Any

from .base import CostFunction, CostKernels
from .classes import COSTS as _COSTS
from .mixture import MixtureDensityError
from .spec import Loss
from .table import LOSSES as _LOSSES

__all__ = ["COSTS", "LOSSES", "CostFunction", "CostKernels", "Loss", "MixtureDensityError"]

LOSSES = _LOSSES
"""All entries of the table, by name."""
COSTS = _COSTS
"""Their classes, by name."""

globals().update(COSTS)
__all__ += [name for name in COSTS if name not in __all__]


def __getattr__(name: str) -> Any:  # types of the classes that are made of entries
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
