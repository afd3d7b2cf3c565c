"""What a training goes on from, as a description and named arrays, and back.

That is the optimizer with its settings, its schedule and its state, and where the random numbers
of shuffles and dropout stand.
"""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from ..model.draws import Draws
from ..optimizers import RULES, Optimizer
from ..optimizers.classes import CLASSES
from ..optimizers.settings import COMMON
from ..schedules import SCHEDULES, Schedule
from .description import Arrays, array_of, found
from .document import entry

__all__ = ["draws", "made_draws", "made_optimizer", "optimizer", "state"]

_MOST_DRAWS = 2**44  # samples that shuffles of a file may have moved: they are repeated
_SCHEDULES = {kind.__name__: kind for kind in SCHEDULES}


def optimizer(opt: Any) -> dict[str, Any] | None:
    """What an optimizer is, with the numbers of its state.

    Raises
    ------
    TypeError
        If it has a learning rate or a number that is a function of the caller's.

    """
    if opt is None:
        return None
    rule: Any = getattr(opt, "rule", None)
    if CLASSES.get(getattr(rule, "name", "")) is not type(opt):
        raise TypeError(f"optimizer is {opt!r}, expected what fastnn.get_opt returns")
    numbers = {name: getattr(opt, name) for name in (*rule.own, *COMMON)}
    for key, value in numbers.items():
        if callable(value):
            raise TypeError(f"{key} of {rule.name} is a function of your own, which no file holds")
    own = isinstance(opt.learning_rate, Schedule) or callable(opt.learning_rate)
    return {
        "name": rule.name,
        "learning_rate": _schedule(opt.schedule) if own else float(opt.learning_rate),
        "numbers": numbers,
        "state": {
            key: None if value != value else value  # NaN, of Eve before its second step
            for key, value in opt.state_dict().items()
            if key not in rule.states
        },
    }


def state(opt: Any) -> Arrays:
    """The state of each parameter as named arrays, such as ``optimizer.m``; none before a step."""
    if opt is None or not opt.steps:
        return {}
    named = opt.state_dict()
    return {f"optimizer.{key}": named[key] for key in opt.rule.states if key in named}


def made_optimizer(described: Any, arrays: Arrays, size: int, dtype: np.dtype[Any]) -> Optimizer:
    """The optimizer that `optimizer` described; of so many parameters of that dtype."""
    rule = found("optimizer", entry(described, "name", str), RULES)
    numbers, told = entry(described, "numbers", dict), entry(described, "state", dict)
    told = {key: value for key, value in told.items() if key not in rule.states}
    rate = entry(described, "learning_rate", (int, float, dict))
    kind: Any = CLASSES[rule.name]
    given = {rule.rate: _made_schedule(rate) if isinstance(rate, dict) else rate, **numbers}
    opt: Optimizer = kind(**given, **({"rng": 0} if rule.noisy else {}))
    told |= {key: math.nan for key in rule.memory if told.get(key, 0) is None}
    for key in rule.states:
        if f"optimizer.{key}" in arrays:
            told[key] = array_of(arrays, f"optimizer.{key}", (size,), dtype)
    opt.load_state_dict(told)
    return opt


def _schedule(value: Any) -> dict[str, Any]:
    """A schedule by its name and its parameters."""
    kind = type(value)
    if _SCHEDULES.get(kind.__name__) is not kind:
        raise TypeError(
            f"the learning rate is {getattr(value, 'function', value)!r}, of your own: files hold "
            "numbers and schedules of fastnn.schedules only; training=False leaves it out"
        )
    given = {each.name: getattr(value, each.name) for each in fields(value)}
    return {
        "name": kind.__name__,
        "parameters": {
            name: _schedule(one) if isinstance(one, Schedule) else one
            for name, one in given.items()
        },
    }


def _made_schedule(described: Any) -> Schedule:
    kind = found("schedule", entry(described, "name", str), _SCHEDULES)
    given = entry(described, "parameters", dict)
    made: Schedule = kind(
        **{
            name: _made_schedule(value) if isinstance(value, dict) else value
            for name, value in given.items()
        }
    )
    return made


def draws(value: Draws | None) -> dict[str, int] | None:
    """Where random numbers stand."""
    return None if value is None else asdict(value)


def made_draws(described: Any) -> Draws | None:
    """The same again."""
    if described is None:
        return None
    found = Draws(**described)
    if found.epochs * found.rows > _MOST_DRAWS:
        raise ValueError(
            f"its draws are those of {found.epochs} shuffles of {found.rows} samples, which would "
            "take days to repeat"
        )
    return found
