"""Cost and gradient of a network: what the engine computes of it once, on one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.arrays import Array, aligned
from ..kernels.codegen import barrier, run
from ..kernels.engine import team as engine_team
from ..kernels.engine import train as engine
from ..kernels.engine.model import Model
from ..layers.base import is_trainable
from ..losses.base import delta_of
from ..optimizers import Optimizer
from .compile import Use, model
from .flat_parameters import attach
from .snapshot import Snapshot

__all__ = [
    "alone",
    "check_parameters",
    "evaluate",
    "gradient",
    "gradient_layer_by_layer",
    "make_team",
]


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
    sums = aligned(threads * engine_team.LINE, np.float64).reshape(threads, engine_team.LINE)
    sums[...] = 0.0
    numbers = optimizer.numbers() if optimizer else np.zeros(1)
    width = -(-numbers.size // engine_team.LINE) * engine_team.LINE
    hyper = aligned(threads * width, np.float64).reshape(threads, width)
    hyper[:, : numbers.size] = numbers
    addresses = barrier.yield_address(), barrier.clock_address()
    return engine_team.Team(control, sums, grads, hyper, threads, own, *addresses)


def alone(
    made: Model, grad: Array, x: Array, t: Array, weights: Array
) -> tuple[engine_team.Batches, engine_team.Team, Array]:
    """What the engine needs to run once, on one thread."""
    tile, lanes, cached_tiles, elements = engine.tile_sizes(made, x.shape[0], 0)
    order, rng = np.empty(0, np.int64), np.zeros(1, np.uint64)
    batches = engine_team.Batches(x, t, weights, order, rng, x.shape[0], tile, lanes, cached_tiles)
    return batches, make_team(grad.reshape(1, -1)), np.empty(elements, x.dtype)


def evaluate(now: Snapshot, X: Array, t: Array, weights: Array) -> float:
    """Cost of checked samples, in tiles."""
    made = model(now.layers, now.cost_function, now.theta, Use(evaluating=True))
    found = engine.evaluate(made, *alone(made, now.theta, X, t, weights))
    return float(found) + float(sum(layer.penalty() for layer in now.layers))


def gradient(now: Snapshot, x: Array, t: Array) -> tuple[Array, Array]:
    """Gradient of the cost of checked samples, by the parameters and by the samples."""
    check_parameters(now.theta)
    grad, below = np.zeros_like(now.theta), np.empty_like(x)
    made = model(now.layers, now.cost_function, now.theta, Use(training=True))
    engine.gradient(made, *alone(made, grad, x, t, x[:0, 0]), below)
    return grad, below


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
