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
from ..kernels.solvers import lbfgs as solver
from ..kernels.solvers import line_search, record
from ..model.compile import Use, model, work_of
from ..model.data import finite_samples, sample_weights
from ..model.evaluation import Gradient, check_parameters
from ..model.snapshot import Pinned, snapshot
from ..model.stack import Stack
from ..optimizers.table import LBFGS
from . import objective as base
from .objective import BLOCK, Block, Minimum, NotFiniteError, drive

__all__ = [
    "NAME",
    "Block",
    "Minimum",
    "NotFiniteError",
    "Objective",
    "Options",
    "descend",
    "is_meant",
    "load",
    "minimize",
]

NAME = LBFGS

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


def is_meant(optimizer: object) -> bool:
    """Whether that is the name of this method, in any spelling."""
    return isinstance(optimizer, str) and same_name(optimizer, NAME)


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
    options = _options(now.theta.dtype, history, tolerance, gradient_tolerance)
    if callback is None:
        return descend(objective, iterations, options=options)
    report = callback
    return descend(objective, iterations, lambda b: report(*b.costs.tolist()), lambda: 1, options)


def _options(
    dtype: npt.DTypeLike,
    history: int = 10,
    tolerance: float | None = None,
    gradient_tolerance: float = 1e-8,
) -> Options:
    """What was asked for, or what fits the network's dtype."""
    return Options(
        count("history", history, least=1),
        10 * float(np.finfo(dtype).eps)
        if tolerance is None
        else number("tolerance", tolerance, least=0.0),
        number("gradient_tolerance", gradient_tolerance, least=0.0),
    )


_OPTIONS = {np.dtype(dtype): _options(dtype) for dtype in (np.float32, np.float64)}


class Objective(base.Objective):
    """Cost and gradient with respect to the parameters, of checked samples.

    threads: that share an evaluation where they pay, at most; default `get_num_threads`. No bit
    depends on it.
    """

    NAME = NAME

    def __init__(
        self,
        network: Stack,
        x: Array,
        t: Array,
        weights: Array,
        pinned: Pinned | None = None,
        threads: int | None = None,
    ) -> None:
        super().__init__(network, x, t, weights, pinned)
        now = self.pinned.now
        made = model(now.layers, now.cost_function, self.theta, Use(training=True))
        self._gradient, self._below = Gradient(made, x, t, weights), x[:0]
        self.grad = self._gradient.of_parameters  # of frozen layers zero, and they stay in place
        self._threads = min(get_num_threads() if threads is None else threads, self._gradient.parts)
        self._evaluations = max(1, int(_LONG / (work_of(now.layers) * x.shape[0] + _EACH)))

    @property
    def is_compiled(self) -> bool:
        """Whether iterations run in compiled code; else each evaluation is called from here."""
        return self._threads == 1

    def evaluate(self, point: Array) -> float:
        """The cost of these parameters."""
        with np.errstate(over="ignore"):  # a float32 may be infinite where a float64 is not
            self.theta[...] = point
        return self._compute()

    def _compute(self) -> float:
        return self._gradient.compute(self._below, self._threads)

    def iterate(self, search: solver.Search, iterations: int) -> Block:
        """Go on for so many iterations, or until the search is over."""
        written, counters = np.zeros((record.RECORDS, iterations + 1)), search.counters
        written[record.COSTS, 0] = search.numbers[solver.COST]
        before = int(counters[solver.ITERATIONS])
        if not self.is_compiled:
            self._one_by_one(search, written)
            return Block.of(written, int(counters[solver.ITERATIONS]) - before)
        data, done = self.arguments(), 0
        while True:  # as long as Ctrl-C may wait
            solver.run(*data, search, written, done, iterations, self._evaluations)
            done = int(counters[solver.ITERATIONS]) - before
            if done == iterations or counters[solver.PHASE] == solver.ENDED:
                return Block.of(written, done)

    def arguments(self) -> tuple[Any, ...]:
        """The first of `kernels.solvers.lbfgs.run`."""
        return *self._gradient.arguments, self._gradient.workspace(), self._below

    def _one_by_one(self, search: solver.Search, written: Array) -> None:
        """The same, where each evaluation is called from here."""
        memory, numbers, counters = search
        done, last, started = 0, written.shape[1] - 1, clock()
        while (phase := int(counters[solver.PHASE])) == solver.START or (
            done < last and phase != solver.ENDED
        ):
            before = int(counters[solver.ITERATIONS])
            if phase in (solver.START, solver.EVALUATE):
                numbers[solver.COST] = self.evaluate(memory[solver.POINT])
                memory[solver.GRADIENT] = self.grad
            if phase == solver.START:
                written[record.COSTS, 0] = numbers[solver.COST]
            solver.advance(search)
            if counters[solver.ITERATIONS] > before:
                now = clock()
                written[record.STEPS, done] = numbers[line_search.STEP]
                written[record.SECONDS, done] = now - started
                written[record.COSTS, done + 1] = numbers[solver.COST]
                done, started = done + 1, now


