"""From layers, a cost and an optimizer to the `Model` that compiled code runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from .._core.caches import second_cache
from .._core.live_models import Owner
from ..activations import Activation
from ..kernels.codegen.declare import address
from ..kernels.codegen.signature import Signature
from ..kernels.engine import layout
from ..kernels.engine import team as engine_team
from ..kernels.engine import tile as tiles
from ..kernels.engine.model import Model
from ..kernels.gemm import loops as gemm
from ..kernels.gemm import packing
from ..kernels.inference import functions as inference
from ..layers import DenseLayer
from ..layers.prepared import goes_own_way
from ..losses.base import CostFunction, CostKernels, check_total
from ..optimizers import Optimizer, Rule


def is_compiled(layers: Sequence[Any], cost: Any) -> bool:
    """Whether the engine can run this network: no layer and no cost has code of its own."""
    return (
        all(map(_is_plain, layers))
        and isinstance(cost, CostFunction)
        and type(cost).delta is CostFunction.delta
        and type(cost).activate is CostFunction.activate
        and type(cost).__call__ is CostFunction.__call__
        and not {"delta", "activate"} & vars(cost).keys()
    )


def _is_plain(layer: Any) -> bool:
    return isinstance(layer, DenseLayer) and not goes_own_way(layer)


_LARGE = 1 << 16  # bytes of weights that no first-level cache keeps beside the samples
_CURVE = 30  # multiplications and additions that take as long as an activation does


def work_of(layers: Sequence[Any]) -> int:
    """Multiplications and additions for a sample, forward and back, with those of activations."""
    return sum(layer.w.shape[1] * (3 * layer.dim_input + _CURVE) for layer in layers)


@dataclass(frozen=True)
class Use:
    """What a model is for: kernels for other purposes are neither compiled nor loaded."""

    predicting: bool = False
    evaluating: bool = False
    training: bool = False
    in_njit: bool = False  # in users' own kernels
    stepping: bool = False  # one step on all samples, by a call of its own


def keep(made: Model, index: int, array: npt.NDArray[Any]) -> None:
    """Give a model the address of an array, which then lives as long as the model."""
    made.descriptor.base.kept[index] = array
    made.descriptor[index] = array.ctypes.data


def model(
    layers: Sequence[DenseLayer],
    cost: CostFunction,
    theta: Array,
    use: Use,
    optimizer: Optimizer | None = None,
    grad: Array | None = None,
) -> Model:
    """The model of a network; `grad` takes its gradient where users' kernels train it."""
    shapes = tuple((*layer.w.shape, layer.dim_output) for layer in layers)
    kinds = tuple((layer.activation, layer.dropout > 0.0) for layer in layers)
    rule = optimizer.rule if optimizer else None
    check_total(cost)
    of_cost = cost.numbers(shapes[-1][2])
    layer_table, descriptor = _tables(
        shapes, kinds, cost.kernels(), of_cost.size, rule, theta.dtype, use
    )
    layer_table = layer_table.copy()
    numbers = np.concatenate([of_cost, np.zeros(layout.HYPER_PER_LAYER * len(layers))])
    for k, layer in enumerate(layers):
        offset = layer_table[k, layout.HYPER_OFFSET]
        p, q = layer.activation.numbers(layer.activation_parameters)
        numbers[offset : offset + layout.HYPER_PER_LAYER] = p, q, layer.l1, layer.l2, layer.dropout
        layer_table[k, layout.PENALTY] = layer.l1 > 0.0 or layer.l2 > 0.0
        layer_table[k, layout.TRAINABLE] = layer.trainable
    made = Model(np.asarray(Owner(descriptor.copy(), theta)), theta)
    for index, array in (
        (layout.LAYERS, layer_table),
        (layout.LAYER_HYPER, numbers),
        (layout.THETA, theta),
    ):
        keep(made, index, array)
    if optimizer:
        optimizer.check_compiled()
        keep(made, layout.RULE_HYPER, optimizer.numbers())
        keep(made, layout.SUMS, np.zeros(engine_team.LINE))
        keep(made, layout.STATE, optimizer.state_for(theta))
        keep(made, layout.STEPS, optimizer.counter)
    if grad is not None:
        keep(made, layout.GRAD, grad)
    made.descriptor[layout.DEPTH], made.descriptor[layout.SIZE] = len(layers), theta.size
    trainable = layer_table[:, layout.TRAINABLE] != 0
    made.descriptor[layout.FROZEN] = not trainable.all()
    made.descriptor[layout.LOWEST] = trainable.argmax() if trainable.any() else len(layers)
    made.descriptor[layout.PENALISED] = layer_table[:, layout.PENALTY].any()
    made.descriptor[layout.INPUTS], made.descriptor[layout.OUTPUTS] = shapes[0][0], shapes[-1][2]
    made.descriptor[layout.TARGETS] = cost.targets_for(shapes[-1][2])
    made.descriptor[layout.WORK] = work_of(layers)
    made.descriptor[layout.MEAN] = cost.reduction == "mean"
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
    table = np.zeros((len(shapes), layout.COLUMNS), np.int64)
    per_line = gemm.LINE_BYTES // dtype.itemsize
    offset = rows = 0
    for k, ((n_in, width, n_out), (spec, drops)) in enumerate(zip(shapes, kinds, strict=True)):
        line, kind = table[k], spec.kind
        line[layout.N_IN], line[layout.N_OUT], line[layout.WIDTH] = n_in, n_out, width
        line[layout.WEIGHTS], line[layout.BIAS] = offset, offset + n_in * width
        line[layout.TRAINED] = n_out if spec.trained else 0
        offset += (n_in + 1) * width + line[layout.TRAINED]
        if use.training or use.stepping or use.in_njit:
            line[layout.TRAIN] = spec.training_address(dtype, always=drops)
            line[layout.LAYER_VJP] = spec.vjp_address(dtype)
        if use.predicting or use.evaluating or use.in_njit:
            line[layout.FORWARD] = spec.address(dtype)
        line[layout.MEMORY] = width + kind.spare if kind else 0
        line[layout.SCALED] = drops or not (kind or spec.is_identity)
        line[layout.DROPOUT] = drops
        y, memory = rows, rows + n_out
        factors = memory + line[layout.MEMORY]  # without memory of its own: the derivative
        rows = factors + n_out
        given = y if k == len(shapes) - 1 else factors
        line[layout.Z], line[layout.AUX] = (memory, y) if kind else (y, factors)
        line[layout.Y], line[layout.FACTORS], line[layout.GRAD_Y] = y, factors, given
        line[layout.DELTA] = memory if kind else given
        line[layout.DELTA_T], line[layout.STRIDE] = rows, -(-width // per_line) * per_line
        rows += line[layout.STRIDE]
        line[layout.HYPER_OFFSET] = of_cost + layout.HYPER_PER_LAYER * k
    descriptor = np.zeros(layout.PLACES, np.int64)
    large = max(n_in * width for n_in, width, _ in shapes) * dtype.itemsize > _LARGE
    for address_of, function, arguments in _functions(use, rule is not None, large):
        descriptor[address_of] = address(function, dtype, arguments)
    if use.training or use.stepping or (use.in_njit and rule):
        descriptor[layout.COST] = address(cost.value_and_grad, dtype)
    if use.evaluating:
        descriptor[layout.VALUE] = address(cost.value, dtype)
    if use.predicting or use.in_njit:
        descriptor[layout.OUTPUT_ACTIVATION] = address(cost.activate, dtype) if cost.activate else 0
    if use.in_njit:
        descriptor[layout.OUTPUT_VJP] = address(cost.vjp, dtype) if cost.vjp else 0
    descriptor[layout.RULE] = rule.address(dtype) if rule else 0
    descriptor[layout.FEATURES] = rows
    descriptor[layout.PACKING] = 3 * second_cache() // (2 * dtype.itemsize) if large else 0
    return table, descriptor


def _functions(
    use: Use, learns: bool, large: bool
) -> list[tuple[int, Callable[..., Any], Signature]]:
    """Places in the descriptor of the C functions that a use asks for."""
    found = [
        (layout.GEMM, gemm.gemm, gemm.GEMM),
        (layout.TRANSPOSE, gemm.transpose, gemm.TRANSPOSE),
        (layout.PASS, tiles.tile_pass, tiles.TILE_PASS),
    ]
    if large:
        found += [(layout.PACKED_GEMM, packing.packed_gemm, packing.PACKED_GEMM)]
    if use.training or use.stepping or (use.in_njit and learns):
        found += [
            (layout.GEMM_NT, gemm.gemm_nt, gemm.GEMM_NT),
            (layout.GRADIENT, tiles.tile_gradient, tiles.TILE_GRADIENT),
        ]
    if use.predicting or use.in_njit:
        found += [(layout.PREDICT, inference.predict, inference.PREDICT)]
    if use.in_njit:
        found += [
            (layout.JACOBIAN, inference.jacobian, inference.JACOBIAN),
            (layout.VJP, inference.vjp, inference.VJP),
        ]
    if use.stepping or (use.in_njit and learns):
        found += [(layout.STEP, inference.train_step, inference.TRAIN_STEP)]
    return found
