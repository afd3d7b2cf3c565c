"""Competitors, and how they are timed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import repeat
from typing import Any, Protocol

import numpy as np

from .._core import collector

__all__ = ["REST", "Calls", "Competitor", "in_turn", "measure", "pulse"]

# Seconds, in which the spinning threads of the competitor before fall asleep: OpenBLAS waits for
# 2**26 cycles before they do.
REST = 0.06


class Competitor(Protocol):
    """One way to do a task.

    Attributes
    ----------
    name : str
        As the report shows it.
    steps : int
        That one run makes.

    """

    name: str
    steps: int

    def start(self) -> None:
        """Go back to the initial weights; not timed."""

    def run(self) -> object:
        """Do all the steps, and be through when it returns; this is timed."""

    def result(self) -> np.ndarray:
        """What the last run arrived at: parameters of a training, outputs of a prediction."""


class Calls:
    """A competitor that is one Python call a step.

    Parameters
    ----------
    name : str
    call : callable
        Without arguments; the loop around it costs 0.01 µs a step.
    result : callable, optional
        The result as an array; default: what `call` returns.
    inside : context manager, optional
        Entered once a run.

    """

    steps = 1000

    def __init__(
        self,
        name: str,
        call: Callable[[], Any],
        result: Callable[[], Any] | None = None,
        inside: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.name = name
        self._call, self._inside, self._result = call, inside, result or call

    def start(self) -> None:
        """Nothing changes from call to call."""

    def run(self) -> None:
        """Call as many times as there are steps."""
        call = self._call
        with self._inside():
            for _ in repeat(None, self.steps):
                call()

    def result(self) -> np.ndarray:
        """What a call gives."""
        with self._inside():
            return np.asarray(self._result())


def in_turn(
    field: Sequence[Competitor], order: random.Random, seconds: float, rest: float = REST
) -> dict[str, float]:
    """A round: `measure` of every competitor, in a random order."""
    return {one.name: measure(one, seconds, rest) for one in order.sample(field, len(field))}


def measure(competitor: Competitor, seconds: float, rest: float = REST) -> float:
    """Mean µs a step over as many whole runs as fill the given time."""
    time.sleep(rest)
    with collector.paused():
        spent, runs = 0.0, 0
        while spent < seconds:
            competitor.start()
            begin = time.perf_counter()
            competitor.run()
            spent += time.perf_counter() - begin
            runs += 1
    return 1e6 * spent / (runs * competitor.steps)


def pulse() -> float:
    """µs of a loop that always does the same: how fast the machine is just now."""
    begin = time.perf_counter()
    for _ in repeat(None, 20_000):
        pass
    return 1e6 * (time.perf_counter() - begin)
