"""What all rules have in common: their signature, and running means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
State: TypeAlias = dict[str, Any]
Hyper: TypeAlias = Mapping[str, Any]

# rule(g, state, t, rate, hyper, **extra): what to add to the parameters in step t = 1, 2 …, where
# `extra` is what few rules need, the loss `f` or the `noise` of the step.
Rule: TypeAlias = Callable[..., Array]


def running_mean(state: State, name: str, beta: float, value: Array) -> Array:
    """The state m becomes beta m + (1 - beta) value, beginning from zero."""
    before = state.setdefault(name, np.zeros_like(value))
    state[name] = beta * before + (1 - beta) * value
    return np.asarray(state[name])


def largest(state: State, name: str, value: Array) -> Array:
    """The state becomes the larger of itself and the value, beginning from zero."""
    state[name] = np.maximum(state.setdefault(name, np.zeros_like(value)), value)
    return np.asarray(state[name])


def quotient(above: Array, below: Array) -> Array:
    """The quotient; zero where it is 0 / 0, since nothing has happened there so far."""
    nothing = (above == 0) & (below == 0)
    return np.asarray(np.where(nothing, 0.0, above / np.where(nothing, 1.0, below)))
