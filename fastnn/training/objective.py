"""What methods have in common that minimize a cost of all samples, and their loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from .._core.arrays import Array
from ..kernels.solvers import record
from ..layers.base import check_trainable
from ..model.evaluation import check_parameters
from ..model.snapshot import Pinned, Snapshot, snapshot
from ..model.stack import Stack

__all__ = ["BLOCK", "Block", "Minimum", "NotFiniteError", "Objective", "Search", "drive"]

BLOCK = 1 << 16  # iterations that are written down at once, at most


class NotFiniteError(ValueError):
    """There is nowhere to begin."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the cost or its gradient is infinite or NaN where {name} begins")


class Minimum(NamedTuple):
    """What a minimization has come to.

    Attributes
    ----------
    costs : array (iterations + 1,)
        Before the first iteration and after each.
    converged : bool
        Whether no lower cost is to be found, within the tolerances or at all.
    reason : str
        Why it ended.

    """

    costs: Array
    converged: bool
    reason: str


class Block(NamedTuple):
    """Iterations that were made in one go.

    Attributes
    ----------
    costs : array (iterations + 1,)
        Before the first of them and after each.
    steps : array (iterations,)
        How far each went, in multiples of its direction.
    seconds : array (iterations,)

    """

    costs: Array
    steps: Array
    seconds: Array

    @classmethod
    def of(cls, written: Array, done: int) -> Block:
        """The first iterations of a record, see `kernels.solvers.record`."""
        return cls(
            written[record.COSTS, : done + 1],
            written[record.STEPS, :done],
            written[record.SECONDS, :done],
        )


class Objective:
    """Checked samples, and the parameters that are to minimize their cost.

    Parameters
    ----------
    network : Stack
    x, t, weights : array
        See `Samples`.
    pinned : Pinned or None
        Of them, if there is one already.

    """

    NAME: str  # of the method

    def __init__(
        self, network: Stack, x: Array, t: Array, weights: Array, pinned: Pinned | None
    ) -> None:
        self.network = network
        self.pinned = pinned or Pinned(network, snapshot(network), x, t, weights)
        now = self.pinned.now
        self.check(now)
        self.theta = now.theta
        check_parameters(self.theta)

    def check(self, now: Snapshot) -> None:
        """Refuse what has no gradient of the whole cost, or not the same at every evaluation."""
        check_trainable(now.layers)
        if not now.compiled:
            raise TypeError(f"{self.NAME} needs a network of DenseLayers and a cost of fastnn")
        for k, layer in enumerate(now.layers):
            if layer.dropout:
                raise ValueError(
                    f"layers[{k}] has dropout={layer.dropout}, but {self.NAME} needs the same cost "
                    "at every evaluation"
                )


class Search(Protocol):
    """A minimization under way."""

    pinned: Pinned
    theta: Array  # the network's parameters

    @property
    def is_over(self) -> bool:
        """Whether it has ended by itself."""

    def iterate(self, iterations: int) -> Block:
        """Some iterations; fewer if it is over."""

    def write(self) -> None:
        """Give the network the point at hand."""

    def read(self) -> None:
        """Begin anew where the network is."""

    def settle(self) -> None:
        """Give the network the best point."""


def drive(
    search: Search,
    iterations: int,
    report: Callable[[Block], object] | None,
    until_due: Callable[[], int],
) -> tuple[Array, bool]:
    """Search until it is enough; anew, when the report has moved the parameters.

    report: called after at most as many iterations as `until_due` says; ends the search, if it
    returns something true. Returns the costs at the start and after each iteration, and whether it
    was the report that ended it.
    """
    costs, stopped, theta = [np.nan], False, search.theta
    try:
        while len(costs) <= iterations and not (stopped or search.is_over):
            block = search.iterate(min(until_due(), iterations + 1 - len(costs), BLOCK))
            costs[-1:] = block.costs.tolist()
            if report is not None and block.steps.size:
                search.write()
                written = theta.tobytes()
                stopped = bool(report(block))
                if theta.tobytes() != written:
                    search.read()
            search.pinned.check()
    finally:
        search.settle()
    return np.array(costs), stopped
