"""A network as a description for JSON and named arrays, and back, by the tables.

A description is made of names, numbers and nothing else; a name is looked up in a table, and one
that is not there is an error. So nothing that a file says is imported or run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from .._core.arrays import count, float_dtype
from .._core.names import nearest
from ..activations import ACTIVATIONS
from ..layers import DenseLayer, LinearLayer, ReLULayer, SigmoidLayer, TanhLayer
from ..layers.prepared import goes_own_way
from ..losses import COSTS
from ..losses.base import CostFunction
from ..model.compile import is_compiled
from ..model.stack import Stack
from .document import entry

__all__ = ["Arrays", "array_of", "found", "made", "network", "parameters", "structure"]

Arrays = dict[str, npt.NDArray[Any]]

S = TypeVar("S", bound=Stack)

_LAYERS = {
    kind.__name__: kind for kind in (DenseLayer, LinearLayer, ReLULayer, SigmoidLayer, TanhLayer)
}
_SETTINGS = ("dropout", "l1", "l2")


def network(stack: Stack) -> dict[str, Any]:
    """What a network is, without its parameters.

    Raises
    ------
    TypeError
        If a layer or the cost is the caller's own.

    """
    layers, cost = list(stack.layers), _of_the_table(getattr(stack, "cost_function", None))
    for k, layer in enumerate(layers):
        if not _is_known(layer):
            raise TypeError(
                f"layers[{k}] is a {type(layer).__name__} of your own: files hold layers of fastnn "
                "only, which can be made again by their names"
            )
    each = zip(structure(stack), map(_settings, layers), strict=True)
    return {
        "dtype": stack.dtype.name,
        "layers": [{**described, **settings} for described, settings in each],
        "cost": {
            "name": cost.spec.name,
            "reduction": cost.reduction,
            "parameters": cost.parameters,
        },
    }


def _is_known(layer: Any) -> bool:
    spec = getattr(layer, "activation", None)
    return (
        _LAYERS.get(type(layer).__name__) is type(layer)
        and ACTIVATIONS.get(getattr(spec, "name", "")) is spec
        and not goes_own_way(layer)
    )


def _of_the_table(cost: Any) -> CostFunction:
    spec: Any = getattr(cost, "spec", None)
    if COSTS.get(getattr(spec, "name", "")) is not type(cost) or not is_compiled([], cost):
        raise TypeError(
            f"cost_function is a {type(cost).__name__} of your own: files hold costs of fastnn "
            "only, which can be made again by their names"
        )
    return cost


def structure(stack: Stack) -> list[dict[str, Any]]:
    """What the parameters of any network are those of, layer by layer."""
    layers = []
    for layer in stack.layers:
        spec = getattr(layer, "activation", None)
        inputs, outputs = np.shape(layer.w)
        layers.append(
            {
                "inputs": inputs,
                "outputs": getattr(layer, "dim_output", outputs),
                "activation": getattr(spec, "name", None) or type(layer).__name__,
                "numbers": dict(getattr(layer, "activation_parameters", {})),
            }
        )
    return layers


def _settings(layer: DenseLayer) -> dict[str, Any]:
    numbers = {name: getattr(layer, name) for name in _SETTINGS}
    return {"kind": type(layer).__name__, "trainable": layer.trainable, **numbers}


def parameters(stack: Stack) -> Arrays:
    """The parameters as named arrays, such as ``layers.0.w``."""
    return {
        f"layers.{k}.{name}": np.array(getattr(layer, name))
        for k, layer in enumerate(stack.layers)
        for name in layer.trained
    }


def made(described: Any, arrays: Arrays, kind: Callable[[list[Any], CostFunction], S]) -> S:
    """The network that `network` described, as a stack of that kind.

    Arrays are as `parameters` names them, or one vector ``parameters`` of all.
    """
    dtype = float_dtype(entry(described, "dtype", str))
    layers = entry(described, "layers", list)
    shapes = [_shapes(layer) for layer in layers]
    if "parameters" in arrays:
        arrays = _cut(arrays["parameters"], shapes)
    made_ = [_layer(k, layer, shapes[k], arrays, dtype) for k, layer in enumerate(layers)]
    return kind(made_, _cost(entry(described, "cost", dict)))


def _shapes(layer: Any) -> dict[str, tuple[int, ...]]:
    """Shapes of a layer's parameters; nothing is made of that size."""
    spec, numbers = _activation(layer)
    inputs, outputs = (
        count(name, entry(layer, name, int), least=1) for name in ("inputs", "outputs")
    )
    width = outputs * spec.columns(numbers)
    return {
        "w": (inputs, width),
        "b": (width,),
        **({spec.trained: (outputs,)} if spec.trained else {}),
    }


def _activation(layer: Any) -> tuple[Any, dict[str, Any]]:
    spec = found("activation", entry(layer, "activation", str), ACTIVATIONS)
    return spec, spec.checked(entry(layer, "numbers", dict))


def _cut(vector: npt.NDArray[Any], shapes: list[dict[str, tuple[int, ...]]]) -> Arrays:
    """The parameters by name, from one vector of all."""
    sizes = {(k, name): math.prod(s) for k, each in enumerate(shapes) for name, s in each.items()}
    if vector.shape != (sum(sizes.values()),):
        raise ValueError(f"parameters have shape {vector.shape}, expected ({sum(sizes.values())},)")
    arrays, begin = {}, 0
    for (k, name), size in sizes.items():
        arrays[f"layers.{k}.{name}"] = vector[begin : begin + size].reshape(shapes[k][name])
        begin += size
    return arrays


def _layer(
    k: int,
    described: Any,
    shapes: Mapping[str, tuple[int, ...]],
    arrays: Arrays,
    dtype: np.dtype[Any],
) -> DenseLayer:
    """A layer with its parameters, which are looked at before it is made."""
    values = {
        name: array_of(arrays, f"layers.{k}.{name}", shape, dtype) for name, shape in shapes.items()
    }
    kind = found("layer", entry(described, "kind", str), _LAYERS)
    spec, numbers = _activation(described)
    layer: DenseLayer = kind(
        described["inputs"], described["outputs"], activation=spec, init=_zeros, dtype=dtype,
        trainable=entry(described, "trainable", bool),
        **{name: entry(described, name, (int, float)) for name in _SETTINGS}, **numbers,
    )  # fmt: skip
    for name, value in values.items():
        setattr(layer, name, value)
    return layer


def _zeros(shape: tuple[int, int], rng: Any) -> npt.NDArray[Any]:
    """Weights until those of the file are there, which may be infinite or NaN."""
    return np.zeros(shape)


def _cost(described: Any) -> CostFunction:
    kind = found("cost", entry(described, "name", str), COSTS)
    more = entry(described, "parameters", dict)
    made_: CostFunction = kind(entry(described, "reduction", str), **more)
    return made_


def array_of(
    arrays: Arrays, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """An array of a file, which must have this shape and dtype."""
    if name not in arrays:
        raise ValueError(f"it has no array {name}")
    array = arrays[name]
    if array.shape != shape or array.dtype.newbyteorder("=") != dtype:
        raise ValueError(
            f"{name} has shape {array.shape} and dtype {array.dtype}, expected {shape} and {dtype}"
        )
    return array


def found(what: str, name: str, table: Mapping[str, Any]) -> Any:
    """The entry of a table, by its very name."""
    if name not in table:
        raise ValueError(
            f"it names the {what} {name[:60]!r}, which is none of fastnn's{nearest([name], table)}"
        )
    return table[name]
