"""Networks into ONNX files."""

from __future__ import annotations

import copy
import os
from typing import Any

from ..._core.arrays import count
from ..._core.extras import needed
from ..._core.writing import checked_path, replacing
from ...layers import DenseLayer
from ...layers.base import check_finite
from ...layers.prepared import goes_own_way
from ...losses.base import CostFunction
from ...model.snapshot import snapshot
from ...model.stack import Stack
from .operators import HIGHEST, LOWEST

__all__ = ["write"]

_MOST = 2**31 - 2**20  # bytes of a protocol buffer, with room for all but the parameters


def write(network: Stack, path: str | os.PathLike[str], activate: bool, opset: int) -> None:
    """See `fastnn.NeuralNetwork.export_onnx`."""
    if count("opset", opset, least=LOWEST) > HIGHEST:
        raise ValueError(f"opset must be at most {HIGHEST}, but is {opset}")
    place, model = checked_path(path), _maker()
    with network._lock.held():
        now = snapshot(network)
        _check(now.layers, now.cost_function, activate)
        layers = copy.deepcopy(now.layers)
    made = model(layers, now.cost_function if activate else None, opset)
    with replacing(place) as file:
        file.write(made.SerializeToString())


def _maker() -> Any:
    with needed("export_onnx needs onnx: pip install 'fastnn-numba[onnx]'", "onnx"):
        from .model import model
    return model


def _check(layers: list[Any], cost: Any, activate: bool) -> None:
    """Refuse what has code of its own, and what no file can hold."""
    for k, layer in enumerate(layers):
        if not isinstance(layer, DenseLayer) or goes_own_way(layer):
            raise ValueError(
                f"layers[{k}] is {layer!r}, whose code is its own, expected a DenseLayer"
            )
        layer.check_shapes(f"layers[{k}].")
        check_finite(layer, k)
    own = not isinstance(cost, CostFunction) or type(cost).activate is not CostFunction.activate
    if activate and (own or "activate" in vars(cost)):
        raise ValueError(
            f"cost_function is {cost!r}, whose activation is code of its own: export with "
            "activate=False, without it"
        )
    size = sum(getattr(layer, name).nbytes for layer in layers for name in layer.trained)
    if size > _MOST:
        raise ValueError(f"the parameters have {size} bytes, expected at most {_MOST} in a file")
