"""Costs of a network: the table, and a class for each entry."""

from typing import Any

from .base import CostFunction, CostKernels
from .classes import COSTS
from .mixture import MixtureDensityError
from .spec import Loss
from .table import LOSSES

__all__ = ["COSTS", "LOSSES", "CostFunction", "CostKernels", "Loss", "MixtureDensityError"]

globals().update(COSTS)
__all__ += [name for name in COSTS if name not in __all__]


def __getattr__(name: str) -> Any:  # types of the classes that are made of entries
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
