"""Levenberg-Marquardt on all samples: the compiled method with its buffers, and what it refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from .._core.arrays import Array
from .._core.threads import start_threads
from ..callbacks import Callback, EarlyStopping
from ..kernels.codegen.compiler import imported
from ..kernels.solvers import least_squares as squares
from ..kernels.solvers import levenberg_marquardt as solver
from ..kernels.solvers import record
from ..losses.base import CostFunction
from ..model.evaluation import check_parameters
from ..model.posterior import Posterior
from ..model.snapshot import Pinned, Snapshot
from ..model.stack import Stack
from ..optimizers.levenberg_marquardt import NAME, LevenbergMarquardt
from . import objective as base
from .normal_equations import give_back, taken, trained
from .objective import BLOCK, Block, Minimum, NotFiniteError, drive

__all__ = ["MOST_PARAMETERS", "Objective", "descend", "hooks"]

MOST_PARAMETERS = 4096
"""A matrix of so many rows takes 134 MB, and its factor a second."""

# Multiplications beyond which a call of the kernel runs on a thread of its own, so that Ctrl-C
# reaches it; see `compiled`.
_LONG = 1e8

_NOISE = 0.1  # of the targets' size, before there is an estimate
_SMALL = 48  # parameters up to which LAPACK does not share its work among threads of its own

_SCALES = {"squares": 1.0, "squared": 2.0}  # of (y - t)² / 2, by the formula of a cost


def hooks(method: LevenbergMarquardt, validated: bool) -> list[Callback]:
    """What ends a training when the validation cost rises, and brings back the best."""
    if method.max_fail is None or method.bayesian or not validated:
        return []
    return [EarlyStopping("validation_cost", patience=method.max_fail)]


class Objective(base.Objective):
    """A sum of squares of checked samples, and where its minimization stands."""

    NAME = NAME

    def __init__(
        self,
        network: Stack,
        x: Array,
        t: Array,
        weights: Array,
        pinned: Pinned | None = None,
        threads: int | None = None,  # one is what it takes
        method: LevenbergMarquardt | None = None,
    ) -> None:
        self.method = method or LevenbergMarquardt()
        super().__init__(network, x, t, weights, pinned)
        now = self.pinned.now
        self.memory = taken(now, len(x))
        double = [np.ascontiguousarray(array, np.float64) for array in (x, t, weights)]
        cost = now.cost_function
        scale = _SCALES[cost.spec.kernel]
        scale /= len(x) if cost.reduction == "mean" else 1
        scale /= t.shape[1] if cost.spec.averaged else 1
        self.search = squares.Search(*double, *self.memory.search[len(double) :])
        self._begin(scale)

    def check(self, now: Snapshot) -> None:
        """Refuse what is no sum of squares, too, or has too many parameters."""
        super().check(now)
        cost: CostFunction = now.cost_function
        if cost.spec.kernel not in _SCALES:
            raise ValueError(
                f"cost_function is {cost!r}, but {NAME} minimizes sums of squares: SumSquaresError "
                "or MeanSquaredError"
            )
        for k, layer in enumerate(now.layers):
            if layer.l1:
                why = "takes penalties that are squares: l2"
                raise ValueError(f"layers[{k}] has l1={layer.l1}, but {NAME} {why}")
            if layer.l2 and self.method.bayesian:
                why = "estimates the decay of all parameters itself where bayesian=True"
                raise ValueError(f"layers[{k}] has l2={layer.l2}, but {NAME} {why}")
        size = now.theta.size
        if size > MOST_PARAMETERS:
            size = int(trained(now).sum())
        if size > MOST_PARAMETERS:
            raise ValueError(
                f"the network has {size} trained parameters, but {NAME} solves equations of at "
                f"most {MOST_PARAMETERS}: L-BFGS has no such limit"
            )

    def _begin(self, scale: float) -> None:
        """Set the numbers of the search, and its first point."""
        method, numbers, control = self.method, self.search.numbers, self.search.control
        numbers[:] = 0.0
        numbers[: squares.COST_SCALE + 1] = (
            method.mu, method.mu_increase, method.mu_decrease, method.mu_max,
            method.gradient_tolerance, method.goal, 1.0,
        )  # fmt: skip
        numbers[squares.BETA], numbers[squares.SCALE] = 1.0, scale
        control[: squares.BAYESIAN] = 0
        control[squares.BAYESIAN] = method.bayesian
        self.search.vectors[squares.RIDGE] = 0.0 if method.bayesian else self.memory.decay
        if method.bayesian:
            self._begin_estimates(scale)
        self.read()

    def _begin_estimates(self, scale: float) -> None:
        """Let noise and decay be estimated: the weights do not say how large the noise is."""
        _, t, w, vectors, _, numbers, _, _ = self.search
        numbers[squares.BETA], numbers[squares.SCALE] = 0.0, 1.0
        numbers[squares.COST_SCALE] = scale
        weighted = t if not w.size else np.sqrt(w)[:, np.newaxis] * t
        total = np.vdot(weighted, weighted)
        numbers[squares.COUNT] = t.shape[1] * (w.sum() if w.size else len(t))
        least = np.finfo(np.float64).eps ** 2 * total
        numbers[squares.LEAST_SQUARES] = max(least, 1e-100)  # β stays finite
        size = total / numbers[squares.COUNT]
        numbers[squares.FIRST_BETA] = _NOISE**-2 / max(size, 1e-100)
        numbers[squares.BEFORE], numbers[squares.GAMMA] = np.inf, vectors.shape[1]

    def read(self) -> None:
        """Begin where the network is."""
        check_parameters(self.theta)
        search, made = self.search, self.memory.model
        search.control[squares.STATUS] = squares.GOES_ON
        search.numbers[squares.MU] = self.method.mu
        made.theta[...] = self.theta
        search.vectors[squares.POINT] = made.theta[self.memory.trained]
        self._anew = True

    def write(self) -> None:
        """Give the network the best point."""
        self.theta[self.memory.trained] = self.memory.search.vectors[squares.POINT]

    settle = write

    @property
    def is_over(self) -> bool:
        """Whether the search has ended by itself."""
        return bool(self.search.control[squares.STATUS] != squares.GOES_ON)

    def iterate(self, iterations: int) -> Block:
        """Some iterations in one compiled call; fewer, if it ends by itself."""
        written = np.empty((record.RECORDS, iterations + 1))
        written[record.COSTS, 0] = np.nan
        self.run(written)
        control = self.search.control
        if self._anew and control[squares.STATUS] == squares.NOT_FINITE:
            raise NotFiniteError(NAME)
        self._anew = False
        return Block.of(written, int(control[squares.DONE]))

    def run(self, written: Array) -> None:
        """As many iterations as the record has room for; Ctrl-C ends them at the next tile."""
        iterations = written.shape[1] - 1

        def work(_: int) -> None:
            solver.minimize(*self.memory.model, *self.search, written, iterations)

        pool, long = None, self.memory.operations * iterations > _LONG
        if long and threading.current_thread() is threading.main_thread():
            _, pool = start_threads(1, always=True)
        if pool is None:
            work(0)
            return
        try:
            pool.run(work, 1, self._stop)
        finally:
            pool.close()

    def _stop(self) -> None:
        self.search.control[squares.STOP] = 1

    def measure(self) -> None:
        """Let the search have everything that belongs to its best point."""
        search = self.memory.search
        search.numbers[squares.GOAL], search.control[squares.STATUS] = np.inf, squares.GOES_ON
        search.numbers[squares.SETTLED] = 1.0
        self.run(np.zeros((record.RECORDS, 2)))

    def posterior(self) -> Posterior:
        """What is known of the parameters, at the best point."""
        self.measure()
        search = self.memory.search
        numbers, size = search.numbers, len(search.vectors[0])
        lower = np.tril(search.matrix[:size, :size], -1)
        matrix = lower + lower.T + np.diag(search.vectors[squares.DIAGONAL])
        return Posterior.of(
            self.pinned.now,
            matrix,
            search.vectors[squares.POINT],
            alpha=float(numbers[squares.ALPHA]),
            beta=float(numbers[squares.BETA]),
            squares=float(numbers[squares.SQUARES]),
            count=float(numbers[squares.COUNT]),
        )


def _limited(objective: Objective) -> Any:
    """One thread for LAPACK, whose threads would go on spinning, and add in another order."""
    if objective.memory.search.vectors.shape[1] <= _SMALL:
        return nullcontext()
    return imported("threadpoolctl").threadpool_limits(1, user_api="blas")


def descend(
    objective: Objective,
    iterations: int,
    report: Callable[[Block], object] | None = None,
    until_due: Callable[[], int] = lambda: BLOCK,
) -> Minimum:
    """Search until it is enough; see `drive`."""
    try:
        with _limited(objective):
            costs, stopped = drive(objective, iterations, report, until_due)
            status = int(objective.search.control[squares.STATUS])
            if objective.method.bayesian and iterations:
                objective.network.posterior = objective.posterior()
    finally:
        give_back(objective.memory)
    over = "the callback asked for it" if stopped else f"{iterations} iterations are over"
    converged = status not in (squares.GOES_ON, squares.STOPPED)
    return Minimum(costs, converged, _reason(objective.method, status) or over)


def _reason(method: LevenbergMarquardt, status: int) -> str:
    """Why it has ended by itself, if it has."""
    if status == squares.SMALL_GRADIENT:
        return f"the gradient's length is at most {method.gradient_tolerance:g}, the tolerance"
    if status == squares.LARGE_MU:
        return f"no step lowers the cost up to mu_max, {method.mu_max:g}"
    if status == squares.AT_GOAL:
        return f"the cost is at most {method.goal:g}, the goal"
    return "the gradient is infinite or NaN" if status == squares.NOT_FINITE else ""
