"""Derivatives of second order of a network in plain NumPy, layer by layer by the chain rule."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .activations import find
from .network import Array, ReferenceNetwork

__all__ = ["laplacian", "laplacian_vjp"]

_SUFFIXES = "", "_derivative", "_second_derivative", "_third_derivative"


def _jets(network: ReferenceNetwork, X: npt.ArrayLike, output: str) -> list[tuple[Any, ...]]:
    """Of each layer: weights, activation, jet of the input, jet of the activity; of the end: jet.

    Jets are (y, ∂y, Δy): (rows, features), (rows, inputs, features), (rows, features). `output` is
    the activation that the cost gives the output.
    """
    x = np.asarray(X, dtype=np.float64)
    rows, inputs = x.shape
    jet = x, np.broadcast_to(np.eye(inputs), (rows, inputs, inputs)), np.zeros_like(x)
    stages = []
    layers = [*zip(network.weights, network.activations, strict=True), (None, (output,))]
    for weights, (name, *numbers) in layers:
        z = jet
        if weights is not None:
            w, b = weights
            z = jet[0] @ w + b, jet[1] @ w, jet[2] @ w
        f = [find(f"{name}{suffix}")(z[0], *numbers) for suffix in _SUFFIXES]
        stages.append((weights, f, jet, z))
        jet = f[0], f[1][:, None] * z[1], f[2] * (z[1] ** 2).sum(axis=1) + f[1] * z[2]
    return [*stages, jet]


def laplacian(
    network: ReferenceNetwork, X: npt.ArrayLike, output: str = "identity"
) -> tuple[Array, Array, Array]:
    """Outputs (rows, outputs), derivatives by the inputs (rows, outputs, inputs), and Laplacians.

    All activations act on each number alone.
    """
    y, dy, ly = _jets(network, X, output)[-1]
    return y, dy.transpose(0, 2, 1), ly


def laplacian_vjp(
    network: ReferenceNetwork,
    X: npt.ArrayLike,
    g_u: npt.ArrayLike,
    g_grad: npt.ArrayLike,
    g_lap: npt.ArrayLike,
    output: str = "identity",
) -> Array:
    """Gradient of Σ g_u u + Σ g_grad ∂u + Σ g_lap Δu by all weights and biases, in one vector."""
    *stages, _ = _jets(network, X, output)
    bar: tuple[Any, ...] = np.asarray(g_u), np.asarray(g_grad).transpose(0, 2, 1), np.asarray(g_lap)
    gradients: list[Array] = []
    for weights, (_, d, dd, ddd), (x, dx, lx), (_, s, lz) in reversed(stages):
        y, dy, ly = bar
        squares = (s**2).sum(axis=1)
        z_bar = d * y + (dd[:, None] * s * dy).sum(axis=1) + (ddd * squares + dd * lz) * ly
        s_bar = d[:, None] * dy + 2 * dd[:, None] * s * ly[:, None]
        l_bar = d * ly
        bar = z_bar, s_bar, l_bar
        if weights is None:
            continue
        of_weights = x.T @ z_bar + np.einsum("rki,rkj->ij", dx, s_bar) + lx.T @ l_bar
        gradients[:0] = [of_weights.ravel(), z_bar.sum(axis=0)]
        bar = z_bar @ weights[0].T, s_bar @ weights[0].T, l_bar @ weights[0].T
    return np.concatenate(gradients)
