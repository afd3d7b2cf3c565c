"""A class for each entry of the table, and `get_opt`."""

from __future__ import annotations

import functools
import inspect
from typing import Any, Literal, overload

from .._core.table import make_class
from . import levenberg_marquardt
from .levenberg_marquardt import LevenbergMarquardt
from .optimizer import Optimizer
from .spec import Rule
from .table import RULES, find

__all__ = ["CLASSES", "get_opt", "resolve"]


@overload
def get_opt(
    name: Literal["LM", "Levenberg-Marquardt"], *numbers: Any, **hyper: Any
) -> LevenbergMarquardt: ...


@overload
def get_opt(name: str, *numbers: Any, **hyper: Any) -> Optimizer: ...


def get_opt(name: str, *numbers: Any, **hyper: Any) -> Optimizer | LevenbergMarquardt:
    """An optimizer by its name.

    Parameters
    ----------
    name : str
        Of a class of ``fastnn.optimizers``, whose docstring tells its formula and what its numbers
        mean, as in ``help(fastnn.optimizers.Lion)``; ``docs/optimizers.md`` has a table of them:
        SGD (also "SDG"), MSGD, NAG, AdaGrad, RMSprop, AdaDelta, Adam, RMSpropGraves, SMORMS3,
        AdaMax, Nadam, Eve, SantaE, SantaSSS, AMSGrad, AdaBound, AMSBound, AdamW, NadamW, RAdam,
        Lion, AdaBelief, Rprop. And "LM", which is no rule, but a method of `fit`:
        `LevenbergMarquardt`.
    *numbers, **hyper
        The rule's own numbers under the articles' names and in their order (``eta`` or ``alpha``
        for the learning rate, also ``learning_rate``; ``beta1``, ``beta2``, ``eps``,
        ``eps_placement`` …), and for every rule those of `Optimizer`.

    Returns
    -------
    Optimizer, or LevenbergMarquardt

    Raises
    ------
    ValueError
        For an unknown name (the message names the nearest) or a number out of its range.
    TypeError
        For a number that the rule does not have.

    Examples
    --------
    >>> opt = get_opt("Adam", alpha=0.01)
    >>> opt
    Adam(alpha=0.01, beta1=0.9, beta2=0.999, eps=1e-08, eps_placement='inside')
    >>> opt.beta1 = 0.8
    >>> opt.beta1
    0.8

    """
    if levenberg_marquardt.is_meant(name):
        return LevenbergMarquardt(*numbers, **hyper)
    return CLASSES[find(name).name](*numbers, **hyper)


def resolve(given: Any, last: Optimizer | None) -> Optimizer:
    """The optimizer that a caller means; the name of the last one goes on with its state."""
    if isinstance(given, LevenbergMarquardt) or levenberg_marquardt.is_meant(given):
        levenberg_marquardt.refuse()
    if isinstance(given, str):
        usual = _usual(given)
        if last is not None and repr(last) == repr(usual):
            return last
        new: Optimizer = get_opt(given) if usual.rule.noisy else usual.renewed()
        return new
    if not isinstance(given, Optimizer):
        raise TypeError(f"optimizer must be a name or what fastnn.get_opt returns, not {given!r}")
    return given


@functools.lru_cache
def _usual(name: str) -> Any:
    """The optimizer of that name, which nobody uses: others are made from it."""
    made: Any = CLASSES[find(name).name]
    return made()


def _class(rule: Rule) -> type[Optimizer]:
    """The class of an update rule."""

    def __init__(self: Optimizer, *numbers: Any, **hyper: Any) -> None:  # noqa: N807
        Optimizer.__init__(self, rule, **rule.placed(rule.places, numbers, hyper))

    attributes = {
        "__slots__": (),
        "__init__": __init__,
        "__signature__": _signature(rule),
        **{name: _number(name, rule) for name in rule.defaults if name != "learning_rate"},
    }
    return make_class(rule.name, Optimizer, __package__, rule.documentation, attributes)


def _signature(rule: Rule) -> inspect.Signature:
    positional, keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    common: dict[str, Any] = {
        "weight_decay": rule.weight_decay,
        "clip_norm": None,
        "clip_value": None,
        "on_nonfinite": "raise",
        **({"rng": None} if rule.noisy else {}),
    }
    return inspect.Signature(
        [
            *(
                inspect.Parameter(name, positional, default=rule.defaults[name])
                for name in rule.places
            ),
            *(inspect.Parameter(name, keyword, default=value) for name, value in common.items()),
        ]
    )


def _number(name: str, rule: Rule) -> property:
    """The attribute of one of the rule's numbers, checked wherever it is set."""

    def get(opt: Optimizer) -> Any:
        return opt.learning_rate if name == rule.rate else opt.hyper[name]

    return property(get, lambda opt, value: opt.set(name, value), doc=rule.meaning(name))


CLASSES = {rule.name: _class(rule) for rule in RULES.values()}
"""All classes, by the names of their rules."""
