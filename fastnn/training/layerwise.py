"""Trainings layer by layer, in NumPy, where a layer or the cost is the caller's own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .._core.arrays import Array
from ..kernels.codegen.compiler import clock
from ..kernels.engine import team as engine_team
from ..kernels.engine import train as engine
from ..layers import DenseLayer, Layer
from ..layers.base import is_trainable
from ..layers.changes import passing
from ..losses.base import cost_of, delta_of
from ..model.data import Samples
from ..model.evaluation import check_parameters
from ..model.snapshot import Pinned, Snapshot, logits
from ..model.stack import Stack
from ..optimizers import Optimizer
from .trainer import Trained, Trainer, diverged

__all__ = ["LayerTrainer", "cost_layer_by_layer"]


class LayerTrainer(Trainer):
    """Forward and back through the layers' own methods, in NumPy."""

    def __init__(
        self, network: Stack, pinned: Pinned, samples: Samples, optimizer: Optimizer
    ) -> None:
        self.network, self.samples, self.optimizer = network, samples, optimizer
        self._pinned, self.steps_per_epoch = pinned, -(-samples.rows // samples.batch)
        _check_own_layers(network.layers, optimizer)
        if not optimizer.is_plain:
            optimizer.state_for(network.parameters)
        if all(isinstance(layer, Layer) for layer in network.layers):
            check_parameters(network.parameters)
        self.order = np.empty(samples.rows, np.int64) if samples.shuffled else None
        self.rng = np.zeros(1, np.uint64)
        if samples.draws is not None and self.order is not None:
            samples.draws.shuffle(self.order, self.rng)
        self.control = np.zeros(engine_team.CONTROLS, np.int64)

    def train(self, epochs: int, rates: Array) -> Trained:
        """See `Trainer`."""
        samples, control = self.samples, self.control
        mean = getattr(self.network.cost_function, "reduction", "sum") == "mean"
        costs: list[float] = []
        seconds: list[float] = []
        done = 0
        for _ in range(epochs):
            started, total, seen = clock(), 0.0, 0
            if self.order is not None:
                engine.shuffle(self.order, self.rng)
            for start in range(0, samples.rows, samples.batch):
                control[engine_team.START] = start
                batch: Any = slice(start, start + samples.batch)
                chosen = batch if self.order is None else self.order[batch]
                rate = float(rates[min(done, rates.size - 1)])
                with passing().held():
                    cost = self._step(chosen, rate)
                if cost is None and self.optimizer.on_nonfinite != "skip":
                    error = diverged(self.optimizer, rate, control)
                    return Trained(np.array(costs), np.array(seconds), error)
                done += 1
                control[engine_team.STEPS] += 1
                if cost is not None:
                    rows = samples.X[chosen].shape[0]
                    total += cost * rows if mean else cost
                    seen += rows
            control[engine_team.EPOCH] += 1
            control[engine_team.SEEN] = seen
            costs.append(total / (seen if mean else 1) if seen else math.nan)
            seconds.append(clock() - started)
        return Trained(np.array(costs), np.array(seconds), None)

    def _step(self, chosen: Any, rate: float) -> float | None:
        """One step; whatever goes wrong, the parameters are those before it or those after it.

        Returns its cost; None if it would have left the finite numbers.
        """
        network, x, t = self.network, self.samples.X[chosen], self.samples.t[chosen]
        weights = self.samples.weights[chosen] if self.samples.weights.size else None
        before = _copies(network.layers)
        complete = False
        try:
            activity = network._logits(x)
            cost = _weighted_cost(network.cost_function, activity, t, weights)
            delta = delta_of(network.cost_function, activity, t)
            if weights is not None:
                delta = delta * weights[:, np.newaxis]
            complete = self._update(delta, rate, cost)
        finally:
            for layer, name, values in before:
                if not complete or not is_trainable(layer):  # whatever its own method has done
                    setattr(layer, name, values)
        return cost if complete else None

    def _update(self, delta: Any, rate: float, cost: float) -> bool:
        """Walk back to the first layer that is trained; whether all parameters are finite then."""
        layers = self.network.layers
        lowest = list(map(is_trainable, layers)).index(True)
        if self.optimizer.is_plain:
            for layer in reversed(layers[lowest:]):
                delta = layer.back_propagation(delta, rate if is_trainable(layer) else 0.0)
            values = [getattr(layer, name) for layer, name, _ in _copies(layers)]
            finite = all(np.isfinite(value).all() for value in values)
            self.optimizer.counter[0] += finite
            return finite
        theta = self.network.parameters
        grad = np.zeros_like(theta)
        sizes = [sum(getattr(layer, name).size for name in layer.trained) for layer in layers]
        ends = np.cumsum(sizes).tolist()
        parts = list(zip(layers, [0, *ends], ends, strict=False))
        for layer, first, end in reversed(parts[lowest:]):
            delta, *gradients = layer.gradients(delta)
            if layer.trainable:
                np.concatenate([array.ravel() for array in gradients], out=grad[first:end])
        spans = [(first, end) for layer, first, end in parts if layer.trainable]
        self._pinned.check()  # layers of the caller's own have run
        return self.optimizer.take(theta, grad, rate, cost, spans)

    def evaluate(self, X: Array, t: Array, weights: Array) -> float:
        """See `Trainer`."""
        return cost_layer_by_layer(self._pinned.now, X, t, weights)

    def close(self) -> None:
        """See `Trainer`."""


def cost_layer_by_layer(now: Snapshot, X: Array, t: Array, weights: Array) -> float:
    """Cost of checked samples, by the layers' own methods."""
    given = weights if weights.size else None
    return _weighted_cost(now.cost_function, logits(now.layers, X), t, given)


def _copies(layers: list[Any]) -> list[tuple[Any, str, Array]]:
    return [
        (layer, name, np.array(getattr(layer, name)))
        for layer in layers
        for name in getattr(layer, "trained", ("w", "b"))
        if hasattr(layer, name)
    ]


def _weighted_cost(cost: Any, logits: Array, t: Array, weights: Array | None) -> float:
    """A cost of the user knows no weights: it is called sample by sample."""
    if weights is None:
        return cost_of(cost, logits, t)
    total = sum(
        float(w) * cost_of(cost, logits[r : r + 1], t[r : r + 1]) for r, w in enumerate(weights)
    )
    return total / len(weights) if getattr(cost, "reduction", "sum") == "mean" else total


def _check_own_layers(layers: list[Any], optimizer: Optimizer) -> None:
    """Refuse what only compiled trainings can do."""
    for k, layer in enumerate(layers):
        if any(getattr(layer, name, 0.0) for name in ("dropout", "l1", "l2")):
            raise ValueError(
                f"layers[{k}] has dropout, l1 or l2, which need a network of DenseLayers and "
                "costs of fastnn only"
            )
        known = Layer.back_propagation, DenseLayer.back_propagation
        own = getattr(type(layer), "back_propagation", None) not in known
        if not optimizer.is_plain and (not isinstance(layer, Layer) or own):
            raise TypeError(
                f"layers[{k}] has a back_propagation of its own, which is gradient descent: "
                f"it cannot train with {optimizer!r}, only with a learning_rate alone"
            )
