"""What `NeuralNetwork.fit` does: check, then train in compiled code or layer by layer."""

from __future__ import annotations

import math
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._arrays import Array, as_samples, convert, count, number
from ._blas import single_threaded
from ._program import is_compiled, program, uses_blas
from ._random import RNG, uniform_source
from .kernels import engine, rows
from .layers import Layer
from .optimizers import RULES

if TYPE_CHECKING:
    from .network import NeuralNetwork

_NATURAL_ORDER = np.empty(0, np.int64)
_NO_INPUTS = {np.dtype(t): np.empty((0, 0), t) for t in (np.float32, np.float64)}

# Multiplications and additions beyond which a training runs on a thread of its own, so that Ctrl-C
# reaches it. A thread costs 0.1 ms; this is some 5 ms. A step costs as much as _STEP of them more.
_LONG = 1e8
_STEP = 4000.0


class Plan:
    """A training with all arguments checked and converted, and where it stands."""

    def __init__(
        self,
        network: NeuralNetwork,
        X: npt.ArrayLike,
        t: npt.ArrayLike,
        learning_rate: float,
        epochs: int,
        batch_size: int | None,
        shuffle: bool,
        rng: RNG,
    ) -> None:
        self.network = network
        self.layers = network.layers
        self.compiled = is_compiled(self.layers, network.cost_function)
        self.learning_rate = number("learning_rate", learning_rate, least=0.0)
        self.epochs = count("epochs", epochs, least=0)
        self.X, self.t = samples_and_targets(self.layers, X, t)
        rows_ = self.X.shape[0]
        self.batch = rows_
        if batch_size is not None:
            self.batch = min(count("batch_size", batch_size, least=1), rows_)
        self.order, self.rng = _NATURAL_ORDER, np.zeros(1, np.uint64)
        if shuffle and self.batch < rows_:
            self.order = np.arange(rows_)
            self.rng[0] = _seed(rng)
        self.control = np.zeros(engine.CONTROLS, np.int64)

    def diverged(self) -> ValueError:
        """The error of a training whose next step would leave the finite numbers."""
        epoch, start = int(self.control[engine.EPOCH]), int(self.control[engine.START])
        return ValueError(
            f"learning_rate={self.learning_rate!r} makes the training diverge: in step "
            f"{int(self.control[engine.STEPS])} (epoch {epoch}, batch from sample {start} on) a "
            "parameter would become infinite or NaN, expected finite; the parameters are those "
            "before that step"
        )


def samples_and_targets(
    layers: list[Any], X: npt.ArrayLike, t: npt.ArrayLike
) -> tuple[Array, Array]:
    """X and t as finite matrices that fit the layers and one another."""
    if not layers:
        raise ValueError("layers is empty, expected at least one layer")
    first, last = layers[0], layers[-1]
    dtype = first.dtype if isinstance(first, Layer) else np.dtype(np.float64)
    x = as_samples("X", X, first.w.shape[0], dtype)
    if not x.shape[0]:
        raise ValueError(f"X is empty, shape {x.shape}, expected at least one row")
    targets = as_samples("t", t, last.w.shape[1], dtype)
    if targets.shape[0] != x.shape[0]:
        raise ValueError(f"t has {targets.shape[0]} rows, expected as many as X, {x.shape[0]}")
    for name, given, found in (("X", X, x), ("t", t, targets)):
        if not rows.all_finite(found.reshape(-1)):
            raise ValueError(_not_finite(name, given, found))
    return x, targets


def _not_finite(name: str, given: npt.ArrayLike, found: Array) -> str:
    row, column = (int(k) for k in np.argwhere(~np.isfinite(found))[0])
    value = convert(name, given, np.dtype(np.float64))[row, column]
    return (
        f"{name}[{row}, {column}] is {value}, expected a finite number"
        f"{' of ' + found.dtype.name if math.isfinite(value) else ''}"
    )


def _seed(rng: RNG) -> int:
    return int(uniform_source(rng).uniform() * 2**53)


def run(plan: Plan, verbose: int) -> None:
    """Train, in pieces of `verbose` epochs with a line of print between them."""
    every = count("verbose", verbose, least=0)
    trained = _run_compiled if plan.compiled else _run_layer_by_layer
    if not every:
        trained(plan, plan.epochs)
        return
    for done in range(0, plan.epochs, every):
        print(f"step {plan.control[engine.STEPS]:6d}, cost {plan.network.cost(plan.X, plan.t):f}")
        trained(plan, min(every, plan.epochs - done))


