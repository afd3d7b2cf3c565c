"""From layers, a cost and an optimizer to the `Model` that compiled code runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from .._core.caches import second_cache
from .._core.live_models import Owner
from ..activations import Activation
from ..kernels.codegen.cache_lines import LINE_BYTES, LINE_WORDS
from ..kernels.codegen.compiler import imported
from ..kernels.codegen.declare import address
from ..kernels.codegen.signature import Signature
from ..kernels.engine import layout
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


Table: TypeAlias = npt.NDArray[np.int64]  # of layers, or a line of it, see `layout`

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
    derivatives: tuple[str, ...] = ()  # of `derivatives.NAMES`


def keep(model: Model, index: int, array: npt.NDArray[Any]) -> None:
    """Give a model the address of an array, which then lives as long as the model."""
    model.descriptor.base.kept[index] = array
    model.descriptor[index] = array.ctypes.data


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
    cost_hyper = cost.numbers(shapes[-1][2])
    table, descriptor = _tables(
        shapes, kinds, cost.kernels(), cost_hyper.size, rule, theta.dtype, use
    )
    table, result = table.copy(), Model(np.asarray(Owner(descriptor.copy(), theta)), theta)
    keep(result, layout.LAYER_HYPER, _settings(layers, table, cost_hyper))
    keep(result, layout.LAYERS, table)
    keep(result, layout.THETA, theta)
    if optimizer:
        _keep_optimizer(result, optimizer)
    if grad is not None:
        keep(result, layout.GRAD, grad)
    _describe(result.descriptor, table, theta.size)
    result.descriptor[layout.TARGETS] = cost.targets_for(shapes[-1][2])
    result.descriptor[layout.WORK] = work_of(layers)
    result.descriptor[layout.MEAN] = cost.reduction == "mean"
    if use.derivatives:
        of = imported(".derivatives", __package__)  # which most programs do not need
        of.add(result.descriptor, table, layers, cost, use.derivatives, theta.dtype)
    return result


def model_like(like: Model, theta: Array, optimizer: Optimizer) -> Model:
    """The model of another network that differs in its parameters and its optimizer's only."""
    kept = like.descriptor.base.kept
    result = Model(np.asarray(Owner(like.descriptor.copy(), theta)), theta)
    keep(result, layout.LAYER_HYPER, kept[layout.LAYER_HYPER].copy())
    keep(result, layout.LAYERS, kept[layout.LAYERS].copy())
    keep(result, layout.THETA, theta)
    _keep_optimizer(result, optimizer)
    return result


def form_of(layers: Sequence[DenseLayer], cost: CostFunction) -> tuple[Any, ...]:
    """What models of networks have in common that differ in their parameters only."""
    return (
        layers[0].dtype, type(cost), cost.reduction, repr(cost),
        *(
            (
                layer.w.shape, layer.dim_output, layer.activation,
                *layer.activation_parameters.values(),
                layer.dropout, layer.l1, layer.l2, layer.trainable,
            )
            for layer in layers
        ),
    )  # fmt: skip


def _settings(layers: Sequence[DenseLayer], table: Table, cost_hyper: Array) -> Array:
    """Hyperparameters of the cost and of the layers; what else may change goes to their table."""
    hyper = np.concatenate([cost_hyper, np.zeros(layout.HYPER_PER_LAYER * len(layers))])
    for line, layer in zip(table, layers, strict=True):
        offset = line[layout.HYPER_OFFSET]
        p, q = layer.activation.numbers(layer.activation_parameters)
        hyper[offset : offset + layout.HYPER_PER_LAYER] = p, q, layer.l1, layer.l2, layer.dropout
        line[layout.PENALTY] = layer.l1 > 0.0 or layer.l2 > 0.0
        line[layout.TRAINABLE] = layer.trainable
    return hyper


def _keep_optimizer(model: Model, optimizer: Optimizer) -> None:
    """Let the model read and write what belongs to its optimizer."""
    optimizer.check_compiled()
    keep(model, layout.RULE_HYPER, optimizer.numbers())
    keep(model, layout.SUMS, np.zeros(LINE_WORDS))
    keep(model, layout.STATE, optimizer.state_for(model.theta))
    keep(model, layout.STEPS, optimizer.counter)


def _describe(descriptor: npt.NDArray[np.int64], table: Table, size: int) -> None:
    """Sizes, and what the layers' table says of all layers; size: of the parameters."""
    trainable = table[:, layout.TRAINABLE] != 0
    descriptor[layout.DEPTH], descriptor[layout.SIZE] = len(table), size
    descriptor[layout.INPUTS] = table[0, layout.N_IN]
    descriptor[layout.OUTPUTS] = table[-1, layout.N_OUT]
    descriptor[layout.FROZEN] = not trainable.all()
    descriptor[layout.LOWEST] = trainable.argmax() if trainable.any() else len(table)
    descriptor[layout.PENALISED] = table[:, layout.PENALTY].any()


