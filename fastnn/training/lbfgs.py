"""Limited-memory BFGS on all samples: compiled, on the engine's cost and gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, count, number
from .._core.names import same_name
from .._core.threads import get_num_threads
from ..kernels.codegen.compiler import clock
from ..kernels.engine import train as engine
from ..kernels.solvers import lbfgs as solver
from ..kernels.solvers import line_search
from ..layers.base import check_trainable
from ..model.compile import Use, model, work_of
from ..model.data import finite_samples, sample_weights
from ..model.evaluation import Gradient, check_parameters
from ..model.snapshot import Pinned, Snapshot, snapshot
from ..model.stack import Stack
from ..optimizers.table import LBFGS

__all__ = [
    "NAME",
    "Block",
    "Minimum",
    "NotFiniteError",
    "Objective",
    "Options",
    "descend",
    "is_meant",
    "minimize",
]

NAME = LBFGS
_BLOCK = 1 << 16  # iterations that are written down at once, at most

# Multiplications and additions in one compiled call: some 5 ms, after which Ctrl-C is heard. An
# evaluation costs as much as _EACH of them more.
_LONG = 1e8
_EACH = 4000.0

_REASONS = {
    solver.GRADIENT_IS_SMALL: "cost or gradient is within its tolerance",
    solver.COST_STAYS: "cost or gradient is within its tolerance",
    solver.NO_LOWER: "no lower cost was found",
    solver.EVALUATIONS_ARE_OVER: "the evaluations are over",
}
_CONVERGED = solver.GRADIENT_IS_SMALL, solver.COST_STAYS, solver.NO_LOWER

Callback = Callable[[float, float], object]


class NotFiniteError(ValueError):
    """There is nowhere to begin."""


class Options(NamedTuple):
    """When a search ends, and what it remembers.

    Attributes
    ----------
    history : int
        Steps that the curvature is estimated from.
    tolerance : float
        Decrease of the cost in an iteration, relative to the larger of cost and one.
    gradient_tolerance : float
        Largest derivative.
    evaluations : int
        At most; the iteration in which there are more is the last one.

    """

    history: int = 10
    tolerance: float = 10 * float(np.finfo(np.float64).eps)
    gradient_tolerance: float = 1e-8
    evaluations: int = 1 << 62


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


def is_meant(optimizer: object) -> bool:
    """Whether that is the name of this method, in any spelling."""
    return isinstance(optimizer, str) and same_name(optimizer, NAME)


def _check(now: Snapshot) -> None:
    """Refuse what has no gradient of the whole cost, or none at all."""
    check_trainable(now.layers)
    if not now.compiled:
        raise TypeError(f"{NAME} needs a network of DenseLayers and a cost of fastnn")
    for k, layer in enumerate(now.layers):
        if layer.dropout:
            raise ValueError(
                f"layers[{k}] has dropout={layer.dropout}, but {NAME} needs the same cost at "
                "every evaluation"
            )


def minimize(
    network: Stack,
    X: npt.ArrayLike,
    t: npt.ArrayLike,
    *,
    iterations: int,
    history: int = 10,
    tolerance: float | None = None,
    gradient_tolerance: float = 1e-8,
    sample_weight: npt.ArrayLike | None = None,
    class_weight: Any = None,
    callback: Callback | None = None,
) -> Minimum:
    """Minimize the cost of all samples; the network's parameters are then the best point found.

    Parameters
    ----------
    network : NeuralNetwork
        Of DenseLayers without dropout and a cost of this library.
    X, t, sample_weight, class_weight
        As in `NeuralNetwork.fit`.
    iterations : int
        At most; each costs about one evaluation of cost and gradient.
    history : int
        Steps that the curvature is estimated from.
    tolerance : float, optional
        Ends when an iteration lowers the cost by less than this, relative to the larger of cost
        and one; default 10 eps of the network's dtype.
    gradient_tolerance : float
        Ends when no derivative is larger.
    callback : callable, optional
        Takes the costs before and after each iteration, when the network has its parameters; what
        it returns, if true, ends the minimization. It may change the parameters: the search then
        starts anew from there.

    Returns
    -------
    Minimum

    Raises
    ------
    TypeError, ValueError
        For arguments that do not fit; and ValueError if the cost or its gradient is infinite or
        NaN at the start. Such points later on are walked around.

    References
    ----------
    D. C. Liu and J. Nocedal, "On the limited memory BFGS method for large scale optimization",
    Mathematical Programming 45, 1989; J. J. Moré and D. J. Thuente, "Line search algorithms with
    guaranteed sufficient decrease", ACM Transactions on Mathematical Software 20, 1994.

    """
    iterations = count("iterations", iterations, least=0)
    now = snapshot(network)
    x, targets = finite_samples(now.layers, now.cost_function, X, t)
    weights = sample_weights(sample_weight, class_weight, targets)
    pinned = Pinned(network, now, x, targets, weights)
    objective = Objective(network, x, targets, weights, pinned)
    options = _options(now, history, tolerance, gradient_tolerance)
    if callback is None:
        return descend(objective, iterations, options=options)
    report = callback
    return descend(objective, iterations, lambda b: report(*b.costs.tolist()), lambda: 1, options)


def _options(
    now: Snapshot,
    history: int = 10,
    tolerance: float | None = None,
    gradient_tolerance: float = 1e-8,
) -> Options:
    """What was asked for, or what fits the network's dtype."""
    least = 10 * float(np.finfo(now.theta.dtype).eps)
    return Options(
        count("history", history, least=1),
        least if tolerance is None else number("tolerance", tolerance, least=0.0),
        number("gradient_tolerance", gradient_tolerance, least=0.0),
    )


