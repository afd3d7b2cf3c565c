"""Activations of a whole layer from the textbook, name by name of the table.

Each is a function of the samples z, one a row, and its vector-Jacobian product, which turns the
gradient g with respect to y = f(z) into that with respect to z. After z come the trained numbers,
if there are any, and the parameters; where there are, the product returns their gradient too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from .activations.exponential import sigmoid
from .activations.softmax import log_softmax, softmax, softmin

Array = npt.NDArray[np.float64]


class Kind(NamedTuple):
    """An activation that acts on all features together."""

    forward: Callable[..., Array]
    vjp: Callable[..., Any]  # of (g, z, …)


def _times_jacobian(g: Array, jacobian: Array) -> Array:
    """For each sample, gᵀ J."""
    return np.asarray(np.einsum("rj,rji->ri", g, jacobian))


def _softmax_jacobian(z: Array) -> Array:
    y = softmax(z)
    return np.asarray(y[:, :, None] * (np.eye(y.shape[1]) - y[:, None, :]))


def _log_softmax_jacobian(z: Array) -> Array:
    return np.asarray(np.eye(z.shape[1]) - softmax(z)[:, None, :])


def _glu(z: Array) -> Array:
    u, v = np.split(z, 2, axis=1)
    return np.asarray(u * sigmoid(v))


def _glu_vjp(g: Array, z: Array) -> Array:
    u, v = np.split(z, 2, axis=1)
    s = sigmoid(v)
    return np.concatenate([g * s, g * u * s * sigmoid(-v)], axis=1)


def _maxout(z: Array, k: int) -> Array:
    return np.asarray(z.reshape(*z.shape[:-1], -1, k).max(axis=-1))


def _maxout_vjp(g: Array, z: Array, k: int) -> Array:
    groups = z.reshape(len(z), -1, k)
    chosen = np.arange(k) == groups.argmax(axis=2)[:, :, None]
    return np.where(chosen, g[:, :, None], 0.0).reshape(z.shape)


def _prelu(z: Array, alpha: Array, initial: float) -> Array:
    return np.where(z >= 0, z, alpha * z)


def _prelu_vjp(g: Array, z: Array, alpha: Array, initial: float) -> tuple[Array, Array]:
    return np.where(z >= 0, g, alpha * g), np.where(z >= 0, 0.0, g * z).sum(axis=0)


KINDS: dict[str, Kind] = {
    "softmax": Kind(softmax, lambda g, z: _times_jacobian(g, _softmax_jacobian(z))),
    "softmin": Kind(softmin, lambda g, z: -_times_jacobian(g, _softmax_jacobian(-z))),
    "log_softmax": Kind(log_softmax, lambda g, z: _times_jacobian(g, _log_softmax_jacobian(z))),
    "glu": Kind(_glu, _glu_vjp),
    "maxout": Kind(_maxout, _maxout_vjp),
    "prelu": Kind(_prelu, _prelu_vjp),
}
