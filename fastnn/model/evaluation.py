"""Cost and gradient of a network: what the engine computes of it once, on threads if they pay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned
from .._core.threads import get_num_threads, side_by_side
from ..kernels.codegen import barrier, run
from ..kernels.codegen.cache_lines import LINE_WORDS
from ..kernels.engine import layout
from ..kernels.engine import team as engine_team
from ..kernels.engine import train as engine
from ..kernels.engine.model import Model
from ..layers.base import is_trainable
from ..losses.base import delta_of
from ..optimizers import Optimizer
from .compile import Use, model, work_of
from .data import finite_samples
from .flat_parameters import attach
from .snapshot import Snapshot, snapshot

__all__ = [
    "BOTH_WAYS",
    "FORWARD",
    "SHARED",
    "Gradient",
    "check_parameters",
    "cost_of_many",
    "evaluate",
    "gradient",
    "gradient_layer_by_layer",
    "make_team",
    "shares",
]

FORWARD, BOTH_WAYS = 1 / 3, 1.0  # ways through a network: parts of its `work_of`

# `work_of` all samples from which on two threads share their way forward: half a millisecond, where
# starting one takes 0.1. And multiplications and additions for which each of them pays.
SHARED: float = layout.SHARED
_THREAD: float = SHARED * FORWARD / 2

_PARTS = 4  # of the work, for each thread: who is sooner done takes more of them

# Parts of a gradient at most; few, where each takes more than so many bytes.
_MANY_PARTS, _FEW_PARTS, _COPIES = 16, 4, 1 << 22


def check_parameters(theta: Array) -> None:
    """Refuse parameters that are not finite."""
    if not run.all_finite(theta):
        index = int(np.argmin(np.isfinite(theta)))
        raise ValueError(f"parameters[{index}] is {theta[index]}, expected a finite number")


def make_team(
    grads: Array, threads: int = 1, own: bool = True, optimizer: Optimizer | None = None
) -> engine_team.Team:
    """What `threads` threads share; its arrays do not share cache lines."""
    control = aligned(engine_team.CONTROLS, np.int64)
    control[...] = 0
    sums = aligned(threads * LINE_WORDS, np.float64).reshape(threads, LINE_WORDS)
    sums[...] = 0.0
    numbers = optimizer.numbers() if optimizer else np.zeros(1)
    width = -(-numbers.size // LINE_WORDS) * LINE_WORDS
    hyper = aligned(threads * width, np.float64).reshape(threads, width)
    hyper[:, : numbers.size] = numbers
    return engine_team.Team(control, sums, grads, hyper, threads, own, barrier.system())


def worth(work: int, rows: int, ways: float) -> int:
    """How many threads pay for so many samples on these ways through a network; see `work_of`."""
    most: int = rows // layout.LEAST
    return max(1, min(int(rows * float(work) * ways / _THREAD), most))


def shares(work: int, rows: int, ways: float) -> tuple[int, int]:
    """Into how many parts so much work is cut, and how many threads take them."""
    threads = min(get_num_threads(), worth(work, rows, ways))
    return (1 if threads == 1 else _PARTS * threads), threads


def _cut(
    made: Model, x: Array, t: Array, weights: Array, parts: int
) -> tuple[engine_team.Batches, int]:
    """All samples in tiles, as many for each part; and the elements of a thread's workspace."""
    tile, lanes, cached_tiles, elements = engine.tile_sizes(made, -(-x.shape[0] // parts), 0)
    order, rng = np.empty(0, np.int64), np.zeros(1, np.uint64)
    batch = x.shape[0], tile, lanes, cached_tiles
    return engine_team.Batches(x, t, weights, order, rng, *batch), elements


def evaluate(now: Snapshot, X: Array, t: Array, weights: Array) -> float:
    """Cost of checked samples, in tiles."""
    made = model(now.layers, now.cost_function, now.theta, Use(evaluating=True))
    given = made.descriptor[layout.WORK], X.shape[0], FORWARD
    batches, elements = _cut(made, X, t, weights, min(worth(*given), 2))  # whatever the threads
    parts, threads = shares(*given)
    team = make_team(now.theta.reshape(1, -1), parts, False)
    costs = np.empty(-(-X.shape[0] // batches.tile))

    def start() -> Callable[[int], object]:
        work = np.empty(elements, X.dtype)
        return lambda part: engine.evaluate(made, batches, team, work, costs, part)

    side_by_side(parts, threads, start)
    total = 0.0
    for cost in costs.tolist():
        total += cost
    return total + float(sum(layer.penalty() for layer in now.layers))


def cost_of_many(network: Any, X: npt.ArrayLike, t: npt.ArrayLike) -> float | None:
    """Cost of more samples than a prepared call takes; None for others, or if anything is wrong."""
    if type(X) is not np.ndarray or X.ndim != 2:
        return None
    now = snapshot(network)
    if not now.compiled or X.shape[0] * work_of(now.layers) < SHARED:
        return None
    try:
        x, targets = finite_samples(now.layers, now.cost_function, X, t)
    except (TypeError, ValueError):  # the way layer by layer says so
        return None
    return evaluate(now, x, targets, x[:0, 0])


class Gradient:
    """The gradient of the cost of checked samples, in parts that each have one of their own.

    How many there are follows from the sizes, not from the threads, and so does every bit.

    Parameters
    ----------
    made : Model
        For training.
    x, t, weights : array
        See `Samples`.

    Attributes
    ----------
    parts : int
    of_parameters : array (parameters,)
        What `compute` finds.
    arguments : tuple
        The first of `kernels.engine.train.gradient`.

    """

    def __init__(self, made: Model, x: Array, t: Array, weights: Array) -> None:
        rows, theta = x.shape[0], made.theta
        most = _MANY_PARTS if theta.nbytes <= _COPIES else _FEW_PARTS
        self.parts = min(worth(made.descriptor[layout.WORK], rows, BOTH_WAYS), most)
        grads = np.zeros((self.parts, theta.size), theta.dtype)  # of frozen layers it stays so
        self.of_parameters: Array = grads[0]
        batches, self._elements = _cut(made, x, t, weights, self.parts)
        self.arguments = made, batches, make_team(grads, self.parts)

    def workspace(self) -> Array:
        """What a thread needs for its parts."""
        return np.empty(self._elements, self.of_parameters.dtype)

    def compute(self, below: Array, threads: int) -> float:
        """The cost; below: takes the gradient by the samples, or is empty."""
        parts, threads = self.parts, min(threads, self.parts)

        def run(work: Array, first: int, last: int, sums: bool) -> float:
            return float(engine.gradient(*self.arguments, work, below, first, last, sums))

        def start() -> Callable[[int], object]:
            work = self.workspace()
            return lambda part: run(work, part, part + 1, False)

        work = self.workspace()
        if threads == 1:
            return run(work, 0, parts, True)
        side_by_side(parts, threads, start)
        return run(work, parts, parts, True)


def gradient(now: Snapshot, x: Array, t: Array) -> tuple[Array, Array]:
    """Gradient of the cost of checked samples, by the parameters and by the samples."""
    check_parameters(now.theta)
    below = np.empty_like(x)
    made = model(now.layers, now.cost_function, now.theta, Use(training=True))
    whole = Gradient(made, x, t, x[:0, 0])
    whole.compute(below, get_num_threads())
    found = whole.of_parameters
    return found if whole.parts == 1 else found.copy(), below


def gradient_layer_by_layer(now: Snapshot, x: Array, t: Array) -> tuple[Array, Array]:
    """The difference that a step of rate one makes: all that a layer's own backward pass tells."""
    known = now.known
    if known is None:
        raise TypeError("a layer is no Layer of fastnn, expected one: it has no parameters here")
    check_parameters(known.theta)
    # On a copy: others read the parameters meanwhile, and may change them.
    theta, layers = known.theta.copy(), [layer.detached() for layer in now.layers]
    before = theta.copy()
    attach(layers, theta, known.views)
    delta: Any = x
    for layer in layers:
        delta = layer(delta)
    delta = delta_of(now.cost_function, delta, t)
    for layer in reversed(layers):
        trained = is_trainable(layer)
        penalty = layer.penalty_gradient() if trained and hasattr(layer, "penalty") else 0.0
        delta = layer.back_propagation(delta, float(trained))
        layer.w -= penalty
    return before - theta, np.asarray(delta)
