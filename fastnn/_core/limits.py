"""What numbers of entries must be, in words: the same for activations, costs and update rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["check", "check_known"]

_LIMITS: dict[str, Callable[[float, Mapping[str, Any]], bool]] = {
    "any number": lambda value, values: True,
    "at least 0": lambda value, values: value >= 0,
    "above 0": lambda value, values: value > 0,
    "at least 1": lambda value, values: value >= 1,
    "other than 0": lambda value, values: value != 0,
    "from 0 to 1": lambda value, values: 0 <= value <= 1,
    "between 0 and 1": lambda value, values: 0 < value < 1,
    "at least 0 and below 1": lambda value, values: 0 <= value < 1,
    "above min_val": lambda value, values: value > values["min_val"],
}


def check(name: str, limit: str, values: Mapping[str, Any]) -> None:
    """Refuse the number of that name where it is not what it must be.

    >>> check("width", "above 0", {"width": 0.0})
    Traceback (most recent call last):
        ...
    ValueError: width must be above 0, but is 0.0
    """
    if not _LIMITS[limit](values[name], values):
        raise ValueError(f"{name} must be {limit}, but is {values[name]!r}")


def check_known(name: str, limits: Mapping[str, str]) -> None:
    """Refuse an entry whose limits are none of the list.

    >>> check_known("Swish", {"beta": "huge"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: limits of 'Swish': beta is 'huge', expected one of 'any number', ...
    """
    for parameter, limit in limits.items():
        if limit not in _LIMITS:
            known = ", ".join(map(repr, _LIMITS))
            raise ValueError(
                f"limits of {name!r}: {parameter} is {limit!r}, expected one of {known}"
            )
