"""Plain NumPy: what others are faster than, and in float64 what they have to arrive at."""

from __future__ import annotations

import numpy as np

from ..timing import Calls, Competitor
from . import data
from .data import Weights
from .in_turn import InTurn
from .tasks import Inference, Task, Training

__all__ = ["Trainer", "competitors", "cost", "outputs", "trainer"]


def competitors(task: Task) -> list[Competitor]:
    """Of all but predictions inside compiled code, and many networks, which take too long."""
    if isinstance(task, Training):
        return [Trainer(task)] if task.networks == 1 else []
    return [] if task.inside_njit else _predictions(task)


def _sigmoid(a):
    return 0.5 + 0.5 * np.tanh(0.5 * a)  # cannot overflow


def _activation(name: str, a):
    """Output and derivative."""
    if name == "tanh":
        y = np.tanh(a)
        return y, 1 - y * y
    if name == "ReLU":
        return np.maximum(a, 0), (a > 0).astype(a.dtype)
    y = _sigmoid(a)  # Swish is a σ(a)
    return a * y, y * (1 + a * (1 - y))


def outputs(task: Task, weights: Weights, x):
    """Of the last layer, which has no activation."""
    for w, b in weights[:-1]:
        x = _activation(task.activation, x @ w + b)[0]
    w, b = weights[-1]
    return x @ w + b


def cost(task: Training, weights: Weights, x, t) -> float:
    """Of one batch."""
    a = outputs(task, weights, x)
    if task.cost == "sigmoid":
        return float(np.sum(np.logaddexp(0, a) - t * a))
    if task.cost == "softmax":
        a = a - a.max(axis=1, keepdims=True)
        return float(np.sum(np.log(np.exp(a).sum(axis=1)) - np.sum(t * a, axis=1)) / len(a))
    return float(0.5 * np.sum((a - t) ** 2) / len(a))


def _delta(task: Training, a, t):
    """Gradient of the cost with respect to the outputs; for all three it is y - t."""
    if task.cost == "sigmoid":
        return _sigmoid(a) - t
    if task.cost == "softmax":
        a = np.exp(a - a.max(axis=1, keepdims=True))
        a /= a.sum(axis=1, keepdims=True)
    return (a - t) / len(a)


def _gradient(task: Training, weights: Weights, x, t, rng) -> Weights:
    inputs, slopes = [x], []
    for w, b in weights[:-1]:
        y, slope = _activation(task.activation, inputs[-1] @ w + b)
        if task.dropout:
            factor = (rng.random(y.shape, y.dtype) >= task.dropout) / y.dtype.type(1 - task.dropout)
            y, slope = y * factor, slope * factor
        inputs.append(y)
        slopes.append(slope)
    w, b = weights[-1]
    delta = _delta(task, inputs[-1] @ w + b, t)
    found = []
    for k in reversed(range(len(weights))):
        found.append((inputs[k].T @ delta, delta.sum(axis=0)))
        if k:
            delta = (delta @ weights[k][0].T) * slopes[k - 1]
    return found[::-1]


class Trainer:
    """A training over one flat vector of parameters."""

    def __init__(
        self, task: Training, dtype: str | None = None, seed: int = 0, number: int = 0
    ) -> None:
        self.name, self.steps = "NumPy", task.steps
        self._rng = np.random.default_rng(seed)  # of dropout
        self._task = task
        dtype = dtype or task.dtype
        x, t = data.samples(task).astype(dtype), data.targets(task).astype(dtype)
        cuts = range(0, task.rows, task.batch)
        self._batches = [(x[k : k + task.batch], t[k : k + task.batch]) for k in cuts]
        self._initial = data.flat(data.weights(task, number)).astype(dtype)

    def start(self) -> None:
        """Begin again."""
        self._theta = self._initial.copy()
        self._weights = data.from_flat(self._theta, self._task.sizes)

    def run(self) -> None:
        """All steps."""
        update = self._sgd if self._task.optimizer == "SGD" else self._adam
        self._m, self._v = np.zeros_like(self._theta), np.zeros_like(self._theta)
        for step in range(self.steps):
            x, t = self._batches[step % len(self._batches)]
            gradient = _gradient(self._task, self._weights, x, t, self._rng)
            update(data.flat(gradient), step + 1)

    def _sgd(self, gradient, step: int) -> None:
        self._theta -= self._task.learning_rate * gradient

    def _adam(self, gradient, step: int) -> None:
        """Kingma & Ba 2015, with the decoupled weight decay of Loshchilov & Hutter 2019."""
        task, m, v = self._task, self._m, self._v
        m += 0.1 * (gradient - m)
        v += 0.001 * (gradient * gradient - v)
        root = np.sqrt(v / (1 - 0.999**step)) + 1e-8
        self._theta *= 1 - task.learning_rate * task.weight_decay
        self._theta -= task.learning_rate / (1 - 0.9**step) * m / root

    def result(self) -> np.ndarray:
        """What they arrived at."""
        return self._theta


def trainer(task: Training, dtype: str) -> Competitor:
    """Of all networks of a task."""
    each = [Trainer(task, dtype, number=number) for number in range(task.networks)]
    return each[0] if len(each) == 1 else InTurn("NumPy", each)


def _predictions(task: Inference) -> list[Competitor]:
    weights, x = data.weights(task), data.samples(task)
    (w1, b1), (w2, b2), (w3, b3) = weights

    def plain():
        return np.tanh(np.tanh(x @ w1 + b1) @ w2 + b2) @ w3 + b3

    h, g, y = (np.empty((task.batch, m), task.dtype) for m in task.sizes[1:])

    def in_place():
        np.dot(x, w1, h)
        np.add(h, b1, h)
        np.tanh(h, h)
        np.dot(h, w2, g)
        np.add(g, b2, g)
        np.tanh(g, g)
        np.dot(g, w3, y)
        return np.add(y, b3, y)

    return [Calls("NumPy", plain), Calls("NumPy in place", in_place)]
