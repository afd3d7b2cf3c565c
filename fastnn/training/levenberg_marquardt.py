"""Levenberg-Marquardt on all samples: the compiled method with its buffers, and what it refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned
from .._core.threads import start_threads
from ..callbacks import Callback, EarlyStopping
from ..kernels.codegen import barrier
from ..kernels.codegen.compiler import imported
from ..kernels.codegen.declare import address
from ..kernels.engine import train as engine
from ..kernels.solvers import jacobian_tile as tiles
from ..kernels.solvers import levenberg_marquardt as solver
from ..kernels.solvers import normal_equations as lapack
from ..layers.base import check_trainable
from ..losses.base import CostFunction
from ..model.compile import Use, model
from ..model.evaluation import check_parameters
from ..model.posterior import Posterior
from ..model.snapshot import Pinned, Snapshot, snapshot
from ..model.stack import Stack
from ..optimizers.levenberg_marquardt import NAME, LevenbergMarquardt
from .lbfgs import Block, Minimum, NotFiniteError

__all__ = ["MOST_PARAMETERS", "Objective", "descend", "hooks"]

MOST_PARAMETERS = 4096
"""A matrix of so many rows takes 134 MB, and its factor a second."""

# Multiplications beyond which a call of the kernel runs on a thread of its own, so that Ctrl-C
# reaches it; see `compiled`.
_LONG = 1e8

_BLOCK = 1 << 16  # iterations in one call, at most
_NOISE = 0.1  # of the targets' size, before there is an estimate
_SMALL = 48  # parameters up to which LAPACK does not share its work among threads of its own
_IDLE_BYTES = 1 << 24  # of memory that waits for the next `fit`

_SCALES = {"squares": 1.0, "squared": 2.0}  # of (y - t)² / 2, by the formula of a cost


def hooks(method: LevenbergMarquardt, validated: bool) -> list[Callback]:
    """What ends a training when the validation cost rises, and brings back the best."""
    if method.max_fail is None or method.bayesian or not validated:
        return []
    return [EarlyStopping("validation_cost", patience=method.max_fail)]


def _check(now: Snapshot, bayesian: bool) -> None:
    """Refuse what is no sum of squares, or not the same at every evaluation."""
    check_trainable(now.layers)
    if not now.compiled:
        raise TypeError(f"{NAME} needs a network of DenseLayers and a cost of fastnn")
    cost: CostFunction = now.cost_function
    if cost.spec.kernel not in _SCALES:
        raise ValueError(
            f"cost_function is {cost!r}, but {NAME} minimizes sums of squares: SumSquaresError or "
            "MeanSquaredError"
        )
    for k, layer in enumerate(now.layers):
        if layer.dropout:
            why = "needs the same cost at every evaluation"
            raise ValueError(f"layers[{k}] has dropout={layer.dropout}, but {NAME} {why}")
        if layer.l1:
            why = "takes penalties that are squares: l2"
            raise ValueError(f"layers[{k}] has l1={layer.l1}, but {NAME} {why}")
        if layer.l2 and bayesian:
            why = "estimates the decay of all parameters itself where bayesian=True"
            raise ValueError(f"layers[{k}] has l2={layer.l2}, but {NAME} {why}")
    size = now.theta.size
    if size > MOST_PARAMETERS:
        size = int(_trained(now).sum())
    if size > MOST_PARAMETERS:
        raise ValueError(
            f"the network has {size} trained parameters, but {NAME} solves equations of at most "
            f"{MOST_PARAMETERS}: L-BFGS has no such limit"
        )


def _trained(now: Snapshot) -> npt.NDArray[np.bool_]:
    """Which parameters are not frozen."""
    layers = now.layers
    sizes = [sum(getattr(layer, name).size for name in layer.trained) for layer in layers]
    return np.repeat([layer.trainable for layer in layers], sizes)


def _decay(now: Snapshot) -> Array:
    """The l2 of each trained parameter."""
    parts = [
        np.full(getattr(layer, name).size, layer.l2 if name == "w" else 0.0)
        for layer in now.layers
        if layer.trainable
        for name in layer.trained
    ]
    return np.concatenate(parts)


class Workspace:
    """The memory of a minimization, which networks of the same layers use in turn."""

    compiled = False  # whether the kernel is known to be there

    def __init__(self, key: Any, now: Snapshot, rows: int) -> None:
        self.key = key
        theta = now.theta.astype(np.float64)
        self.model = model(now.layers, now.cost_function, theta, Use(training=True))
        tile, lanes, size, elements = solver.sizes(self.model, rows)
        self.trained, self.decay = _trained(now), _decay(now)
        nothing = np.empty((0, 1))
        self.search = solver.Search(
            nothing,
            nothing,
            nothing[:, 0],
            np.zeros((solver.VECTORS, size)),
            np.zeros((size + 1, size + 1)),
            np.zeros(solver.NUMBERS),
            np.zeros(solver.CONTROLS, np.int64),
            aligned(elements, np.float64),
        )
        control = self.search.control
        control[solver.TILE], control[solver.LANES] = tile, lanes
        control[solver.RESIDUALS] = address(tiles.residuals, np.float64, tiles.RESIDUALS)
        control[solver.JACOBIAN] = address(tiles.jacobian, np.float64, tiles.JACOBIAN)
        control[solver.SYSTEM] = barrier.system()
        control[solver.POTRF], control[solver.POTRI] = _lapack("dpotrf"), _lapack("dpotri")
        given = control[solver.LAPACK :]
        given.view(np.int32)[2 * lapack.N] = size  # C ints, see `normal_equations`
        given.view(np.int32)[2 * lapack.LDA] = size + 1
        given.view(np.uint8)[8 * lapack.UPLO] = ord("L")
        self.work = rows * int(now.layers[-1].dim_output) * size**2 / 2 + size**3 / 3

    @property
    def nbytes(self) -> int:
        """All of it."""
        return int(self.search.matrix.nbytes + self.search.work.nbytes)


def _lapack(name: str) -> int:
    """The address of a function of LAPACK."""
    extending: Any = imported("numba.extending")
    return int(extending.get_cython_function_address("scipy.linalg.cython_lapack", name))


_spare: dict[Any, Workspace] = {}  # the last one that is free


def _key(now: Snapshot, rows: int) -> Any:
    """What a workspace depends on."""
    layers = [
        (
            *(*layer.w.shape, layer.dim_output, layer.activation, layer.l2, layer.trainable),
            *layer.activation_parameters.values(),
        )
        for layer in now.layers
    ]
    cost = now.cost_function
    return cost.spec, cost.reduction, rows, *layers


def _taken(now: Snapshot, rows: int) -> Workspace:
    """The last workspace where that fits, or another; nobody else has it."""
    key = _key(now, rows)
    found = _spare.pop(key, None)
    return Workspace(key, now, rows) if found is None else found


def _give_back(memory: Workspace) -> None:
    """Keep it for the next `fit` instead of another."""
    _spare.clear()
    if memory.nbytes <= _IDLE_BYTES:
        memory.search.control[solver.STOP] = 0
        _spare[memory.key] = memory


class Objective:
    """A sum of squares of checked samples, and where its minimization stands."""

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
        self.pinned = pinned or Pinned(network, snapshot(network), x, t, weights)
        now = self.pinned.now
        _check(now, self.method.bayesian)
        check_parameters(now.theta)
        self.network, self.theta, self.rows = network, now.theta, len(x)
        self.memory = _taken(now, self.rows)
        double = [np.ascontiguousarray(array, np.float64) for array in (x, t, weights)]
        cost = now.cost_function
        scale = _SCALES[cost.spec.kernel]
        scale /= self.rows if cost.reduction == "mean" else 1
        scale /= t.shape[1] if cost.spec.averaged else 1
        self.search = solver.Search(*double, *self.memory.search[len(double) :])
        self._begin(scale)
        if not self.memory.compiled:  # not in the time of the first iteration
            self.run(np.zeros(1), np.zeros(0, np.int64))
            self.memory.compiled = True

    def _begin(self, scale: float) -> None:
        """Set the numbers of the search, and its first point."""
        method, search = self.method, self.search
        _, t, w = search[:3]
        numbers, control = search.numbers, search.control
        numbers[:] = 0.0
        numbers[: solver.GOAL + 1] = (
            method.mu, method.mu_increase, method.mu_decrease, method.mu_max,
            method.gradient_tolerance, method.goal,
        )  # fmt: skip
        numbers[solver.BETA], numbers[solver.SCALE], numbers[solver.COST_SCALE] = 1.0, scale, 1.0
        control[: solver.BAYESIAN] = 0
        control[solver.BAYESIAN] = method.bayesian
        if method.bayesian:
            numbers[solver.BETA], numbers[solver.SCALE], numbers[solver.COST_SCALE] = (
                0.0,
                1.0,
                scale,
            )
            weighted = t if not w.size else np.sqrt(w)[:, np.newaxis] * t
            numbers[solver.COUNT] = t.shape[1] * (w.sum() if w.size else len(t))
            least = np.finfo(np.float64).eps ** 2 * np.vdot(weighted, weighted)
            numbers[solver.LEAST_SQUARES] = max(least, 1e-100)  # β stays finite
            size = np.vdot(weighted, weighted) / numbers[solver.COUNT]
            numbers[solver.FIRST_BETA] = _NOISE**-2 / max(size, 1e-100)
            numbers[solver.BEFORE], numbers[solver.GAMMA] = np.inf, search.vectors.shape[1]
        search.vectors[solver.RIDGE] = 0.0 if method.bayesian else self.memory.decay
        self.read()

    def read(self) -> None:
        """Begin where the network is."""
        check_parameters(self.theta)
        self.memory.search.control[solver.STATUS] = solver.GOES_ON
        self.memory.search.numbers[solver.MU] = self.method.mu
        made = self.memory.model
        made.theta[...] = self.theta
        self.memory.search.vectors[solver.POINT] = made.theta[self.memory.trained]

    def write(self) -> None:
        """Give the network the best point."""
        self.theta[self.memory.trained] = self.memory.search.vectors[solver.POINT]

    def run(self, costs: Array, times: npt.NDArray[np.int64]) -> None:
        """As many iterations as there are times; Ctrl-C ends them at the next tile."""

        def work(_: int) -> None:
            solver.minimize(*self.memory.model, *self.search, costs, times, 0, times.size)

        main = threading.current_thread() is threading.main_thread()
        pool = None
        if main and self.memory.work * times.size > _LONG:
            _, pool = start_threads(1, always=True)
        if pool is None:
            work(0)
            return
        try:
            pool.run(work, 1, self._stop)
        finally:
            pool.close()

    def _stop(self) -> None:
        self.memory.search.control[solver.STOP] = 1

    def measure(self) -> None:
        """Let the search have everything that belongs to its best point."""
        search = self.memory.search
        search.numbers[solver.GOAL], search.control[solver.STATUS] = np.inf, solver.GOES_ON
        search.numbers[solver.SETTLED] = 1.0
        self.run(np.zeros(2), np.zeros(1, np.int64))

    def posterior(self) -> Posterior:
        """What is known of the parameters, at the best point."""
        self.measure()
        search = self.memory.search
        numbers, size = search.numbers, len(search.vectors[0])
        lower = np.tril(search.matrix[:size, :size], -1)
        matrix = lower + lower.T + np.diag(search.vectors[solver.DIAGONAL])
        return Posterior.of(
            self.pinned.now,
            matrix,
            search.vectors[solver.POINT],
            alpha=float(numbers[solver.ALPHA]),
            beta=float(numbers[solver.BETA]),
            squares=float(numbers[solver.SQUARES]),
            count=float(numbers[solver.COUNT]),
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
    until_due: Callable[[], int] = lambda: _BLOCK,
) -> Minimum:
    """Search until it is enough; see `lbfgs.descend`."""
    try:
        with _limited(objective):
            found = _search(objective, iterations, report, until_due)
            if objective.method.bayesian and iterations:
                objective.network.posterior = objective.posterior()
    finally:
        _give_back(objective.memory)
    return found


def _search(
    objective: Objective,
    iterations: int,
    report: Callable[[Block], object] | None,
    until_due: Callable[[], int],
) -> Minimum:
    """The loop of `descend`."""
    control = objective.memory.search.control
    costs = [np.nan]  # before each iteration and after the last
    left, stopped, anew = iterations, False, True
    try:
        while left > 0 and not (control[solver.STATUS] or stopped):
            block = _iterate(objective, min(until_due(), left))
            if control[solver.STATUS] == solver.NOT_FINITE and anew:
                raise NotFiniteError(
                    f"the cost or its gradient is infinite or NaN where {NAME} begins"
                )
            costs[-1:], anew = block.costs.tolist(), False
            left -= block.steps.size
            if report is not None and block.steps.size:
                objective.write()
                written = objective.theta.copy()
                stopped = bool(report(block))
                objective.pinned.check()
                anew = not (written == objective.theta).all()
                if anew:
                    objective.read()
    finally:
        objective.write()
    converged = control[solver.STATUS] not in (solver.GOES_ON, solver.STOPPED)
    reason = _reason(objective, iterations, stopped)
    return Minimum(np.array(costs), bool(converged), reason)


def _iterate(objective: Objective, iterations: int) -> Block:
    """Some iterations in one compiled call; fewer, if it ends by itself."""
    control = objective.memory.search.control
    costs, times = np.empty(iterations + 1), np.empty(iterations, np.int64)
    costs[0], before = np.nan, int(control[solver.DONE])
    begin = engine.clock(control[solver.SYSTEM])
    objective.run(costs, times)
    done = int(control[solver.DONE]) - before
    seconds = times[:done].copy()
    seconds[1:] -= times[: max(done - 1, 0)]
    seconds[:1] -= begin
    return Block(costs[: done + 1], np.ones(done), seconds * 1e-9)


def _reason(objective: Objective, iterations: int, stopped: bool) -> str:
    """Why it ended."""
    method, status = objective.method, objective.memory.search.control[solver.STATUS]
    if status == solver.SMALL_GRADIENT:
        return f"the gradient's length is at most {method.gradient_tolerance:g}, the tolerance"
    if status == solver.LARGE_MU:
        return f"no step lowers the cost up to mu_max, {method.mu_max:g}"
    if status == solver.AT_GOAL:
        return f"the cost is at most {method.goal:g}, the goal"
    if status == solver.NOT_FINITE:
        return "the gradient is infinite or NaN"
    return "the callback asked for it" if stopped else f"{iterations} iterations are over"