class Objective:
    """Cost and gradient with respect to the parameters, of checked samples.

    Parameters
    ----------
    network : Stack
    x, t, weights : array
        See `Samples`.
    pinned : Pinned, optional
        Of them.
    threads : int, optional
        That share an evaluation where they pay, at most; default `get_num_threads`. No bit depends
        on it.

    """

    def __init__(
        self,
        network: Stack,
        x: Array,
        t: Array,
        weights: Array,
        pinned: Pinned | None = None,
        threads: int | None = None,
    ) -> None:
        self.pinned = pinned or Pinned(network, snapshot(network), x, t, weights)
        now = self.pinned.now
        _check(now)
        self.options = _options(now)
        self.theta = now.theta
        check_parameters(self.theta)
        made = model(now.layers, now.cost_function, self.theta, Use(training=True))
        self._gradient, self._below = Gradient(made, x, t, weights), x[:0]
        self.grad = self._gradient.of_parameters  # of frozen layers zero, and they stay in place
        self._threads = min(get_num_threads() if threads is None else threads, self._gradient.parts)
        self._evaluations = max(1, int(_LONG / (work_of(now.layers) * x.shape[0] + _EACH)))

    @property
    def is_compiled(self) -> bool:
        """Whether iterations run in compiled code; else each evaluation is called from here."""
        return self._threads == 1

    def start(self) -> float:
        """The cost of the parameters as they are."""
        check_parameters(self.theta)
        cost = self._compute()
        if not (np.isfinite(cost) and np.isfinite(self.grad).all()):
            raise NotFiniteError(f"the cost or its gradient is infinite or NaN where {NAME} begins")
        return cost

    def evaluate(self, point: Array) -> float:
        """The cost of these parameters."""
        with np.errstate(over="ignore"):  # a float32 may be infinite where a float64 is not
            self.theta[...] = point
        return self._compute()

    def _compute(self) -> float:
        return self._gradient.compute(self._below, self._threads)

    def prepare(self, search: solver.Search) -> None:
        """Compile or load what `iterate` runs: not in the time of the first iteration."""
        if self.is_compiled:
            self._call(search, np.zeros(1), np.zeros(0), np.zeros(0, np.int64), 0)

    def iterate(self, search: solver.Search, iterations: int) -> Block:
        """Go on for so many iterations, or until the search is over."""
        costs, steps = np.full(iterations + 1, search.numbers[solver.COST]), np.zeros(iterations)
        if not self.is_compiled:
            return self._one_by_one(search, Block(costs, steps, np.zeros(iterations)))
        times, done = np.zeros(iterations, np.int64), 0
        begin, system = search.counters[solver.ITERATIONS], self._gradient.arguments[2].system
        started = engine.clock(system)
        while done < iterations and search.counters[solver.PHASE] != solver.ENDED:
            self._call(search, costs[done:], steps[done:], times[done:], self._evaluations)
            done = int(search.counters[solver.ITERATIONS] - begin)
        seconds = np.diff(times[:done], prepend=started) * 1e-9
        return Block(costs[: done + 1], steps[:done], seconds)

    def _call(
        self,
        search: solver.Search,
        costs: Array,
        steps: Array,
        times: npt.NDArray[np.int64],
        evaluations: int,
    ) -> None:
        data = *self._gradient.arguments, self._gradient.workspace(), self._below
        solver.run(*data, search, costs[1:], steps, times, evaluations)

    def _one_by_one(self, search: solver.Search, block: Block) -> Block:
        """The same, where each evaluation is called from here."""
        memory, numbers, counters = search
        for k in range(block.steps.size):
            started, begin = clock(), counters[solver.ITERATIONS]
            while counters[solver.ITERATIONS] == begin:
                if counters[solver.PHASE] == solver.EVALUATE:
                    numbers[solver.COST] = self.evaluate(memory[solver.POINT])
                    memory[solver.GRADIENT] = self.grad
                solver.advance(search)
                if counters[solver.PHASE] == solver.ENDED:
                    return Block(block.costs[: k + 1], block.steps[:k], block.seconds[:k])
            block.costs[k + 1], block.steps[k] = numbers[solver.COST], numbers[line_search.STEP]
            block.seconds[k] = clock() - started
        return block


