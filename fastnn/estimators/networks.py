"""The network of an estimator: made of its coefficients, and kept in step with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._core.arrays import Array, float_dtype
from ..activations.table import find
from ..layers import DenseLayer
from ..losses import CostFunction
from . import settings
from .minibatches import EstimatorNetwork

__all__ = ["adopt", "build", "draw", "follow", "key_of", "sizes_of"]


def draw(layers: Sequence[DenseLayer], random: Any, activation: Any) -> None:
    """Initial weights and biases, as scikit-learn draws them.

    Uniform within ± sqrt(6 / (fan_in + fan_out)), of the logistic function sqrt(2 / …), which the
    output has as the last hidden layer.
    """
    kernels = [layer.activation.kernel for layer in layers[:-1]]
    plain = find(activation).kernel if isinstance(activation, str) else ""
    for layer, kernel in zip(layers, [*kernels, *kernels[-1:]] or [plain], strict=True):
        bound = np.sqrt((2.0 if kernel == "sigmoid" else 6.0) / sum(layer.w.shape))
        layer.w = random.uniform(-bound, bound, layer.w.shape)
        layer.b = random.uniform(-bound, bound, layer.b.size)


def sizes_of(coefs: Sequence[Array]) -> list[int]:
    """Widths of the samples, the hidden layers and the output."""
    return [*(np.shape(w)[0] for w in coefs), np.shape(coefs[-1])[1]]


def key_of(estimator: Any) -> str:
    """What a network is made of, beside the coefficients; parameters may be set after `fit`."""
    return repr((estimator.activation, estimator.dropout, estimator.cost_))


def build(estimator: Any, cost: CostFunction) -> EstimatorNetwork:
    """A network with the coefficients of the estimator."""
    coefs, intercepts = estimator.coefs_, estimator.intercepts_
    dtype = np.asarray(coefs[0]).dtype
    dtype = float_dtype(dtype if dtype == np.float32 else np.float64)
    layers = settings.make_layers(
        sizes_of(coefs), estimator.activation, estimator.dropout, 0.0, dtype
    )
    for layer, w, b in zip(layers, coefs, intercepts, strict=True):
        layer.w, layer.b = w, b
    for layer, alpha in zip(layers, getattr(estimator, "slopes_", ()), strict=False):
        if alpha is not None:
            layer.alpha = alpha
    return EstimatorNetwork(layers, cost)


def follow(network: EstimatorNetwork, estimator: Any) -> bool:
    """Give the network coefficients that were assigned; whether it can have them."""
    coefs, intercepts, layers = estimator.coefs_, estimator.intercepts_, network.layers
    if len(coefs) != len(layers) or len(intercepts) != len(layers):
        return False
    for layer, w, b in zip(layers, coefs, intercepts, strict=True):
        if layer.w is not w or layer.b is not b:
            if np.shape(w) != layer.w.shape or np.shape(b) != layer.b.shape:
                return False
            layer.w, layer.b = w, b
    return True


def adopt(estimator: Any, network: EstimatorNetwork) -> None:
    """Let the estimator's coefficients be those of the network, in its memory."""
    assert network.parameters.size  # one vector, of which the layers have views
    estimator._network, estimator._network_key = network, key_of(estimator)
    estimator.coefs_ = [layer.w for layer in network.layers]
    estimator.intercepts_ = [layer.b for layer in network.layers]
    if any("alpha" in layer.trained for layer in network.layers):
        estimator.slopes_ = [getattr(layer, "_alpha", None) for layer in network.layers]
