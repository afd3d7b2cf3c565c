"""A saved state of an optimizer, as `state_dict` gives it: checked before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .._core.arrays import Array, convert, count, float_dtype, number
from .spec import Rule

__all__ = ["SavedState"]

_NEVER_NEGATIVE = ("v", "vhat", "s", "step")  # states that roots are taken of, and sizes


class SavedState(NamedTuple):
    """What a training goes on from."""

    steps: int
    states: Array | None  # one a row; None before the first step, and of rules without any
    memory: list[float]
    seed: int

    @classmethod
    def of(cls, rule: Rule, state: Any) -> SavedState:
        """A state of that rule.

        Raises
        ------
        TypeError, ValueError
            If it is no such state, or that of another rule.

        """
        if not isinstance(state, Mapping):
            raise TypeError(f"state must be what state_dict() gave, not {state!r}")
        state = {  # NumPy's archives have arrays only
            key: value.item() if isinstance(value, np.ndarray) and not value.ndim else value
            for key, value in state.items()
        }
        if state.get("name") != rule.name:
            raise ValueError(f"state is that of {state.get('name')!r}, expected {rule.name!r}")
        rest = [*rule.memory, *(["seed"] if rule.noisy else [])]
        missing = [key for key in ("steps", *rule.states, *rest) if key not in state]
        if missing and (missing != list(rule.states) or state["steps"]):
            raise ValueError(f"state lacks {', '.join(missing)}")
        steps = count("steps", state["steps"], least=0)
        states = _states(rule, state)
        memory = [
            first if first != first and state[key] != state[key] else number(key, state[key])
            for key, first in rule.memory.items()  # NaN: nothing is known so far
        ]
        seed = count("seed", state["seed"], least=0) if rule.noisy else 0
        return cls(steps, states, memory, seed)


def _states(rule: Rule, state: Mapping[str, Any]) -> Array | None:
    """What is kept of each parameter, stacked."""
    dtype = float_dtype(state["dtype"]) if "dtype" in state else None
    vectors = {key: convert(key, state[key], dtype) for key in rule.states if key in state}
    lengths = {values.shape for values in vectors.values()}
    if len(lengths) > 1 or any(len(shape) != 1 for shape in lengths):
        shapes = ", ".join(f"{key} has {values.shape}" for key, values in vectors.items())
        raise ValueError(f"states must be vectors of one length, but of the shapes {shapes}")
    for key, values in vectors.items():
        positive = key in _NEVER_NEGATIVE
        if not np.isfinite(values).all() or (positive and (values < 0).any()):
            raise ValueError(f"{key} must be finite{', and not negative' * positive}")
    return np.stack(list(vectors.values())) if vectors else None
