"""Limited-memory BFGS on all samples: SciPy's method on the engine's cost and gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, count, number
from .._core.names import same_name
from ..kernels.codegen.compiler import imported
from ..layers.base import check_trainable
from ..model.compile import Use, model
from ..model.data import finite_samples, sample_weights
from ..model.evaluation import Gradient, check_parameters
from ..model.snapshot import Pinned, Snapshot, snapshot
from ..model.stack import Stack
from ..optimizers.table import LBFGS

__all__ = ["NAME", "Minimum", "NotFiniteError", "Objective", "descend", "is_meant", "minimize"]

NAME = LBFGS
_LIMIT = 1  # SciPy's status where the iterations are over
_TRIALS = 20  # evaluations that the search along a direction may take

Callback = Callable[[float, float], object]


class NotFiniteError(ValueError):
    """There is nowhere to begin."""


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
        At most; each costs about one evaluation of cost and gradient on one thread.
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
    Mathematical Programming 45, 1989.

    """
    iterations = count("iterations", iterations, least=0)
    now = snapshot(network)
    x, targets = finite_samples(now.layers, now.cost_function, X, t)
    weights = sample_weights(sample_weight, class_weight, targets)
    pinned = Pinned(network, now, x, targets, weights)
    objective = Objective(network, x, targets, weights, pinned)
    options = _options(now, history, tolerance, gradient_tolerance)
    return descend(objective, iterations, callback, options)


def _options(
    now: Snapshot,
    history: int = 10,
    tolerance: float | None = None,
    gradient_tolerance: float = 1e-8,
) -> dict[str, Any]:
    """SciPy's."""
    least = 10 * float(np.finfo(now.theta.dtype).eps)
    return {
        "maxcor": count("history", history, least=1),
        "ftol": least if tolerance is None else number("tolerance", tolerance, least=0.0),
        "gtol": number("gradient_tolerance", gradient_tolerance, least=0.0),
        "maxls": _TRIALS,
        "maxfun": 1 << 30,
    }


class Objective:
    """Cost and gradient with respect to the parameters, in float64 whatever the network's dtype.

    Remembers the best point. Of checked samples.
    """

    def __init__(
        self,
        network: Stack,
        x: Array,
        t: Array,
        weights: Array,
        pinned: Pinned | None = None,
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
        self.best, self.lowest = self.theta.copy(), np.inf

    def start(self) -> float:
        """The cost of the parameters as they are, from which on the best counts."""
        check_parameters(self.theta)
        self.lowest = np.inf
        cost, gradient = self._evaluate(self.theta)
        if gradient is None:
            raise NotFiniteError(f"the cost or its gradient is infinite or NaN where {NAME} begins")
        return cost

    def __call__(self, point: Array) -> tuple[float, Array]:
        """For the search: where it is not finite, a cost that lies above, and no slope."""
        cost, gradient = self._evaluate(point)
        if gradient is None:
            return self.lowest + 10 * max(1.0, abs(self.lowest)), np.zeros(self.theta.size)
        return cost, gradient

    def _evaluate(self, point: Array) -> tuple[float, Array | None]:
        """Cost and gradient; None instead where either is not finite."""
        with np.errstate(over="ignore"):  # a float32 may be infinite where a float64 is not
            self.theta[...] = point
        cost = self._compute()
        if not (np.isfinite(cost) and np.isfinite(self.grad).all()):
            return cost, None
        if cost < self.lowest:
            self.best, self.lowest = self.theta.copy(), cost
        return cost, self.grad.astype(np.float64)

    def _compute(self) -> float:
        return self._gradient.compute(self._below, 1)


class _Progress:
    """How far a search is: told by SciPy of every iteration."""

    def __init__(self, objective: Objective, callback: Callback | None) -> None:
        self.objective, self._callback = objective, callback
        self._before = objective.start()
        self.costs, self.moved, self.stopped = [self._before], False, False

    def begin(self) -> Array:
        """Where to search from; anew, when the callback has moved the parameters."""
        if self.moved:
            self._before, self.moved = self.objective.start(), False
        return self.objective.theta.astype(np.float64)

    def after(self, intermediate_result: Any) -> None:
        """Write down an iteration, and end the search if the callback ends or has moved it."""
        theta = self.objective.theta
        kept = np.asarray(intermediate_result.x).astype(theta.dtype)
        theta[...] = kept
        self.costs.append(float(intermediate_result.fun))
        if self._callback is not None:
            self.stopped = bool(self._callback(self._before, self.costs[-1]))
        self.objective.pinned.check()
        self.moved = not np.array_equal(kept, theta)
        self._before = self.costs[-1]
        if self.moved or self.stopped:
            raise StopIteration


def descend(
    objective: Objective,
    iterations: int,
    callback: Callback | None = None,
    options: dict[str, Any] | None = None,
) -> Minimum:
    """Search until it is enough; anew, when the callback has moved the parameters."""
    search = imported("scipy.optimize").minimize  # takes 0.1 s
    threadpool_limits = imported("threadpoolctl").threadpool_limits
    progress = _Progress(objective, callback)
    reason = None
    try:
        # SciPy's vectors are short: threads of BLAS would only meet, and wait on a busy machine.
        with threadpool_limits(1, user_api="blas"):
            while len(progress.costs) <= iterations and not progress.stopped and reason is None:
                start, left = progress.begin(), iterations + 1 - len(progress.costs)
                result = search(
                    objective, start, jac=True, method="L-BFGS-B", callback=progress.after,
                    options={**(options or objective.options), "maxiter": left},
                )  # fmt: skip
                if not (progress.moved or progress.stopped) and result.status != _LIMIT:
                    within = "cost or gradient is within its tolerance"
                    reason = within if result.status == 0 else "no lower cost was found"
    finally:
        if not progress.moved:
            objective.theta[...] = objective.best
    over = "the callback asked for it" if progress.stopped else f"{iterations} iterations are over"
    return Minimum(np.array(progress.costs), reason is not None, reason or over)
