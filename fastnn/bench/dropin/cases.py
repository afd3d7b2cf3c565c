"""What is called, on what, and the calls of both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

import fastnn

from . import article

__all__ = ["CALLS", "Case", "Pair", "cases_of", "pair_of"]


@dataclass(frozen=True)
class Case:
    """One call.

    Attributes
    ----------
    door : str
        What is called: a key of `CALLS`.
    name : str
        Of the activation, optimizer, error, cost or network shape; some doors have one only.
    size : str
        A key of the door's sizes.
    dtype : str

    """

    door: str
    name: str
    size: str
    dtype: str


Call = Callable[[], Any]


@dataclass(frozen=True)
class Pair:
    """A call of ours and the same of the articles'.

    Attributes
    ----------
    ours, theirs : callable
    same : bool
        Whether they return the same numbers, or change the same.

    """

    ours: Call
    theirs: Call
    same: bool = True


# Layer widths and samples: one sample, the articles' two scripts, a batch of digits, larger ones.
_NETWORKS: dict[str, tuple[tuple[int, ...], str, str, int]] = {
    "4-16-2 tanh, 1 sample": ((4, 16, 2), "tanh", "SumSquaresError", 1),
    "1-6-1 tanh, 100 samples": ((1, 6, 1), "tanh", "SumSquaresError", 100),
    "2-4-1 tanh, 1000 samples": ((2, 4, 1), "tanh", "SigmoidCrossEntropy", 1000),
    "64-32-10 tanh, 32 samples": ((64, 32, 10), "tanh", "SoftmaxCrossEntropy", 32),
    "64-100-10 ReLU, 1000 samples": ((64, 100, 10), "ReLU", "SoftmaxCrossEntropy", 1000),
}
_SCRIPTS = {
    "regression, 1000 steps": ("1-6-1 tanh, 100 samples", 1000),
    "binary classification, 1000 steps": ("2-4-1 tanh, 1000 samples", 10_000),
}  # the network, and the points that it is drawn at in the end
_GRADIENTS = {"(4, 16)": (4, 16), "(64, 32)": (64, 32), "(256, 256)": (256, 256)}
_NUMBERS = {"4": (4,), "16": (16,), "1000": (1000,), "100 000": (100_000,)}
_LOGITS = {"(1, 4)": (1, 4), "(32, 10)": (32, 10), "(10000, 10)": (10_000, 10)}


def _values(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def _targets(cost: str, shape: tuple[int, ...], dtype: str) -> Any:
    """Whose rows have one 1, or numbers."""
    if cost == "SumSquaresError":
        return _values(shape, dtype, 1)
    chosen = np.arange(shape[0]) % (shape[1] + (shape[1] == 1))
    return (chosen[:, np.newaxis] == np.arange(shape[1])).astype(dtype)


def _networks(case: Case) -> tuple[Any, Any, Any, Any]:
    """Ours and theirs with the same weights, samples and targets."""
    sizes, activation, cost, rows = _NETWORKS[case.size]
    last = len(sizes) - 2
    ours = [
        fastnn.DenseLayer(
            n, m, activation="identity" if k == last else activation, dtype=case.dtype, rng=k
        )
        for k, (n, m) in enumerate(pairwise(sizes))
    ]
    theirs = [
        article.Layer(layer.w.copy(), layer.b.copy(), layer.activation.name) for layer in ours
    ]
    net = fastnn.NeuralNetwork(ours, getattr(fastnn, cost)())
    # small, so that no probability is cut off, as the articles do it at 1e-10
    x = _values((rows, sizes[0]), case.dtype) * np.asarray(0.02, case.dtype)
    t = _targets(cost, (rows, sizes[-1]), case.dtype)
    return net, article.Network(theirs, article.COSTS[cost]()), x, t


_RATE = 1e-9  # of endless trainings: weights stay what they are


def _fit(case: Case) -> Pair:
    ours, theirs, x, t = _networks(case)
    return Pair(lambda: ours.fit(x, t, _RATE), lambda: theirs.fit(x, t, _RATE), same=False)


def _fit_adam(case: Case) -> Pair:
    """With an optimizer, which the articles' `fit` does not take: the loop that they write."""
    ours, theirs, x, t = _networks(case)
    opt = fastnn.get_opt("Adam", alpha=_RATE)
    rules = [article.RULES["Adam"]() for _ in theirs.layers]

    def step() -> None:
        a = x
        for layer in theirs.layers:
            a = layer(a)
        delta = theirs.cost_function.delta(a, t)
        for layer, rule in zip(reversed(theirs.layers), rules, strict=True):
            delta = delta * layer.derivative(layer.output)
            dw, db = rule.update(layer.input.T.dot(delta), np.sum(delta, axis=0))
            delta = delta.dot(layer.w.T)
            layer.w += _RATE * dw
            layer.b += _RATE * db

    return Pair(lambda: ours.fit(x, t, optimizer=opt), step, same=False)


def _script(case: Case) -> Pair:
    """A script of the articles, all but its plot and its check: training, costs, prediction."""
    size, points = _SCRIPTS[case.size]
    ours, theirs, x, t = _networks(Case(case.door, "", size, case.dtype))
    grid = _values((points, x.shape[1]), case.dtype, 2)

    def run(net: Any) -> Any:
        for step in range(1000):
            if step % 100 == 0:
                net.cost(x, t)
            net.fit(x, t, learning_rate=_RATE)
        return net(grid)

    return Pair(lambda: run(ours), lambda: run(theirs))


