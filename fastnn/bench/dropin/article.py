"""The articles' system in NumPy, method by method, as whoever follows them has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["ACTIVATIONS", "COSTS", "ERRORS", "RULES", "Layer", "Network"]

Array = Any


def _sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


class Layer:
    """A dense layer; derivative: of the activation, from its output."""

    def __init__(self, w: Array, b: Array, activation: str) -> None:
        self.w, self.b = w, b
        self.forward, self.derivative = _LAYERS[activation]

    def __call__(self, X: Array) -> Array:
        """The output, which the layer remembers."""
        self.input = X
        self.output = self.forward(X.dot(self.w) + self.b)
        return self.output

    def back_propagation(self, delta: Array, learning_rate: float) -> Array:
        """A step of descent, and the error of the input."""
        delta = delta * self.derivative(self.output)
        w = np.copy(self.w)
        self.w -= learning_rate * self.input.T.dot(delta)
        self.b -= learning_rate * np.sum(delta, axis=0)
        return delta.dot(w.T)


_LAYERS: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "identity": (lambda a: a, lambda y: 1),
    "sigmoid": (_sigmoid, lambda y: y * (1 - y)),
    "tanh": (np.tanh, lambda y: 1 - y**2),
    "ReLU": (lambda a: a.clip(min=0), lambda y: (y > 0).astype(y.dtype)),
}


class _SumSquares:
    def activate(self, a: Array) -> Array:
        return a

    def __call__(self, a: Array, t: Array) -> Array:
        return 0.5 * np.sum((a - t) ** 2)

    def delta(self, a: Array, t: Array) -> Array:
        return a - t


class _SigmoidEntropy:
    def activate(self, a: Array) -> Array:
        return _sigmoid(a)

    def __call__(self, a: Array, t: Array) -> Array:
        p = np.clip(self.activate(a), 1e-10, 1 - 1e-10)
        return np.sum(-t * np.log(p) - (1 - t) * np.log(1 - p))

    def delta(self, a: Array, t: Array) -> Array:
        return self.activate(a) - t


class _SoftmaxEntropy:
    def activate(self, a: Array) -> Array:
        e = np.exp(a - np.max(a, 1, keepdims=True))
        return e / np.sum(e, 1, keepdims=True)

    def __call__(self, a: Array, t: Array) -> Array:
        p = np.clip(self.activate(a), 1e-10, 1)
        return -np.sum(t * np.log(p))

    def delta(self, a: Array, t: Array) -> Array:
        return self.activate(a) - t


COSTS: dict[str, Callable[[], Any]] = {
    "SumSquaresError": _SumSquares,
    "SigmoidCrossEntropy": _SigmoidEntropy,
    "SoftmaxCrossEntropy": _SoftmaxEntropy,
}


class Network:
    """Layers with a cost."""

    def __init__(self, layers: Sequence[Layer], cost: Any) -> None:
        self.layers, self.cost_function = layers, cost

    def __call__(self, X: Array) -> Array:
        """The output."""
        for layer in self.layers:
            X = layer(X)
        return self.cost_function.activate(X)

    def cost(self, X: Array, t: Array) -> Array:
        """Of the samples."""
        for layer in self.layers:
            X = layer(X)
        return self.cost_function(X, t)

    def fit(self, X: Array, t: Array, learning_rate: float) -> None:
        """One step of descent."""
        for layer in self.layers:
            X = layer(X)
        delta = self.cost_function.delta(X, t)
        for layer in reversed(self.layers):
            delta = layer.back_propagation(delta, learning_rate)


class _Rule:
    """An update rule; `move` says what to add to the parameters whose state is `s`."""

    states: Sequence[str] = ()

    def __init__(self) -> None:
        self.w: dict[str, Any] = dict.fromkeys(self.states, 0)
        self.b: dict[str, Any] = dict.fromkeys(self.states, 0)

    def update(self, grad_w: Array, grad_b: Array, t: int = 1, f: float = 1.0) -> Any:
        """Of weights and of biases."""
        return self.move(grad_w, self.w, t), self.move(grad_b, self.b, t)

    def move(self, g: Array, s: Any, t: int) -> Array:
        raise NotImplementedError


class _SGD(_Rule):
    def update(self, grad_w: Array, grad_b: Array, t: int = 1, f: float = 1.0) -> Any:
        return -0.01 * grad_w, -0.01 * grad_b


class _MSGD(_Rule):
    states = ("d",)

    def move(self, g: Array, s: Any, t: int) -> Array:
        s["d"] = 0.9 * s["d"] - (1 - 0.9) * 0.01 * g
        return s["d"]


class _AdaGrad(_Rule):
    states = ("g",)

    def move(self, g: Array, s: Any, t: int) -> Array:
        s["g"] += g * g
        return -0.001 * g / np.sqrt(s["g"])


class _RMSprop(_Rule):
    states = ("v",)

    def move(self, g: Array, s: Any, t: int) -> Array:
        s["v"] += (1 - 0.99) * (g**2 - s["v"])
        return -0.01 * g / np.sqrt(s["v"] + 1e-8)


class _AdaDelta(_Rule):
    states = ("v", "u")

    def move(self, g: Array, s: Any, t: int) -> Array:
        s["v"] += (1 - 0.95) * (g**2 - s["v"])
        d = -g * np.sqrt(s["u"] + 1e-6) / np.sqrt(s["v"] + 1e-6)
        s["u"] += (1 - 0.95) * (d**2 - s["u"])
        return d


class _Moments(_Rule):
    states: Sequence[str] = ("m", "v")

    def _learn(self, g: Array, s: Any, first: float, second: float) -> None:
        s["m"] += (1 - first) * (g - s["m"])
        s["v"] += (1 - second) * (g**2 - s["v"])


class _Adam(_Moments):
    def move(self, g: Array, s: Any, t: int) -> Array:
        self._learn(g, s, 0.9, 0.999)
        rate = 0.001 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return -rate * s["m"] / np.sqrt(s["v"] + 1e-8)


class _Graves(_Moments):
    def move(self, g: Array, s: Any, t: int) -> Array:
        self._learn(g, s, 0.95, 0.95)
        return -1e-4 * g / np.sqrt(s["v"] - s["m"] ** 2 + 1e-4)


class _SMORMS3(_Rule):
    states = ("m", "v", "s")

    def move(self, g: Array, s: Any, t: int) -> Array:
        rho = 1 / (1 + s["s"])
        s["m"] += (1 - rho) * (g - s["m"])
        s["v"] += (1 - rho) * (g**2 - s["v"])
        zeta = s["m"] ** 2 / (s["v"] + 1e-8)
        d = -g * (np.minimum(0.001, zeta) / np.sqrt(s["v"] + 1e-8))
        s["s"] = 1 + (1 - zeta) * s["s"]
        return d


class _AdaMax(_Rule):
    states = ("m", "u")

    def move(self, g: Array, s: Any, t: int) -> Array:
        s["m"] += (1 - 0.9) * (g - s["m"])
        s["u"] = np.maximum(0.999 * s["u"], np.abs(g))
        return -0.002 / (1 - 0.9**t) * s["m"] / s["u"]


class _Nadam(_Moments):
    def move(self, g: Array, s: Any, t: int) -> Array:
        self._learn(g, s, 0.975, 0.999)
        m = 0.975 * s["m"] / (1 - 0.975 ** (t + 1)) + (1 - 0.975) * g / (1 - 0.975**t)
        return -0.002 * m / np.sqrt(0.999 * s["v"] / (1 - 0.999**t) + 1e-8)


class _AMSGrad(_Moments):
    states = ("m", "v", "vhat")

    def move(self, g: Array, s: Any, t: int) -> Array:
        self._learn(g, s, 0.9, 0.999)
        s["vhat"] = np.maximum(s["vhat"], s["v"])
        rate = 0.001 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
        return -rate * s["m"] / np.sqrt(s["vhat"] + 1e-8)


class _AdaBound(_Moments):
    def move(self, g: Array, s: Any, t: int) -> Array:
        self._learn(g, s, 0.9, 0.999)
        low, high = 0.1 * (1 - 1 / (0.001 * t + 1)), 0.1 * (1 + 1 / (0.001 * t))
        rate = np.clip(0.001 / np.sqrt(s["v"] + 1e-8), low, high) / np.sqrt(t)
        return -rate * s["m"]


RULES: dict[str, Callable[[], Any]] = {
    "SGD": _SGD,
    "MSGD": _MSGD,
    "NAG": _MSGD,
    "AdaGrad": _AdaGrad,
    "RMSprop": _RMSprop,
    "AdaDelta": _AdaDelta,
    "Adam": _Adam,
    "RMSpropGraves": _Graves,
    "SMORMS3": _SMORMS3,
    "AdaMax": _AdaMax,
    "Nadam": _Nadam,
    "AMSGrad": _AMSGrad,
    "AdaBound": _AdaBound,
}


class _ElementError:
    def total_error(self) -> Array:
        return np.sum(self.error) / self.error.size

    def forward(self, y: Array, t: Array) -> Array:
        self.y, self.t = y, t
        self.error = self.of(y, t)
        return self.error

    error: Any

    def of(self, y: Array, t: Array) -> Array:
        raise NotImplementedError


class _SquareError(_ElementError):
    def of(self, y: Array, t: Array) -> Array:
        return 0.5 * (y - t) ** 2

    def backward(self) -> Array:
        return self.y - self.t


class _BinaryError(_ElementError):
    def of(self, y: Array, t: Array) -> Array:
        return -t * np.log(y) - (1 - t) * np.log(1 - y)

    def backward(self) -> Array:
        return (self.y - self.t) / (self.y * (1 - self.y))


class _CrossError(_ElementError):
    def of(self, y: Array, t: Array) -> Array:
        return -t * np.log(y)

    def backward(self) -> Array:
        return -self.t / self.y


ERRORS: dict[str, Callable[[], Any]] = {
    "Square": _SquareError,
    "Binary": _BinaryError,
    "Cross": _CrossError,
}


def _mish_slope(x: Array) -> Array:
    omega = 4 * (x + 1) + 4 * np.exp(2 * x) + np.exp(3 * x) + (4 * x + 6) * np.exp(x)
    delta = 2 * np.exp(x) + np.exp(2 * x) + 2
    return np.exp(x) * omega / delta**2


# Forward of x, and backward of x and y = forward(x).
ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "identity": (lambda x: x, lambda x, y: np.ones_like(x)),
    "bent-identity": (
        lambda x: 0.5 * (np.sqrt(x**2 + 1) - 1) + x,
        lambda x, y: 0.5 * x / np.sqrt(x**2 + 1) + 1,
    ),
    "hard-shrink": (
        lambda x: np.where((x >= -0.5) & (x <= 0.5), 0, x),
        lambda x, y: np.where((x >= -0.5) & (x <= 0.5), 0, 1),
    ),
    "soft-shrink": (
        lambda x: np.where(x < -0.5, x + 0.5, np.where(x > 0.5, x - 0.5, 0)),
        lambda x, y: np.where((x >= -0.5) & (x <= 0.5), 0, 1),
    ),
    "sigmoid": (_sigmoid, lambda x, y: y * (1 - y)),
    "hard-sigmoid": (
        lambda x: np.clip(0.2 * x + 0.5, 0, 1),
        lambda x, y: np.where((x > 2.5) | (x < -2.5), 0, 0.2),
    ),
    "log-sigmoid": (lambda x: -np.log(1 + np.exp(-x)), lambda x, y: 1 / (1 + np.exp(x))),
    "tanh": (np.tanh, lambda x, y: 1 - np.tanh(x) ** 2),
    "hard-tanh": (
        lambda x: np.clip(x, -1, 1),
        lambda x, y: np.where((x >= -1) & (x <= 1), 1, 0),
    ),
    "tanh-shrink": (lambda x: x - np.tanh(x), lambda x, y: np.tanh(x) ** 2),
    "ReLU": (lambda x: np.maximum(0, x), lambda x, y: np.where(x > 0, 1, 0)),
    "ReLU6": (
        lambda x: np.clip(x, 0, 6),
        lambda x, y: np.where((x > 0) & (x < 6), 1, 0),
    ),
    "leaky-ReLU": (
        lambda x: np.maximum(0.01 * x, x),
        lambda x, y: np.where(x < 0, 0.01, 1),
    ),
    "ELU": (
        lambda x: np.where(x >= 0, x, np.exp(x) - 1),
        lambda x, y: np.where(x >= 0, 1, np.exp(x)),
    ),
    "softmax": (
        lambda x: np.exp(x) / np.sum(np.exp(x)),
        lambda x, y: np.exp(x) * (np.sum(np.exp(x)) - np.exp(x)) / np.sum(np.exp(x)) ** 2,
    ),
    "softplus": (lambda x: np.logaddexp(x, 0), lambda x, y: 1 / (1 + np.exp(-x))),
    "softsign": (lambda x: x / (1 + np.abs(x)), lambda x, y: 1 / (1 + np.abs(x)) ** 2),
    "Swish": (
        lambda x: x / (1 + np.exp(-x)),
        lambda x, y: y + (1 - y) / (1 + np.exp(-x)),
    ),
    "Mish": (lambda x: x * np.tanh(np.logaddexp(x, 0)), lambda x, y: _mish_slope(x)),
    "tanhExp": (
        lambda x: x * np.tanh(np.exp(x)),
        lambda x, y: np.tanh(np.exp(x)) - x * np.exp(x) * (np.tanh(np.exp(x)) ** 2 - 1),
    ),
}
