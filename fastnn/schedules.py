"""Learning rates as functions of the step.

A step is one update of the weights; the first of an optimizer is step 0, and of a call of `fit`
with a schedule instead of an optimizer, the first with this very object. A schedule takes one step
and gives a float, or an integer array of steps and gives an array of float64, of equal numbers.

>>> schedule = WarmUp(2, then=StepDecay(0.8, every=3))
>>> schedule(0)
0.0
>>> schedule(np.arange(9))
array([0. , 0.4, 0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2])

Schedules are values: frozen, hashable, equal when their parameters are. To add one: a dataclass
with its formula as ``_rates``, and its name in `SCHEDULES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, overload

import numpy as np
import numpy.typing as npt

from ._core.arrays import Array, count, number, positive

__all__ = [
    "SCHEDULES",
    "Constant",
    "Cosine",
    "Exponential",
    "InverseTime",
    "OneCycle",
    "Polynomial",
    "Schedule",
    "StepDecay",
    "WarmUp",
    "as_schedule",
]

Steps: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Schedule:
    """The base of all schedules, and of your own.

    A subclass is a frozen dataclass with ``_rates(k)``, which gives the rates of the steps in an
    int64 array. Fields may name the function that checks them in their metadata; all that are
    declared here do.
    """

    def __post_init__(self) -> None:
        for entry in fields(self):
            if check := entry.metadata.get("check"):
                checked = check(entry.name, getattr(self, entry.name))
                object.__setattr__(self, entry.name, checked)

    @overload
    def __call__(self, step: int | np.integer[Any]) -> float: ...

    @overload
    def __call__(self, step: npt.NDArray[np.integer[Any]]) -> Array: ...

    def __call__(self, step: Any) -> Any:
        """Rate at a step, or at each of an array of steps.

        Raises
        ------
        TypeError, ValueError
            If a step is no whole number, or negative.
        ValueError
            If a rate is negative or too large for a float.

        """
        if not isinstance(step, np.ndarray):
            # in an array, so that one step gives the very number that many steps give
            return float(self._checked(np.array([count("step", step, least=0)]))[0])
        if step.dtype.kind not in "iu":
            raise TypeError(f"steps must be integers, not {step.dtype}")
        if step.size:
            count("step", step.min(), least=0)
            count("step", step.max(), least=0)
        return self._checked(np.ascontiguousarray(step.ravel(), np.int64)).reshape(step.shape)

    def _checked(self, k: Steps) -> Array:
        with np.errstate(all="ignore"):
            rates = np.asarray(self._rates(k), dtype=np.float64)
        wrong = ~((rates >= 0.0) & (rates < math.inf))
        if wrong.any():
            raise ValueError(f"{self} gives {rates[wrong][0]} at step {k[wrong][0]}")
        return rates

    def _rates(self, k: Steps) -> Array:
        raise NotImplementedError(f"{type(self).__name__} must define _rates")


def _rate(name: str, value: Any) -> float:
    return number(name, value, least=0.0)


def _rate_or_none(name: str, value: Any) -> float | None:
    return None if value is None else _rate(name, value)


def _fraction(name: str, value: Any) -> float:
    result = _rate(name, value)
    if result > 1.0:
        raise ValueError(f"{name} must be at most 1, but is {result!r}")
    return result


def _steps(name: str, value: Any) -> int:
    return count(name, value, least=1)


def _restarts(name: str, value: Any) -> int | None:
    return None if value is None else count(name, value, least=0)


# Metadata of fields: how `Schedule.__post_init__` checks them.
_RATE = {"check": _rate}  # also of factors: finite, at least 0
_RATE_OR_NONE = {"check": _rate_or_none}
_POSITIVE = {"check": positive}
_FRACTION = {"check": _fraction}
_STEPS = {"check": _steps}
_RESTARTS = {"check": _restarts}


def _blend(first: float, last: float, weight: Array) -> Array:
    """From `first` at weight 1 to `last` at weight 0, exact at both."""
    return weight * first + (1.0 - weight) * last


def _half_cosine(t: Array) -> Array:
    """From 1 at t = 0 to 0 at t = 1, flat at both."""
    return np.asarray(0.5 * (1.0 + np.cos(math.pi * t)))


@dataclass(frozen=True)
class Constant(Schedule):
    """The same rate at all steps.

    Parameters
    ----------
    rate : float
        At least 0.

    Examples
    --------
    >>> Constant(0.1)(1000)
    0.1

    """

    rate: float = field(metadata=_RATE)

    def _rates(self, k: Steps) -> Array:
        return np.full(k.shape, self.rate)


@dataclass(frozen=True)
class StepDecay(Schedule):
    """``rate * factor ** (k // every)``: a drop by the same factor after each `every` steps.

    Parameters
    ----------
    rate : float
        Of step 0.
    every : int
        Steps between drops, at least 1.
    factor : float
        What is left of the rate after a drop; above 1 it grows.

    Examples
    --------
    >>> StepDecay(0.8, every=10)(np.array([0, 9, 10, 20]))
    array([0.8, 0.8, 0.4, 0.2])

    """

    rate: float = field(metadata=_RATE)
    every: int = field(metadata=_STEPS)
    factor: float = field(default=0.5, metadata=_RATE)

    def _rates(self, k: Steps) -> Array:
        return self.rate * np.power(self.factor, (k // self.every).astype(np.float64))


@dataclass(frozen=True)
class Exponential(Schedule):
    """``rate * decay ** (k / every)``: a smooth decay by the factor `decay` in `every` steps.

    Parameters
    ----------
    rate : float
        Of step 0.
    decay : float
        What is left of the rate after `every` steps; above 1 it grows, as in a search for the
        largest rate that still trains.
    every : int
        Steps to which `decay` refers, at least 1.

    Examples
    --------
    >>> Exponential(1.0, decay=0.25, every=2)(np.array([0, 1, 2]))
    array([1.  , 0.5 , 0.25])

    """

    rate: float = field(metadata=_RATE)
    decay: float = field(metadata=_RATE)
    every: int = field(default=1, metadata=_STEPS)

    def _rates(self, k: Steps) -> Array:
        return self.rate * np.power(self.decay, k / self.every)


@dataclass(frozen=True)
class InverseTime(Schedule):
    """``rate / (1 + decay * k / every)``, which falls like 1/k in the end.

    That is slow enough to get anywhere and fast enough to settle: the sum of the rates diverges,
    that of their squares does not.

    Parameters
    ----------
    rate : float
        Of step 0.
    decay : float
        After ``every / decay`` steps half of the rate is left.
    every : int
        Steps to which `decay` refers, at least 1.

    References
    ----------
    .. [1] H. Robbins and S. Monro, "A stochastic approximation method", Annals of Mathematical
       Statistics 22 (1951).

    Examples
    --------
    >>> InverseTime(1.0, decay=0.5)(np.array([0, 2, 6]))
    array([1.  , 0.5 , 0.25])

    """

    rate: float = field(metadata=_RATE)
    decay: float = field(metadata=_RATE)
    every: int = field(default=1, metadata=_STEPS)

    def _rates(self, k: Steps) -> Array:
        return self.rate / (1.0 + self.decay * (k / self.every))


@dataclass(frozen=True)
class Polynomial(Schedule):
    """``final + (rate - final) * (1 - k / steps) ** power``, and `final` ever after.

    Parameters
    ----------
    rate : float
        Of step 0.
    steps : int
        The first step that has the rate `final`, at least 1.
    power : float
        Above 0; with 1 the rate falls along a line.
    final : float
        Of step `steps` and all later ones.

    Examples
    --------
    >>> Polynomial(1.0, steps=4)(np.arange(6))
    array([1.  , 0.75, 0.5 , 0.25, 0.  , 0.  ])

    """

    rate: float = field(metadata=_RATE)
    steps: int = field(metadata=_STEPS)
    power: float = field(default=1.0, metadata=_POSITIVE)
    final: float = field(default=0.0, metadata=_RATE)

    def _rates(self, k: Steps) -> Array:
        left = 1.0 - np.minimum(k, self.steps) / self.steps
        return _blend(self.rate, self.final, np.power(left, self.power))


@dataclass(frozen=True)
class Cosine(Schedule):
    r"""Cosine annealing, with warm restarts if wanted.

    .. math:: \eta = \eta_f + \tfrac{1}{2} (\eta_0 - \eta_f) \left(1 + \cos \frac{\pi t}{T_i}\right)

    at t steps after the i-th restart, with :math:`T_i` = ``steps * multiplier ** i``, the start of
    the training being the 0-th.

    Parameters
    ----------
    rate : float
        Of step 0 and of each restart.
    steps : int
        Length of the first descent, at least 1.
    final : float
        To which a descent comes down. After the last descent it stays.
    restarts : int or None
        How many there are; None for no end of them.
    multiplier : int
        Each descent is that many times as long as the one before, at least 1.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts",
       ICLR 2017, eq. 5.

    Examples
    --------
    >>> Cosine(1.0, steps=2)(np.arange(4)).round(3)
    array([1. , 0.5, 0. , 0. ])
    >>> Cosine(1.0, steps=2, restarts=None, multiplier=2)(np.arange(7)).round(3)
    array([1.   , 0.5  , 1.   , 0.854, 0.5  , 0.146, 1.   ])

    """

    rate: float = field(metadata=_RATE)
    steps: int = field(metadata=_STEPS)
    final: float = field(default=0.0, metadata=_RATE)
    restarts: int | None = field(default=0, metadata=_RESTARTS)
    multiplier: int = field(default=1, metadata=_STEPS)

    def _rates(self, k: Steps) -> Array:
        start, length = self._descents(k)
        return _blend(self.rate, self.final, _half_cosine(np.minimum(k - start, length) / length))

    def _descents(self, k: Steps) -> tuple[Steps, Array | float]:
        """First step and length of the descents in which the steps fall."""
        if self.multiplier == 1:
            past = k // self.steps
            if self.restarts is not None:
                past = np.minimum(past, self.restarts)
            return past * self.steps, float(self.steps)
        starts, lengths = [0], [self.steps]  # in whole numbers, so that restarts fall on a step
        while self.restarts is None or len(starts) <= self.restarts:
            start = starts[-1] + lengths[-1]
            if start > k.max(initial=0):
                break
            starts.append(start)
            lengths.append(lengths[-1] * self.multiplier)
        past = np.searchsorted(np.array(starts), k, side="right") - 1
        return np.array(starts)[past], np.array(lengths, dtype=np.float64)[past]


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Up from `start` to `peak` and down to `final`, along two halves of a cosine.

    Parameters
    ----------
    peak : float
        The largest rate.
    steps : int
        The first step that has the rate `final`, at least 1.
    rise : float
        Part of the steps that go up, from 0 to 1; `peak` is the rate of step
        ``round(rise * steps)``, though of the last step at the latest.
    start : float or None
        Of step 0; None for ``peak / 25``.
    final : float or None
        Of step `steps` and all later ones; None for ``start / 10_000``.

    Notes
    -----
    The paper goes up and down along lines of equal length, and lower still in the last steps
    [1]_. Two half cosines with these defaults are what fastai and PyTorch made usual; PyTorch
    reaches `peak` and `final` one step earlier.

    References
    ----------
    .. [1] L. N. Smith and N. Topin, "Super-convergence: very fast training of neural networks
       using large learning rates", SPIE 11006 (2019).

    Examples
    --------
    >>> OneCycle(1.0, steps=4, rise=0.5, start=0.2, final=0.0)(np.arange(6)).round(3)
    array([0.2, 0.6, 1. , 0.5, 0. , 0. ])

    """

    peak: float = field(metadata=_RATE)
    steps: int = field(metadata=_STEPS)
    rise: float = field(default=0.3, metadata=_FRACTION)
    start: float | None = field(default=None, metadata=_RATE_OR_NONE)
    final: float | None = field(default=None, metadata=_RATE_OR_NONE)

    def _rates(self, k: Steps) -> Array:
        top = min(round(self.rise * self.steps), self.steps - 1)
        start = self.peak / 25.0 if self.start is None else self.start
        final = start / 10_000.0 if self.final is None else self.final
        up = _half_cosine(1.0 - np.minimum(k, top) / max(top, 1))
        down = _half_cosine((np.clip(k, top, self.steps) - top) / (self.steps - top))
        return np.where(k < top, _blend(self.peak, start, up), _blend(self.peak, final, down))


@dataclass(frozen=True)
class _Function(Schedule):
    """A function of the caller's, asked step by step."""

    function: Callable[[int], Any]
    name: str

    def _rates(self, k: Steps) -> Array:
        rates = [_rate(f"{self.name} at step {step}", self.function(step)) for step in k.tolist()]
        return np.array(rates, dtype=np.float64)


def as_schedule(
    value: float | Schedule | Callable[[int], float], name: str = "learning_rate"
) -> Schedule:
    """The schedule that a caller means.

    Parameters
    ----------
    value : float, Schedule or callable
        A number for `Constant`; a schedule, which is returned itself; or a function that takes a
        step, an int, and returns its rate. An array of steps asks such a function once a step.
    name : str
        What errors call `value`.

    Raises
    ------
    TypeError
        If `value` is something else.
    ValueError
        If the number is negative or not finite.

    Examples
    --------
    >>> as_schedule(0.1)
    Constant(rate=0.1)
    >>> as_schedule(lambda step: 1 / (1 + step))(np.arange(3)).round(3)
    array([1.   , 0.5  , 0.333])

    """
    if isinstance(value, Schedule):
        return value
    if callable(value):
        if isinstance(value, type):
            raise TypeError(f"{name} must be a schedule, not a class: call {value.__name__} first")
        return _Function(value, name)
    try:
        return Constant(_rate(name, value))
    except TypeError as error:
        raise TypeError(
            f"{name} must be a number, a schedule or a function of the step, not {value!r}"
        ) from error


def _as_schedule(name: str, value: Any) -> Schedule:
    return as_schedule(value, name)


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Along a line to the first rate of another schedule, which then runs from its own step 0.

    ``start + (then(0) - start) * k / steps`` for k below `steps`, then ``then(k - steps)``.

    Parameters
    ----------
    steps : int
        Length of the line, at least 1.
    then : float, Schedule or callable
        What follows; see `as_schedule`.
    start : float
        Rate of step 0. With 0 that step leaves the weights as they are.

    References
    ----------
    .. [1] P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017,
       section 2.2.

    Examples
    --------
    >>> WarmUp(4, then=1.0)(np.arange(6))
    array([0.  , 0.25, 0.5 , 0.75, 1.  , 1.  ])

    """

    steps: int = field(metadata=_STEPS)
    then: Schedule | float | Callable[[int], float] = field(metadata={"check": _as_schedule})
    start: float = field(default=0.0, metadata=_RATE)

    def _rates(self, k: Steps) -> Array:
        then = as_schedule(self.then)
        left = 1.0 - np.minimum(k, self.steps) / self.steps
        line = _blend(self.start, then(0), left)
        return np.where(k < self.steps, line, then(np.maximum(k - self.steps, 0)))


SCHEDULES: tuple[type[Schedule], ...] = (
    Constant,
    StepDecay,
    Exponential,
    InverseTime,
    Polynomial,
    Cosine,
    OneCycle,
    WarmUp,
)
"""All of them."""
