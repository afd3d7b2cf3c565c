"""From layers, a cost and an optimizer to the `Model` that compiled code runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from .._core.live_models import Owner
from ..activations import Activation
from ..kernels.codegen.declare import address
from ..kernels.engine import model as at
from ..kernels.engine import tile as tiles
from ..kernels.engine import train as engine
from ..kernels.gemm import loops as dense
from ..kernels.inference import functions as inference
from ..layers import DenseLayer
from ..losses.base import CostFunction, CostKernels, check_total
from ..optimizers import Optimizer, Rule


def is_compiled(layers: Sequence[Any], cost: Any) -> bool:
    """Whether the engine can run this network: no layer and no cost goes a way of its own."""
    return (
        all(map(_is_plain, layers))
        and isinstance(cost, CostFunction)
        and type(cost).delta is CostFunction.delta
        and type(cost).activate is CostFunction.activate
        and type(cost).__call__ is CostFunction.__call__
        and not {"delta", "activate"} & vars(cost).keys()
    )


def _is_plain(layer: Any) -> bool:
    kind: Any = type(layer)
    return _is_plain_class(kind) and DenseLayer.OWN_WAY.isdisjoint(vars(layer))


@functools.cache
def _is_plain_class(kind: type) -> bool:
    return issubclass(kind, DenseLayer) and all(
        getattr(kind, name) is getattr(DenseLayer, name) for name in DenseLayer.OWN_WAY
    )


CURVE = 30.0  # multiplications and additions that take as long as an activation does


@dataclass(frozen=True)
class Use:
    """What a model is for: kernels for other purposes are neither compiled nor loaded."""

    predicting: bool = False
    evaluating: bool = False
    training: bool = False
    embedded: bool = False  # in users' own kernels


def keep(made: at.Model, place: int, array: npt.NDArray[Any]) -> None:
    """Give a model the address of an array, which then lives as long as the model."""
    made.core.base.kept[place] = array
    made.core[place] = array.ctypes.data


def model(
    layers: Sequence[DenseLayer],
    cost: CostFunction,
    theta: Array,
    use: Use,
    optimizer: Optimizer | None = None,
    grad: Array | None = None,
) -> at.Model:
    """The model of a network; `grad` takes its gradient where users' kernels train it."""
    shapes = tuple((*layer.w.shape, layer.dim_output) for layer in layers)
    kinds = tuple((layer.activation, layer.dropout > 0.0) for layer in layers)
    rule = optimizer.rule if optimizer else None
    check_total(cost)
    of_cost = cost.numbers(shapes[-1][2])
    layer_table, core = _tables(shapes, kinds, cost.kernels(), of_cost.size, rule, theta.dtype, use)
    layer_table = layer_table.copy()
    numbers = np.concatenate([of_cost, np.zeros(at.LAYER_NUMBERS * len(layers))])
    for k, layer in enumerate(layers):
        place = layer_table[k, at.NUMBERS]
        p, q = layer.activation.numbers(layer.activation_parameters)
        numbers[place : place + at.LAYER_NUMBERS] = p, q, layer.l1, layer.l2, layer.dropout
        layer_table[k, at.PENALTY] = layer.l1 > 0.0 or layer.l2 > 0.0
        layer_table[k, at.TRAINABLE] = layer.trainable
    made = at.Model(np.asarray(Owner(core.copy(), theta)), theta)
    for place, array in ((at.LAYERS, layer_table), (at.NUMBERS_OF, numbers), (at.THETA, theta)):
        keep(made, place, array)
    if optimizer:
        optimizer.check_compiled()
        keep(made, at.HYPER, optimizer.numbers())
        keep(made, at.SUMS, np.zeros(engine.LINE))
        keep(made, at.STATE, optimizer.state_for(theta))
        keep(made, at.STEPS, optimizer.counter)
    if grad is not None:
        keep(made, at.GRAD, grad)
    made.core[at.DEPTH], made.core[at.SIZE] = len(layers), theta.size
    trainable = layer_table[:, at.TRAINABLE] != 0
    made.core[at.FROZEN] = not trainable.all()
    made.core[at.LOWEST] = trainable.argmax() if trainable.any() else len(layers)
    made.core[at.PENALISED] = layer_table[:, at.PENALTY].any()
    made.core[at.INPUTS], made.core[at.OUTPUTS] = shapes[0][0], shapes[-1][2]
    made.core[at.TARGETS] = cost.targets_for(shapes[-1][2])
    made.core[at.MEAN] = cost.reduction == "mean"
    return made