class Descent:
    """A search under way.

    Attributes
    ----------
    costs : list of float
        At the start and after each iteration.
    evaluations : int
        Of cost and gradient.

    """

    def __init__(self, objective: Objective, iterations: int, options: Options) -> None:
        self.objective = objective
        pairs = min(options.history, max(1, iterations))
        memory = np.zeros((solver.PAIRS_FROM + 2 * pairs, objective.theta.size))
        numbers = np.zeros(solver.NUMBERS + 2 * pairs)
        numbers[solver.COST_TOLERANCE] = options.tolerance
        numbers[solver.GRADIENT_TOLERANCE] = options.gradient_tolerance
        counters = np.zeros(solver.COUNTERS, np.int64)
        counters[solver.MOST_EVALUATIONS] = options.evaluations
        counters[solver.HISTORY] = pairs
        self._search = solver.Search(memory, numbers, counters)
        self.costs = [self.begin()]
        objective.prepare(self._search)

    def begin(self) -> float:
        """Search from the parameters as they are, from which on the best counts; their cost."""
        cost, (memory, numbers, counters) = self.objective.start(), self._search
        memory[[solver.POINT, solver.BEST]] = self.objective.theta
        memory[solver.GRADIENT] = self.objective.grad
        numbers[solver.LARGEST] = np.abs(memory[solver.GRADIENT]).max(initial=0.0)
        numbers[[solver.COST, solver.LOWEST]], numbers[solver.ORIGIN_COST] = cost, np.nan
        counters[[solver.PAIRS, solver.NEXT]], counters[solver.PHASE] = 0, solver.READY
        counters[solver.EVALUATIONS] += 1
        return cost

    def iterate(self, iterations: int) -> Block:
        """Some iterations; fewer if the search is over."""
        block = self.objective.iterate(self._search, min(iterations, _BLOCK))
        self.costs += block.costs[1:].tolist()
        return block

    @property
    def reason(self) -> int:
        """Why it is over, see `kernels.solvers.lbfgs`; 0: it is not."""
        return int(self._search.counters[solver.REASON])

    @property
    def evaluations(self) -> int:
        return int(self._search.counters[solver.EVALUATIONS])

    def has_moved(self) -> bool:
        """Whether the parameters are no longer where the last iteration has left them."""
        theta = self.objective.theta
        kept = self._search.memory[solver.POINT].astype(theta.dtype)
        return not np.array_equal(kept, theta)

    def settle(self) -> None:
        """Set the parameters to the best point found."""
        self.objective.theta[...] = self._search.memory[solver.BEST]


def descend(
    objective: Objective,
    iterations: int,
    report: Callable[[Block], object] | None = None,
    until_due: Callable[[], int] = lambda: _BLOCK,
    options: Options | None = None,
) -> Minimum:
    """Search until it is enough; anew, when the report has moved the parameters.

    report: called after at most as many iterations as `until_due` says; ends the search, if it
    returns something true.
    """
    descent = Descent(objective, iterations, options or objective.options)
    stopped = moved = False
    try:
        while len(descent.costs) <= iterations and not (stopped or descent.reason):
            if moved:
                descent.begin()
                moved = False
            block = descent.iterate(min(until_due(), iterations + 1 - len(descent.costs)))
            if report is not None and block.steps.size:
                stopped = bool(report(block))
                moved = descent.has_moved()
            objective.pinned.check()
    finally:
        if not moved:
            descent.settle()
    over = "the callback asked for it" if stopped else f"{iterations} iterations are over"
    reason = _REASONS.get(descent.reason, over)
    return Minimum(np.array(descent.costs), descent.reason in _CONVERGED, reason)