def _run_compiled(plan: Plan, epochs: int) -> None:
    network = plan.network
    theta = network.parameters
    _check_parameters(theta)
    made = program(plan.layers, network.cost_function, RULES["SGD"])
    work = np.empty(engine.workspace_size(made, plan.batch), theta.dtype)
    arguments = (
        made, np.array([plan.learning_rate]), theta, np.empty_like(theta), np.empty(0, theta.dtype),
        plan.X, plan.t, plan.order, plan.rng, work, plan.batch, epochs, plan.control,
        _NO_INPUTS[theta.dtype],
    )  # fmt: skip
    for layer in plan.layers:
        layer.input = layer.output = None
    steps = epochs * -(-plan.X.shape[0] // plan.batch)
    operations = 6.0 * theta.size * plan.X.shape[0] * epochs + _STEP * steps
    _interruptible(arguments, plan.control, operations > _LONG, _blas(plan.layers))
    if plan.control[engine.STATUS]:
        raise plan.diverged()


def _check_parameters(theta: Array) -> None:
    if not rows.all_finite(theta):
        place = int(np.argmin(np.isfinite(theta)))
        raise ValueError(f"parameters[{place}] is {theta[place]}, expected a finite number")


def _blas(layers: list[Any]) -> AbstractContextManager[None]:
    return single_threaded if uses_blas(layers) else nullcontext()


def _interruptible(
    arguments: tuple[Any, ...],
    control: npt.NDArray[np.int64],
    long: bool,
    blas: AbstractContextManager[None],
) -> None:
    """Call the engine; if it may take long, so that Ctrl-C ends it after the step at hand."""

    def train() -> None:
        with blas:
            engine.train(*arguments)

    if not long or threading.current_thread() is not threading.main_thread():
        train()
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(train).result()
        except BaseException:
            control[engine.STOP] = 1
            raise


def _run_layer_by_layer(plan: Plan, epochs: int) -> None:
    control, rows_ = plan.control, plan.X.shape[0]
    if all(isinstance(layer, Layer) for layer in plan.layers):
        _check_parameters(plan.network.parameters)
    for _ in range(epochs):
        if plan.order.size:
            engine.shuffle(plan.order, plan.rng)
        for start in range(0, rows_, plan.batch):
            control[engine.START] = start
            place = slice(start, start + plan.batch)
            chosen = plan.order[place] if plan.order.size else place
            _step_layer_by_layer(plan, plan.X[chosen], plan.t[chosen])
            control[engine.STEPS] += 1
        control[engine.EPOCH] += 1


def _step_layer_by_layer(plan: Plan, x: Array, t: Array) -> None:
    """One step; whatever goes wrong, the parameters are those before it or those after it."""
    before = [
        (layer, name, np.array(getattr(layer, name)))
        for layer in plan.layers
        for name in ("w", "b")
        if hasattr(layer, name)
    ]
    complete = False
    try:
        delta = plan.network.cost_function.delta(plan.network._logits(x), t)
        for layer in reversed(plan.layers):
            delta = layer.back_propagation(delta, plan.learning_rate)
        complete = all(np.isfinite(getattr(layer, name)).all() for layer, name, _ in before)
    finally:
        if not complete:
            for layer, name, values in before:
                setattr(layer, name, values)
    if not complete:
        raise plan.diverged()


def gradient(network: NeuralNetwork, X: npt.ArrayLike, t: npt.ArrayLike) -> tuple[Array, Array]:
    """Gradient of the cost with respect to the flat parameters and to X."""
    x, targets = samples_and_targets(network.layers, X, t)
    theta = network.parameters
    _check_parameters(theta)
    if not is_compiled(network.layers, network.cost_function):
        return _gradient_layer_by_layer(network, x, targets)
    made = program(network.layers, network.cost_function, RULES["SGD"], inputs=True)
    grad, below = np.empty_like(theta), np.empty_like(x)
    work = np.empty(engine.workspace_size(made, x.shape[0]), theta.dtype)
    with _blas(network.layers):
        engine.gradient(made, theta, grad, x, targets, _NATURAL_ORDER, work, below)
    return grad, below


def _gradient_layer_by_layer(network: NeuralNetwork, x: Array, t: Array) -> tuple[Array, Array]:
    """The difference that a step of rate one makes, which is all that a layer's own way tells."""
    theta = network.parameters
    before = theta.copy()
    try:
        delta = network.cost_function.delta(network._logits(x), t)
        for layer in reversed(network.layers):
            delta = layer.back_propagation(delta, 1.0)
        return before - theta, np.asarray(delta)
    finally:
        theta[...] = before