def _search(size: int, pairs: int) -> solver.Search:
    """The memory of a search for so many parameters."""
    memory = np.zeros((solver.PAIRS_FROM + 2 * pairs, size))
    numbers, counters = np.zeros(solver.NUMBERS + 2 * pairs), np.zeros(solver.COUNTERS, np.int64)
    counters[solver.HISTORY], counters[solver.PHASE] = pairs, solver.ENDED
    return solver.Search(memory, numbers, counters)


def load() -> None:
    """Compile or load what searches call whose evaluations are shared by threads."""
    solver.advance(_search(1, 1))


class Descent:
    """A search under way, see `Search`."""

    def __init__(self, objective: Objective, iterations: int, options: Options) -> None:
        self.objective, self.pinned, self.theta = objective, objective.pinned, objective.theta
        pairs = min(options.history, max(1, iterations))
        self._search = _search(objective.theta.size, pairs)
        _, numbers, counters = self._search
        numbers[solver.COST_TOLERANCE] = options.tolerance
        numbers[solver.GRADIENT_TOLERANCE] = options.gradient_tolerance
        counters[solver.MOST_EVALUATIONS] = options.evaluations
        self.read()

    def read(self) -> None:
        """Search from the parameters as they are, from which on the best counts."""
        memory, _, counters = self._search
        memory[solver.POINT] = memory[solver.BEST] = self.theta
        counters[solver.PHASE] = solver.START

    def iterate(self, iterations: int) -> Block:
        """Some iterations; fewer if the search is over."""
        if self._search.counters[solver.PHASE] == solver.START:
            check_parameters(self.theta)
        block = self.objective.iterate(self._search, iterations)
        if self.reason == solver.NOT_FINITE:
            raise NotFiniteError(NAME)
        return block

    @property
    def is_over(self) -> bool:
        """Whether the search has ended."""
        return bool(self._search.counters[solver.PHASE] == solver.ENDED)

    @property
    def reason(self) -> int:
        """Why it is over, see `kernels.solvers.lbfgs`; 0: it is not."""
        return int(self._search.counters[solver.REASON])

    @property
    def evaluations(self) -> int:
        """Of cost and gradient."""
        return int(self._search.counters[solver.EVALUATIONS])

    def write(self) -> None:
        """Set the parameters to the point of the last iteration."""
        self.theta[...] = self._search.memory[solver.POINT]

    def settle(self) -> None:
        """Set the parameters to the best point found."""
        self.theta[...] = self._search.memory[solver.BEST]


def descend(
    objective: Objective,
    iterations: int,
    report: Callable[[Block], object] | None = None,
    until_due: Callable[[], int] = lambda: BLOCK,
    options: Options | None = None,
) -> Minimum:
    """Search until it is enough; see `drive`."""
    descent = Descent(objective, iterations, options or _OPTIONS[objective.theta.dtype])
    if not iterations:
        return Minimum(descent.iterate(0).costs, False, "0 iterations are over")
    costs, stopped = drive(descent, iterations, report, until_due)
    over = "the callback asked for it" if stopped else f"{iterations} iterations are over"
    return Minimum(costs, descent.reason in _CONVERGED, _REASONS.get(descent.reason, over))
