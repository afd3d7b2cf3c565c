"""Updates in JAX, compiled for all arrays together; parameters and states are overwritten."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .cases import RATE, Case, Entry

__all__ = ["entries", "prepare"]

_EPS, _BETA1, _BETA2 = 1e-8, 0.9, 0.999


def _sgd(p: Any, g: Any, t: Any) -> tuple[Any]:
    return (p - RATE * g,)


def _momentum(p: Any, g: Any, t: Any, v: Any) -> tuple[Any, Any]:
    v = 0.9 * v + g
    return p - RATE * v, v


def _adagrad(p: Any, g: Any, t: Any, s: Any) -> tuple[Any, Any]:
    s = s + g * g
    return p - RATE * g / (jnp.sqrt(s) + 1e-10), s


def _rmsprop(p: Any, g: Any, t: Any, v: Any) -> tuple[Any, Any]:
    v = 0.99 * v + 0.01 * g * g
    return p - RATE * g / (jnp.sqrt(v) + _EPS), v


def _moments(g: Any, m: Any, v: Any) -> tuple[Any, Any]:
    return _BETA1 * m + (1 - _BETA1) * g, _BETA2 * v + (1 - _BETA2) * g * g


def _step(m: Any, v: Any, t: Any) -> Any:
    return RATE / (1 - _BETA1**t) * m / (jnp.sqrt(v) / jnp.sqrt(1 - _BETA2**t) + _EPS)


def _adam(p: Any, g: Any, t: Any, m: Any, v: Any, decay: float = 0.0) -> tuple[Any, Any, Any]:
    m, v = _moments(g, m, v)
    return (1 - RATE * decay) * p - _step(m, v, t), m, v


def _amsgrad(p: Any, g: Any, t: Any, m: Any, v: Any, largest: Any) -> tuple[Any, Any, Any, Any]:
    m, v = _moments(g, m, v)
    largest = jnp.maximum(largest, v)
    return p - _step(m, largest, t), m, v, largest


# the update of an array, and how many states it has
_UPDATES: dict[str, tuple[Callable[..., Any], int]] = {
    "SGD": (_sgd, 0),
    "momentum": (_momentum, 1),
    "AdaGrad": (_adagrad, 1),
    "RMSprop": (_rmsprop, 1),
    "Adam": (_adam, 2),
    "AdamW": (partial(_adam, decay=0.01), 2),
    "AMSGrad": (_amsgrad, 3),
}


def prepare(threads: int) -> None:
    """The threads are as many as the cores that the process may run on."""
    jax.config.update("jax_platforms", "cpu")


def entries(case: Case) -> list[Entry]:
    """The compiled update."""
    update, states = _UPDATES[case.name]
    grads = [jnp.array(g) for g in case.grads()]
    held = [(jnp.array(p), *(jnp.zeros_like(p) for _ in range(states))) for p in case.params()]

    @partial(jax.jit, donate_argnums=(0, 1))
    def run(held: Any, t: Any, grads: Any) -> Any:
        t = t + 1
        pairs = zip(held, grads, strict=True)
        return [update(p, g, t, *state) for (p, *state), g in pairs], t

    now = [held, jnp.zeros((), jnp.float32)]

    def step() -> None:
        now[:] = run(*now, grads)
        jax.block_until_ready(now)

    return [("JAX", step, lambda: [np.asarray(p) for p, *_ in now[0]])]
