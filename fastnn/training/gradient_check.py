"""Backpropagation against finite differences."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from ..layers import Layer
from ..model.data import finite_samples
from ..model.stack import Stack

_STEP = 1e-4  # of order eps**(1/5) · scale: rounding 1e-12, truncation 1e-16 of the cost's scale
_FLOOR = 1e-3  # of the largest gradient: what counts as the least scale of an error


def largest_relative_error(network: Stack, X: npt.ArrayLike, t: npt.ArrayLike) -> float:
    """See `NeuralNetwork.gradient_check`."""
    x, targets = finite_samples(network.layers, network.cost_function, X, t)
    for_parameters, for_inputs = network.gradient(x, targets)
    twin = in_float64(network)
    x64, t64 = x.astype(np.float64), targets.astype(np.float64)

    def cost() -> float:
        return twin.cost(x64, t64)

    for_weights = _differences(twin.parameters, cost)
    for_weights[_frozen(twin.layers)] = 0.0  # as `gradient` says
    numeric = np.concatenate([for_weights, _differences(x64, cost)])
    exact = np.concatenate([for_parameters, for_inputs.ravel()]).astype(np.float64)
    if not (np.isfinite(exact).all() and np.isfinite(numeric).all()):
        return float("inf")
    scale = np.maximum(np.abs(numeric), np.abs(exact))
    scale = np.maximum(scale, _FLOOR * scale.max())
    error = np.abs(numeric - exact)
    return float(np.max(np.divide(error, scale, out=np.zeros_like(error), where=scale > 0)))


def in_float64(network: Stack) -> Stack:
    """A copy of the network that computes in float64."""
    twin = copy.deepcopy(network)
    for layer in twin.layers:
        if not isinstance(layer, Layer):
            continue
        values = {name: getattr(layer, name) for name in layer.trained}
        layer._dtype = np.dtype(np.float64)
        for name, value in values.items():
            setattr(layer, f"_{name}", None)
            setattr(layer, name, value)
    return twin


def _frozen(layers: list[Layer]) -> npt.NDArray[np.bool_]:
    """Of each parameter, whether it belongs to a frozen layer."""
    return np.concatenate([
        np.full(getattr(layer, name).size, not layer.trainable)
        for layer in layers
        for name in layer.trained
    ])  # fmt: skip


def _differences(values: Array, cost: Callable[[], float]) -> Array:
    """Derivative of the cost by each value, which is moved in place and put back."""
    flat = values.reshape(-1)
    differences = np.empty(flat.size)
    for k, value in enumerate(flat.tolist()):
        step = _STEP * max(1.0, abs(value))
        slopes = []
        for h in (step, step / 2):
            flat[k] = value + h
            above = cost()
            flat[k] = value - h
            slopes.append((above - cost()) / (2 * h))
        flat[k] = value
        differences[k] = (4 * slopes[1] - slopes[0]) / 3
    return differences
