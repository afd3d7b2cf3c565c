"""What a model has for derivatives of higher order, beside what all models have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.codegen.declare import address
from ..kernels.derivatives import first_order, functions, tile_kernels
from ..kernels.engine import layout
from ..kernels.gemm import loops as gemm
from ..kernels.losses import curvature
from ..layers import DenseLayer
from ..losses import table as losses
from ..losses.base import CostFunction
from ..losses.spec import Loss

__all__ = ["NAMES", "add", "obstacle", "possible"]

_FUNCTIONS = {
    "jvp": (layout.JVP, first_order.jvp, first_order.JVP),
    "parameter_jacobian": (
        layout.PARAMETER_JACOBIAN, first_order.parameter_jacobian, first_order.PARAMETER_JACOBIAN,
    ),
    "hvp": (layout.HVP, functions.hvp, functions.HVP),
    "laplacian": (layout.LAPLACIAN, functions.laplacian, functions.LAPLACIANS),
    "laplacian_vjp": (layout.LAPLACIAN_VJP, functions.laplacian_vjp, functions.LAPLACIAN_VJP),
}  # fmt: skip
NAMES = tuple(_FUNCTIONS)

# The order of derivatives that an activation needs, and where the table of layers has its kernel.
_ORDERS = {"hvp": 2, "laplacian": 2, "laplacian_vjp": 3}
_COLUMNS = {2: (layout.SECOND, layout.OUTPUT_SECOND), 3: (layout.THIRD, layout.OUTPUT_THIRD)}
_WORDS = {2: "second", 3: "third"}


def possible(layers: Sequence[DenseLayer], cost: CostFunction) -> tuple[str, ...]:
    """Names of the derivatives that a network has."""
    return tuple(name for name in NAMES if not obstacle(name, layers, cost))


def obstacle(name: str, layers: Sequence[DenseLayer], cost: CostFunction) -> str:
    """Why a network has no such derivative, as a sentence; empty if it has."""
    order = _ORDERS.get(name, 0)
    for k, layer in enumerate(layers if order else ()):
        spec = layer.activation
        what = f"layers[{k}] has the activation {spec.name}, which "
        if spec.kind:
            return (
                f"{what}acts on all features together, expected one of each number: {name} takes "
                f"{_WORDS[order]} derivatives of those only"
            )
        if tile_kernels.with_derivatives(spec.kernel, order) is None:
            return f"{what}has no {_WORDS[order]} derivative here, which {name} takes"
    if name == "hvp" and _curvature(cost) is None:
        known = [spec.name for spec in losses.LOSSES.values() if _found(spec) is not None]
        return (
            f"cost_function is {type(cost).__name__}, whose second derivatives are not known, "
            f"expected {', '.join(known[:-1])} or {known[-1]}"
        )
    if order and name != "hvp" and _output_kernel(cost, order) is None:
        return (
            f"cost_function is {type(cost).__name__}, which gives the output the activation "
            f"{cost.spec.activation}, of all features together: {name} takes the identity or one "
            "of each number, as of SumSquaresError or SigmoidCrossEntropy"
        )
    return ""


def _found(spec: Loss) -> Any:
    return curvature.find(spec.kernel, spec.averaged)


def _curvature(cost: CostFunction) -> Any:
    """The tile kernel of the cost's Hessian, or None."""
    return _found(cost.spec)


def _output_kernel(cost: CostFunction, order: int) -> Any:
    """The tile kernel of the output's activation; 0 for none, None where there can be none."""
    name = cost.spec.activation
    return 0 if name == "identity" else tile_kernels.with_derivatives(name, order)


def add(
    descriptor: npt.NDArray[np.int64],
    table: npt.NDArray[np.int64],
    layers: Sequence[DenseLayer],
    cost: CostFunction,
    names: Sequence[str],
    dtype: np.dtype[Any],
) -> None:
    """Write the addresses of what these functions want into a model's arrays."""
    for name in ("laplacian", *names) if names == ("laplacian_vjp",) else names:
        index, function, signature = _FUNCTIONS[name]
        descriptor[index] = address(function, dtype, signature)
        order = _ORDERS.get(name, 1)
        if order == 1:
            _add_first(descriptor, table, layers, cost, dtype)
            continue
        column, output = _COLUMNS[order]
        for line, layer in zip(table, layers, strict=True):
            kernel = tile_kernels.with_derivatives(layer.activation.kernel, order)
            line[column] = address(kernel, dtype)
        if name == "hvp":
            descriptor[layout.CURVATURE] = address(_curvature(cost), dtype)
            descriptor[layout.COST] = address(cost.kernels().value_and_grad, dtype)
        else:
            kernel = _output_kernel(cost, order)
            descriptor[output] = address(kernel, dtype) if kernel else 0
        if name != "laplacian":
            descriptor[layout.GEMM_NT] = address(gemm.gemm_nt, dtype, gemm.GEMM_NT)


def _add_first(
    descriptor: npt.NDArray[np.int64],
    table: npt.NDArray[np.int64],
    layers: Sequence[DenseLayer],
    cost: CostFunction,
    dtype: np.dtype[Any],
) -> None:
    """What first derivatives want: those of the activations, also of the output's."""
    for line, layer in zip(table, layers, strict=True):
        spec = layer.activation
        line[layout.TRAIN] = spec.training_address(dtype, always=layer.dropout > 0.0)
        line[layout.LAYER_VJP] = spec.vjp_address(dtype)
    output = cost.kernels()
    if output.activate:
        descriptor[layout.OUTPUT_ACTIVATION] = address(output.activate, dtype)
        descriptor[layout.OUTPUT_VJP] = address(output.vjp, dtype)
