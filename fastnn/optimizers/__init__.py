"""Update rules: the table, `get_opt`, and a class for each entry."""

from typing import Any

from .classes import CLASSES as _CLASSES
from .classes import get_opt
from .levenberg_marquardt import LevenbergMarquardt
from .optimizer import Optimizer
from .spec import Rule
from .table import RULES as _RULES

__all__ = ["RULES", "LevenbergMarquardt", "Optimizer", "Rule", "get_opt"]

RULES = _RULES
"""All entries of the table, by name."""

globals().update(_CLASSES)
__all__ += list(_CLASSES)


def __getattr__(name: str) -> Any:  # types of the classes that are made of entries
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