@functools.lru_cache(maxsize=256)
def _tables(
    shapes: tuple[tuple[int, ...], ...],
    kinds: tuple[tuple[Activation, bool], ...],
    cost: CostKernels,
    of_cost: int,  # numbers that come before those of the layers
    rule: Rule | None,
    dtype: np.dtype[Any],
    use: Use,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    table = np.zeros((len(shapes), at.COLUMNS), np.int64)
    per_line = dense.LINE_BYTES // dtype.itemsize
    place = rows = 0
    for k, ((n_in, width, n_out), (row, drops)) in enumerate(zip(shapes, kinds, strict=True)):
        line, kind = table[k], row.kind
        line[at.N_IN], line[at.N_OUT], line[at.WIDTH] = n_in, n_out, width
        line[at.WEIGHTS], line[at.BIAS] = place, place + n_in * width
        line[at.TRAINED] = n_out if row.trained else 0
        place += (n_in + 1) * width + line[at.TRAINED]
        if use.training or use.embedded:
            line[at.TRAIN] = row.training_address(dtype, always=drops)
            line[at.PULL] = row.pull_address(dtype)
        if use.predicting or use.evaluating or use.embedded:
            line[at.FORWARD] = row.address(dtype)
        line[at.MEMORY] = width + kind.spare if kind else 0
        line[at.SCALED] = drops or not (kind or row.is_identity)
        line[at.DROPOUT] = drops
        y, memory = rows, rows + n_out
        factors = memory + line[at.MEMORY]  # without memory of its own: the derivative
        rows = factors + n_out
        given = y if k == len(shapes) - 1 else factors
        line[at.Z], line[at.BESIDE] = (memory, y) if kind else (y, factors)
        line[at.Y], line[at.FACTORS], line[at.GIVEN] = y, factors, given
        line[at.DELTA] = memory if kind else given
        line[at.TURNED], line[at.STRIDE] = rows, -(-width // per_line) * per_line
        rows += line[at.STRIDE]
        line[at.NUMBERS] = of_cost + at.LAYER_NUMBERS * k
    core = np.zeros(at.CORE, np.int64)
    for address_of, function, arguments in _functions(use, rule is not None):
        core[address_of] = address(function, dtype, arguments)
    if use.training or (use.embedded and rule):
        core[at.COST] = address(cost.step, dtype)
    if use.evaluating:
        core[at.VALUE] = address(cost.value, dtype)
    if use.predicting or use.embedded:
        core[at.ACTIVATE] = address(cost.activate, dtype) if cost.activate else 0
    if use.embedded:
        core[at.PULL] = address(cost.pull, dtype) if cost.pull else 0
    core[at.RULE] = rule.address(dtype) if rule else 0
    core[at.FEATURES] = rows
    return table, core


def _functions(use: Use, learns: bool) -> list[tuple[int, Callable[..., Any], str]]:
    """Places in `core` of the C functions that a use asks for."""
    found = [
        (at.MULTIPLY, dense.multiply, dense.MULTIPLY_ARGUMENTS),
        (at.TRANSPOSE, dense.transpose, dense.TRANSPOSE_ARGUMENTS),
        (at.PASS, tiles.tile_pass, tiles.PASS_ARGUMENTS),
    ]
    if use.training or (use.embedded and learns):
        found += [
            (at.INNER, dense.inner, dense.INNER_ARGUMENTS),
            (at.GRADIENT, tiles.tile_gradient, tiles.GRADIENT_ARGUMENTS),
        ]
    if use.predicting or use.embedded:
        found += [(at.PREDICT, inference.predict, inference.PREDICT_ARGUMENTS)]
    if use.embedded:
        found += [
            (at.JACOBIAN, inference.jacobian, inference.JACOBIAN_ARGUMENTS),
            (at.VJP, inference.vjp, inference.VJP_ARGUMENTS),
        ]
    if use.embedded and learns:
        found += [(at.STEP, inference.train_step, inference.STEP_ARGUMENTS)]
    return found
