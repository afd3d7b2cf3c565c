"""Which cost a callback watches: of the training or of the validation data."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from .base import Callback, Run

__all__ = ["Monitor", "checked_monitor", "monitored_cost"]

Monitor: TypeAlias = Literal["cost", "validation_cost"]


def checked_monitor(value: Any) -> Monitor | None:
    """The value, which must be one of those or None."""
    known: tuple[Monitor | None, ...] = (None, "cost", "validation_cost")
    for name in known:
        if type(value) is type(name) and value == name:
            return name
    raise ValueError(f"monitor is {value!r}, expected 'cost', 'validation_cost' or None")


def monitored_cost(callback: Callback, monitor: Monitor | None, run: Run) -> tuple[Monitor, float]:
    """Name and value of the cost to look at, which is that of the parameters as they are."""
    validation = run.validation_cost
    if monitor is None:
        monitor = "cost" if validation is None else "validation_cost"
    value = run.training_cost() if monitor == "cost" else validation
    if value is None:
        raise ValueError(f"{callback!r} needs validation data, but the training has none")
    return monitor, value
