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
from fastnn.reference import ReferenceOptimizer

__all__ = ["RATE", "SHAPES", "TASKS", "Case", "Task", "choose", "copy", "oracle", "ours"]

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
    """A rule under the name by which it is known.

    Attributes
    ----------
    rule : str
        Of ours.
    settings : dict
        Ours for what the peers do at the learning rate `RATE`.
    moved : int
        Numbers that a step must read and write for each parameter, the states among them.

    """

    rule: str
    settings: dict[str, Any]
    moved: int


_OUT = {"eps_placement": "outside"}
TASKS = {
    "SGD": Task("SGD", {"eta": RATE}, 3),
    # the peers' momentum adds gradients up, ours takes their mean
    "momentum": Task("MSGD", {"eta": RATE / (1 - 0.9), "mu": 0.9}, 5),
    "AdaGrad": Task("AdaGrad", {"eta": RATE}, 5),
    "RMSprop": Task("RMSprop", {"eta": RATE, **_OUT}, 5),
    "Adam": Task("Adam", {"alpha": RATE, **_OUT}, 7),
    "AdamW": Task("AdamW", {"alpha": RATE}, 7),
    "AMSGrad": Task("AMSGrad", {"alpha": RATE, **_OUT}, 9),
}


@dataclass(frozen=True)
class Case:
    """A rule on arrays of a size."""

    name: str
    size: str

    @property
    def task(self) -> Task:
        return TASKS[self.name]

    @property
    def elements(self) -> int:
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


def choose(names: list[str], sizes: list[str]) -> list[Case]:
    """What shares its arrays stands together."""
    return [Case(name, size) for size in sizes for name in TASKS if name in names]


Entry = tuple[str, Callable[[], Any], Callable[[], Arrays]]


def ours(case: Case) -> Entry:
    """The step, and the parameters as they are."""
    optimizer = fastnn.get_opt(case.task.rule, **case.task.settings)
    params, grads = case.params(), case.grads()
    return "fastnn", lambda: optimizer.step(params, grads), lambda: params


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
    optimizer = ReferenceOptimizer.named(case.task.rule, **case.task.settings)
    first, g = (
        np.concatenate([a.ravel() for a in arrays]).astype(np.float64)
        for arrays in (case.params(), case.grads())
    )
    p = first
    for _ in range(steps):
        p = optimizer.step(p, g)
    return np.asarray(p - first)
