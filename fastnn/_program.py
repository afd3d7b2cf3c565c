"""From layers and a cost to the `Program` that the engine runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .activations import Activation
from .kernels import dense, engine
from .kernels.jit import address
from .layers import DenseLayer
from .losses import CostFunction
from .optimizers import Rule

_OWN_WAY = ("__call__", "forward_propagation", "activation_derivative", "back_propagation")


def is_compiled(layers: Sequence[Any], cost: Any) -> bool:
    """Whether the engine can run this network: no layer and no cost goes a way of its own."""
    return (
        all(map(_is_plain, layers))
        and isinstance(cost, CostFunction)
        and type(cost).delta is CostFunction.delta
        and "delta" not in vars(cost)
    )


def _is_plain(layer: Any) -> bool:
    return isinstance(layer, DenseLayer) and all(
        getattr(type(layer), name) is getattr(DenseLayer, name) and name not in vars(layer)
        for name in _OWN_WAY
    )


def uses_blas(layers: Sequence[DenseLayer]) -> bool:
    """Whether any product of these layers is a call of BLAS."""
    return not all(dense.is_narrow(layer.dim_input, layer.dim_output) for layer in layers)


def program(
    layers: Sequence[DenseLayer], cost: CostFunction, rule: Rule, inputs: bool = False
) -> engine.Program:
    """The program of a network; inputs: make room for the gradient of the inputs."""
    shapes = tuple((layer.dim_input, layer.dim_output) for layer in layers)
    rows = tuple(layer.activation for layer in layers)
    return _program(shapes, rows, cost._delta, rule, layers[0].dtype, inputs)


@functools.lru_cache(maxsize=256)
def _program(
    shapes: tuple[tuple[int, int], ...],
    rows: tuple[Activation, ...],
    delta: Callable[..., Any],
    rule: Rule,
    dtype: np.dtype[Any],
    inputs: bool,
) -> engine.Program:
    table = np.zeros((len(shapes), engine.COLUMNS), np.int64)
    coefficients = np.zeros(2 * len(shapes) + 2)  # the first two belong to the cost
    place = features = 0
    for k, ((n_in, n_out), row) in enumerate(zip(shapes, rows, strict=True)):
        by_rows = k == 0 and not dense.is_narrow(n_in, n_out)
        line = table[k]
        line[engine.N_IN], line[engine.N_OUT] = n_in, n_out
        line[engine.WEIGHTS], line[engine.BIAS] = place, place + n_in * n_out
        line[[engine.OUTPUTS, engine.GRADIENT, engine.BELOW]] = [
            address(kernel, dtype) for kernel in dense.products(n_in, n_out, by_rows)
        ]
        line[engine.FORWARD] = row.forward_address(dtype)
        line[engine.BACKWARD] = row.backward_address(dtype)
        line[engine.OUTPUT] = line[engine.SAVED] = features
        features += n_out
        line[engine.COPY] = (
            k == len(shapes) - 1 and row.derivative_of == "output" and bool(line[engine.BACKWARD])
        )
        if row.stores_derivative or line[engine.COPY]:
            line[engine.SAVED] = features
            features += n_out
        line[engine.PARAMETERS] = 2 * k + 2
        coefficients[2 * k + 2 : 2 * k + 4] = row.numbers()
        line[engine.BY_ROWS] = by_rows
        place += (n_in + 1) * n_out
    walked = [n_in for n_in, _ in shapes[0 if inputs else 1 :]]
    kernels = address(delta, dtype), rule.address(dtype)
    return engine.Program(table, coefficients, *kernels, features, max(walked, default=0))
