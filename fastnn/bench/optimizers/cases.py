"""What is compared: which rule, on which arrays; and how ours does it."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import fastnn

from ...optimizers import RULES, Rule
from ...reference import ReferenceOptimizer

__all__ = [
    "NAMES", "RATE", "SHAPES", "TASKS", "Case", "Task", "copy", "oracle", "ours",
    "reference",
]  # fmt: skip

Arrays = list[npt.NDArray[np.float32]]

RATE = 1e-3

# about so many parameters, in the arrays of networks with one hidden layer
SHAPES: dict[str, list[tuple[int, ...]]] = {
    "1k": [(1000,)],
    "7.5k": [(64, 100), (100,), (10, 100), (10,)],
    "100k": [(300, 300), (300,), (32, 300), (32,)],
    "1M": [(1000, 900), (1000,), (98, 1000), (98,)],
    "10M": [(3000, 3000), (3000,), (330, 3000), (330,)],
}


@dataclass(frozen=True)
class Task:
    """A rule under the name by which peers know it.

    Attributes
    ----------
    rule : str
        Of ours.
    settings : dict
        Ours for what the peers do at the learning rate `RATE`.

    """

    rule: str
    settings: dict[str, Any]


_OUT = {"eps_placement": "outside"}
TASKS = {
    "SGD": Task("SGD", {"eta": RATE}),
    # the peers' momentum adds gradients up, ours takes their mean
    "momentum": Task("MSGD", {"eta": RATE / (1 - 0.9), "mu": 0.9}),
    "AdaGrad": Task("AdaGrad", {"eta": RATE}),
    "RMSprop": Task("RMSprop", {"eta": RATE, **_OUT}),
    "Adam": Task("Adam", {"alpha": RATE, **_OUT}),
    "AdamW": Task("AdamW", {"alpha": RATE}),
    "AMSGrad": Task("AMSGrad", {"alpha": RATE, **_OUT}),
}
_SETTINGS = {name: {"burnin": 0} for name in ("SantaE", "SantaSSS")}  # descent, without its noise
_SHARED = {task.rule for task in TASKS.values()}
NAMES = [*TASKS, *(rule for rule in RULES if rule not in _SHARED)]
"""Tasks that peers share, then the other rules of the table with their own defaults."""


@dataclass(frozen=True)
class Case:
    """A rule on arrays of a size."""

    name: str
    size: str

    @property
    def task(self) -> Task:
        """What is known by the name."""
        return TASKS.get(self.name) or Task(self.name, _SETTINGS.get(self.name, {}))

    @property
    def rule(self) -> Rule:
        """The row of the table."""
        return RULES[self.task.rule]

    @property
    def moved(self) -> int:
        """Numbers that a step reads and writes for each parameter: p twice, g, and the states."""
        return 3 + 2 * len(self.rule.states)

    @property
    def elements(self) -> int:
        """Parameters in all."""
        return sum(math.prod(shape) for shape in SHAPES[self.size])

    def params(self) -> Arrays:
        """New ones, small: steps must be seen beside them."""
        return _normal(self.size, 0)

    def grads(self) -> Arrays:
        """New ones, none so near to zero that the peers' eps would matter."""
        return [g + np.copysign(np.float32(1e-2), g) for g in _normal(self.size, 1)]


def _normal(size: str, seed: int) -> Arrays:
    rng = np.random.default_rng(seed)
    return [np.float32(1e-2) * rng.standard_normal(shape, np.float32) for shape in SHAPES[size]]


Entry = tuple[str, Callable[[], Any], Callable[[], Any]]


def ours(case: Case) -> Entry:
    """The step, and the parameters as they are."""
    optimizer = fastnn.get_opt(case.task.rule, **case.task.settings)
    params, grads = case.params(), case.grads()
    if case.rule.needs_loss:
        return "fastnn", lambda: optimizer.step(params, grads, f=1.0), lambda: params
    return "fastnn", lambda: optimizer.step(params, grads), lambda: params


def reference(case: Case) -> Entry:
    """The step of the textbook, on one vector in float64."""
    theta, g = _vector(case.params()), _vector(case.grads())
    step = _twin(case, theta.size)
    now = [theta]

    def take() -> None:
        now[0] = step(now[0], g)

    return "reference", take, lambda: now


def _vector(arrays: Arrays) -> npt.NDArray[np.float64]:
    return np.concatenate([a.ravel() for a in arrays]).astype(np.float64)


def _twin(case: Case, size: int) -> Callable[..., npt.NDArray[np.float64]]:
    """A step from parameters and gradient to parameters."""
    optimizer = ReferenceOptimizer.named(case.task.rule, **case.task.settings)
    if case.rule.noisy:  # at first; the steps are those without noise
        optimizer.state["u"] = np.random.default_rng(0).standard_normal(size)
    extra = {"f": 1.0} if case.rule.needs_loss else {}
    return lambda p, g: optimizer.step(p, g, **extra)


def copy(case: Case, threads: int) -> list[Entry]:
    """As many numbers read and written, each thread its part."""
    source = np.concatenate([g.ravel() for g in case.grads()])
    target = np.empty_like(source)
    pairs = list(zip(np.array_split(target, threads), np.array_split(source, threads), strict=True))
    if threads == 1:
        return [("copy", lambda: np.copyto(target, source), lambda: [])]
    pool = ThreadPoolExecutor(threads)
    return [("copy", lambda: list(pool.map(lambda pair: np.copyto(*pair), pairs)), lambda: [])]


def oracle(case: Case, steps: int) -> npt.NDArray[np.float64]:
    """What these steps add to the parameters, as one vector."""
    first, g = _vector(case.params()), _vector(case.grads())
    step, p = _twin(case, first.size), first
    for _ in range(steps):
        p = step(p, g)
    return np.asarray(p - first)
