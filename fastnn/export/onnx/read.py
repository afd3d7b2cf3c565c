"""Layers and a cost of an ONNX file."""

from __future__ import annotations

import os
import re
from typing import Any

import numpy as np

from ...layers import DenseLayer
from ...losses import COSTS
from ...losses.base import CostFunction
from ...losses.table import LOSSES
from .chain import Chain, Part
from .graph import Graph, attributes, title
from .patterns import Found

__all__ = ["read"]


def read(
    path: str | os.PathLike[str], cost: CostFunction | None, output: str | None
) -> tuple[list[DenseLayer], CostFunction]:
    """See `fastnn.from_onnx`."""
    chain = Chain(Graph(path, output))
    chain.follow()
    cost = _cost(chain, cost)
    return [_layer(part) for part in chain.parts], cost


def _cost(chain: Chain, given: CostFunction | None) -> CostFunction:
    """The cost, which takes the activation that it brings with it from the last layer."""
    last, behind = chain.parts[-1], chain.behind
    if behind is not None and not isinstance(behind, Found):
        return _of_function(behind, given)
    end = behind or last.activation
    kernel = end.spec.kernel if end else "identity"
    if given is None:
        fitting = (spec for spec in LOSSES.values() if spec.activation == kernel != "identity")
        spec = next(fitting, LOSSES["SumSquaresError"])
        given = COSTS[spec.name]()
    if given.spec.activation == kernel:
        if behind is None:
            last.activation = None
    elif behind is not None:
        raise ValueError(
            f"{title(behind.node)} is a second activation of the last layer, and not that of "
            f"{given!r}"
        )
    return given


def _of_function(node: Any, given: CostFunction | None) -> CostFunction:
    """The cost whose activation is a function of a file of this library."""
    name = re.sub(r"_\d+$", "", node.op_type)
    if name not in COSTS or (given is not None and type(given).__name__ != name):
        raise ValueError(
            f"{title(node)} is nothing that from_onnx knows"
            + (f" with the cost {given!r}" if given is not None else "")
        )
    try:
        made = COSTS[name](**attributes(node))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{title(node)}: {error}") from error
    return made if given is None else given


def _layer(part: Part) -> DenseLayer:
    """The layer of a product and what follows it."""
    found, (inputs, columns) = part.activation, part.w.shape
    try:
        each = found.spec.columns(found.parameters) if found else 1
        if columns % each:
            raise ValueError(f"the weights have {columns} columns, expected a multiple of {each}")
        layer = DenseLayer(
            inputs, columns // each, init=part.w, dtype=part.w.dtype,
            activation=found.spec if found else "identity", **(found.parameters if found else {}),
        )  # fmt: skip
        if part.b is not None:
            layer.b = part.b
        if found and found.trained is not None:
            slopes = np.broadcast_to(found.trained.ravel(), (layer.dim_output,))
            setattr(layer, found.spec.trained, slopes)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{title(part.node)}: {error}") from error
    return layer
