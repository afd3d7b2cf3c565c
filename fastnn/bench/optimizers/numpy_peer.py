"""Updates as everybody writes them with NumPy: array by array, in place, in float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cases import RATE, Case, Entry

__all__ = ["entries"]

_EPS = np.float32(1e-8)


def _sgd(p: Any, g: Any, t: int) -> None:
    p -= RATE * g


def _momentum(p: Any, g: Any, t: int, v: Any) -> None:
    v *= 0.9
    v += g
    p -= RATE * v


def _adagrad(p: Any, g: Any, t: int, s: Any) -> None:
    s += g * g
    p -= RATE * g / (np.sqrt(s) + 1e-10)


def _rmsprop(p: Any, g: Any, t: int, v: Any) -> None:
    v *= 0.99
    v += 0.01 * (g * g)
    p -= RATE * g / (np.sqrt(v) + _EPS)


def _moments(g: Any, m: Any, v: Any) -> None:
    m *= 0.9
    m += 0.1 * g
    v *= 0.999
    v += 0.001 * (g * g)


def _step(p: Any, m: Any, v: Any, t: int) -> None:
    p -= RATE / (1 - 0.9**t) * m / (np.sqrt(v / (1 - 0.999**t)) + _EPS)


def _adam(p: Any, g: Any, t: int, m: Any, v: Any) -> None:
    _moments(g, m, v)
    _step(p, m, v, t)


def _adamw(p: Any, g: Any, t: int, m: Any, v: Any) -> None:
    p *= 1 - RATE * 0.01
    _adam(p, g, t, m, v)


def _amsgrad(p: Any, g: Any, t: int, m: Any, v: Any, largest: Any) -> None:
    _moments(g, m, v)
    np.maximum(largest, v, out=largest)
    _step(p, m, largest, t)


# the update of an array, and how many states it has
_UPDATES: dict[str, tuple[Callable[..., None], int]] = {
    "SGD": (_sgd, 0),
    "momentum": (_momentum, 1),
    "AdaGrad": (_adagrad, 1),
    "RMSprop": (_rmsprop, 1),
    "Adam": (_adam, 2),
    "AdamW": (_adamw, 2),
    "AMSGrad": (_amsgrad, 3),
}


def entries(case: Case) -> list[Entry]:
    """The step, if it is one of those that people write."""
    if case.name not in _UPDATES:
        return []
    update, states = _UPDATES[case.name]
    params, grads = case.params(), case.grads()
    held = [[np.zeros_like(p) for _ in range(states)] for p in params]
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        for p, g, state in zip(params, grads, held, strict=True):
            update(p, g, count, *state)

    return [("NumPy", step, lambda: params)]