@functools.lru_cache(maxsize=256)
def _tables(
    shapes: tuple[tuple[int, ...], ...],
    kinds: tuple[tuple[Activation, bool], ...],
    cost: CostKernels,
    n_cost_hyper: int,  # hyperparameters that come before those of the layers
    rule: Rule | None,
    dtype: np.dtype[Any],
    use: Use,
) -> tuple[Table, npt.NDArray[np.int64]]:
    """The layers' table and the descriptor, as far as they are the same for all such networks."""
    table = np.zeros((len(shapes), layout.COLUMNS), np.int64)
    offset = rows = 0
    for k, (shape, (spec, drops)) in enumerate(zip(shapes, kinds, strict=True)):
        offset = _place_parameters(table[k], shape, spec, offset)
        is_last = k == len(shapes) - 1
        rows = _place_rows(table[k], spec, drops, dtype.itemsize, rows, is_last)
        _set_kernels(table[k], spec, drops, dtype, use)
    table[:, layout.HYPER_OFFSET] = n_cost_hyper + layout.HYPER_PER_LAYER * np.arange(len(table))
    descriptor = np.zeros(layout.PLACES, np.int64)
    packing_size = packing_elements([shape[:2] for shape in shapes], dtype)
    for index, function, arguments in _functions(use, rule is not None, packing_size > 0):
        descriptor[index] = address(function, dtype, arguments)
    _set_cost(descriptor, cost, dtype, use, rule is not None)
    descriptor[layout.RULE] = rule.address(dtype) if rule else 0
    descriptor[layout.FEATURES] = rows
    descriptor[layout.PACKING] = packing_size
    return table, descriptor


def _place_parameters(line: Table, shape: tuple[int, ...], spec: Activation, offset: int) -> int:
    """A layer's sizes, and where its parameters stand in theta; returns where they end."""
    n_in, width, n_out = shape
    line[layout.N_IN], line[layout.N_OUT], line[layout.WIDTH] = n_in, n_out, width
    line[layout.WEIGHTS], line[layout.BIAS] = offset, offset + n_in * width
    line[layout.TRAINED] = n_out if spec.trained else 0
    return int(offset + (n_in + 1) * width + line[layout.TRAINED])


def _place_rows(
    line: Table, spec: Activation, drops: bool, itemsize: int, first: int, is_last: bool
) -> int:
    """Where in a tile a layer's rows stand, from the first on; returns where they end."""
    kind, width, n_out = spec.kind, line[layout.WIDTH], line[layout.N_OUT]
    per_line = LINE_BYTES // itemsize
    line[layout.MEMORY] = width + kind.spare if kind else 0
    line[layout.SCALED] = drops or not (kind or spec.is_identity)
    line[layout.DROPOUT] = drops
    y, memory = first, first + n_out
    factors = memory + line[layout.MEMORY]  # without memory of its own: the derivative
    grad_y = y if is_last else factors
    line[layout.Z], line[layout.AUX] = (memory, y) if kind else (y, factors)
    line[layout.Y], line[layout.FACTORS], line[layout.GRAD_Y] = y, factors, grad_y
    line[layout.DELTA] = memory if kind else grad_y
    line[layout.DELTA_T], line[layout.STRIDE] = factors + n_out, -(-width // per_line) * per_line
    return int(factors + n_out + line[layout.STRIDE])


def _set_kernels(
    line: Table, spec: Activation, drops: bool, dtype: np.dtype[Any], use: Use
) -> None:
    """Addresses of the kernels of a layer's activation."""
    if use.training or use.stepping or use.in_njit:
        line[layout.TRAIN] = spec.training_address(dtype, always=drops)
        line[layout.LAYER_VJP] = spec.vjp_address(dtype)
    if use.predicting or use.evaluating or use.in_njit:
        line[layout.FORWARD] = spec.address(dtype)


def _set_cost(
    descriptor: npt.NDArray[np.int64],
    cost: CostKernels,
    dtype: np.dtype[Any],
    use: Use,
    learns: bool,
) -> None:
    """Addresses of the kernels of the cost."""
    if use.training or use.stepping or (use.in_njit and learns):
        descriptor[layout.COST] = address(cost.value_and_grad, dtype)
    if use.evaluating:
        descriptor[layout.VALUE] = address(cost.value, dtype)
    if use.predicting or use.in_njit:
        descriptor[layout.OUTPUT_ACTIVATION] = address(cost.activate, dtype) if cost.activate else 0
    if use.in_njit:
        descriptor[layout.OUTPUT_VJP] = address(cost.vjp, dtype) if cost.vjp else 0


def packing_elements(shapes: Sequence[tuple[int, ...]], dtype: np.dtype[Any]) -> int:
    """Elements of a room for packed operands; 0 where the weights of these shapes are all small."""
    large = max(n_in * width for n_in, width in shapes) * dtype.itemsize > _LARGE
    return 3 * second_cache() // (2 * dtype.itemsize) if large else 0


def _functions(
    use: Use, learns: bool, large: bool
) -> list[tuple[int, Callable[..., Any], Signature]]:
    """C functions that a use asks for: index in the descriptor, function, signature."""
    functions = [
        (layout.GEMM, gemm.gemm, gemm.GEMM),
        (layout.TRANSPOSE, gemm.transpose, gemm.TRANSPOSE),
        (layout.PASS, tiles.tile_pass, tiles.TILE_PASS),
    ]
    if large:
        functions += [(layout.PACKED_GEMM, packing.packed_gemm, packing.PACKED_GEMM)]
    if use.training or use.stepping or (use.in_njit and learns):
        functions += [
            (layout.GEMM_NT, gemm.gemm_nt, gemm.GEMM_NT),
            (layout.GRADIENT, tiles.tile_gradient, tiles.TILE_GRADIENT),
        ]
    if use.predicting or use.in_njit:
        functions += [(layout.PREDICT, inference.predict, inference.PREDICT)]
    if use.in_njit:
        functions += [
            (layout.JACOBIAN, inference.jacobian, inference.JACOBIAN),
            (layout.VJP, inference.vjp, inference.VJP),
        ]
    if use.stepping or (use.in_njit and learns):
        functions += [(layout.STEP, inference.train_step, inference.TRAIN_STEP)]
    return functions
