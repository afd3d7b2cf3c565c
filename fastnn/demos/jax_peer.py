"""The training of `pde` by JAX, one compiled function a step, for the times beside each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .. import NeuralNetwork
from .._core.arrays import Array
from . import pde

__all__ = ["Peer"]

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8


def _factor(parameters: list[Any], X: Any) -> Any:
    *hidden, (w, b) = parameters
    for matrix, shift in hidden:
        X = jnp.tanh(X @ matrix + shift)
    return X @ w + b


def _with_derivatives(parameters: list[Any], X: Any) -> tuple[Any, Any, Any]:
    """N, its gradient and its Laplacian, by forward mode in forward mode along each axis."""

    def network(z: Any) -> Any:
        return _factor(parameters, z)

    def along(axis: int) -> tuple[Any, Any, Any]:
        direction = jnp.zeros_like(X).at[:, axis].set(1)
        (u, slope), (_, bend) = jax.jvp(
            lambda z: jax.jvp(network, (z,), (direction,)), (X,), (direction,)
        )
        return u, slope, bend

    (u, first, bend), (_, second, other) = along(0), along(1)
    return u, jnp.concatenate([first, second], axis=1), bend + other


def _cost(parameters: list[Any], X: Any) -> Any:
    return jnp.mean(pde.residual(X, *_with_derivatives(parameters, X)) ** 2)


def _step(parameters: Any, moments: Any, X: Any, rate: Any, first: Any, second: Any) -> Any:
    """A step of Adam; first and second: what is left of its moments' starts."""
    cost, g = jax.value_and_grad(_cost)(parameters, X)
    m = jax.tree.map(lambda m, g: _BETA1 * m + (1 - _BETA1) * g, moments[0], g)
    v = jax.tree.map(lambda v, g: _BETA2 * v + (1 - _BETA2) * g * g, moments[1], g)
    moved = jax.tree.map(
        lambda p, m, v: p - rate * (m / first) / (jnp.sqrt(v / second) + _EPS), parameters, m, v
    )
    return moved, (m, v), cost


class Peer:
    """The same network, from the same start, at the same points."""

    def __init__(self, nn: NeuralNetwork, rates: Callable[[int], float], seed: int) -> None:
        self._x64 = jax.enable_x64(nn.dtype == np.float64)
        self._dtype, self._rates, self._seed = nn.dtype, rates, seed
        self._rng, self._steps = np.random.default_rng(seed), 0
        with self._x64:
            self._parameters = [(jnp.array(layer.w), jnp.array(layer.b)) for layer in nn.layers]
            zeros = jax.tree.map(jnp.zeros_like, self._parameters)
            self._moments = zeros, zeros
            self._step = jax.jit(_step)

    def prepare(self) -> None:
        """Compile."""
        X = pde.points(np.random.default_rng(self._seed), self._dtype)
        with self._x64:
            jax.block_until_ready(self._run(X, 1))

    def _run(self, X: Array, k: int) -> Any:
        kept = 1 - _BETA1**k, 1 - _BETA2**k
        numbers = (self._dtype.type(value) for value in (self._rates(k - 1), *kept))
        return self._step(self._parameters, self._moments, X, *numbers)

    def train(self, steps: int) -> list[float]:
        """As `pde.train`."""
        costs = []
        with self._x64:
            for _ in range(steps):
                self._steps += 1
                X = pde.points(self._rng, self._dtype)
                self._parameters, self._moments, cost = self._run(X, self._steps)
                costs.append(cost)
            return [float(cost) for cost in costs]

    def solution(self, X: Array) -> Array:
        """As `pde.solution`."""
        with self._x64:
            u = np.asarray(_factor(self._parameters, jnp.array(X)))
        found: Array = pde.edge(X)[0] * u
        return found