def _predict(case: Case) -> Pair:
    ours, theirs, x, _ = _networks(case)
    return Pair(lambda: ours(x), lambda: theirs(x))


def _network_cost(case: Case) -> Pair:
    ours, theirs, x, t = _networks(case)
    return Pair(lambda: ours.cost(x, t), lambda: theirs.cost(x, t))


def _layer(case: Case) -> Pair:
    ours, theirs, x, _ = _networks(case)
    mine, other = ours.layers[0], theirs.layers[0]
    return Pair(lambda: mine(x), lambda: other(x))


def _back(case: Case) -> Pair:
    ours, theirs, x, _ = _networks(case)
    mine, other = ours.layers[0], theirs.layers[0]
    delta = np.ones_like(mine(x))
    other(x)
    return Pair(
        lambda: mine.back_propagation(delta, _RATE), lambda: other.back_propagation(delta, _RATE)
    )


def _cost(case: Case, method: str) -> Pair:
    logits = _values(_LOGITS[case.size], case.dtype)
    t = _targets(case.name, logits.shape, case.dtype)
    ours, theirs = getattr(fastnn, case.name)(), article.COSTS[case.name]()
    call, other = getattr(ours, method), getattr(theirs, method)
    if method == "activate":
        return Pair(lambda: call(logits), lambda: other(logits))
    return Pair(lambda: call(logits, t), lambda: other(logits, t))


def _update(case: Case) -> Pair:
    shape = _GRADIENTS[case.size]
    w, b = _values(shape, case.dtype), _values(shape[-1:], case.dtype, 1)
    ours, theirs = fastnn.get_opt(case.name), article.RULES[case.name]()
    return Pair(lambda: ours.update(w, b), lambda: theirs.update(w, b), same=False)


def _error(case: Case, method: str) -> Pair:
    y = np.random.default_rng(0).uniform(0.1, 0.9, _NUMBERS[case.size]).astype(case.dtype)
    t = np.random.default_rng(1).uniform(0.1, 0.9, _NUMBERS[case.size]).astype(case.dtype)
    ours, theirs = fastnn.get_err(case.name), article.ERRORS[case.name]()
    ours.forward(y, t)
    theirs.forward(y, t)
    call, other = getattr(ours, method), getattr(theirs, method)
    if method == "forward":
        return Pair(lambda: call(y, t), lambda: other(y, t))
    return Pair(call, other)


def _forward(case: Case) -> Pair:
    x, act = _values(_NUMBERS[case.size], case.dtype), fastnn.get_act(case.name)
    other = article.ACTIVATIONS[case.name][0]
    return Pair(lambda: act.forward(x), lambda: other(x))


def _backward(case: Case) -> Pair:
    x, act = _values(_NUMBERS[case.size], case.dtype), fastnn.get_act(case.name)
    forward, other = article.ACTIVATIONS[case.name]
    y = forward(x)
    return Pair(lambda: act.backward(x, y), lambda: other(x, y))


@dataclass(frozen=True)
class _Door:
    """A kind of call: how a pair is made, for which names and sizes."""

    make: Callable[[Case], Pair]
    names: tuple[str, ...]
    sizes: tuple[str, ...]


_NO_NAME, _WHOLE = ("",), tuple(_NETWORKS)

CALLS: dict[str, _Door] = {
    "the articles' scripts": _Door(_script, _NO_NAME, tuple(_SCRIPTS)),
    "nn.fit(X, t, rate)": _Door(_fit, _NO_NAME, _WHOLE),
    "nn.fit(X, t, optimizer=Adam)": _Door(_fit_adam, _NO_NAME, _WHOLE),
    "nn(X)": _Door(_predict, _NO_NAME, _WHOLE),
    "nn.cost(X, t)": _Door(_network_cost, _NO_NAME, _WHOLE),
    "layer(X)": _Door(_layer, _NO_NAME, _WHOLE),
    "layer.back_propagation(delta, rate)": _Door(_back, _NO_NAME, _WHOLE),
    "cost.activate(logits)": _Door(
        lambda case: _cost(case, "activate"), tuple(article.COSTS), tuple(_LOGITS)
    ),
    "cost(logits, t)": _Door(
        lambda case: _cost(case, "__call__"), tuple(article.COSTS), tuple(_LOGITS)
    ),
    "cost.delta(logits, t)": _Door(
        lambda case: _cost(case, "delta"), tuple(article.COSTS), tuple(_LOGITS)
    ),
    "optimizer.update(grad_w, grad_b)": _Door(_update, tuple(article.RULES), tuple(_GRADIENTS)),
    "error.forward(y, t)": _Door(
        lambda case: _error(case, "forward"), tuple(article.ERRORS), tuple(_NUMBERS)
    ),
    "error.backward()": _Door(
        lambda case: _error(case, "backward"), tuple(article.ERRORS), tuple(_NUMBERS)
    ),
    "error.total_error()": _Door(
        lambda case: _error(case, "total_error"), tuple(article.ERRORS), tuple(_NUMBERS)
    ),
    "activation.forward(x)": _Door(_forward, tuple(article.ACTIVATIONS), tuple(_NUMBERS)),
    "activation.backward(x, y)": _Door(_backward, tuple(article.ACTIVATIONS), tuple(_NUMBERS)),
}
"""Every call of the articles, by how it is written."""


def pair_of(case: Case) -> Pair:
    """The calls of a case."""
    return CALLS[case.door].make(case)


def cases_of(door: str, dtype: str) -> list[Case]:
    """All names and sizes of a door."""
    found = CALLS[door]
    return [Case(door, name, size, dtype) for name in found.names for size in found.sizes]
