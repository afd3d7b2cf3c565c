"""An ONNX file as it is read: constants, and the nodes that an output is made of."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ..._core.writing import checked_path
from .operators import DOMAIN

__all__ = ["Graph", "attributes", "factor", "title"]

_DOMAINS = "", "ai.onnx", DOMAIN


def title(node: NodeProto) -> str:
    """What messages call a node."""
    name = node.name or ", ".join(node.output)
    return f"node {name!r} ({node.domain and node.domain + '.'}{node.op_type})"


def factor(node: NodeProto, name: str) -> float:
    """An attribute that numbers are multiplied by."""
    value = attributes(node).get(name, 1.0)
    if not isinstance(value, (int, float)):
        raise ValueError(f"{title(node)} has {name} {value!r}, expected a number")
    return float(value)


def attributes(node: NodeProto) -> dict[str, Any]:
    """Its attributes by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


class Graph:
    """The part of a file's graph that leads from its input to an output.

    Parameters
    ----------
    path : str or path
    output : str, optional
        Left out: the only one that is made of floating-point numbers.

    Raises
    ------
    ValueError
        If it is no ONNX file, or not one of one input.

    """

    def __init__(self, path: str | os.PathLike[str], output: str | None) -> None:
        graph = _parsed(path).graph
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._producers: dict[str, NodeProto] = {}
        for node in graph.node:
            for name in node.output:
                if name in self._producers or name in self._tensors:
                    raise ValueError(f"{title(node)} makes {name!r}, which is there already")
                self._producers[name] = node
        inputs = [value.name for value in graph.input if value.name not in self._tensors]
        if len(inputs) != 1 or inputs[0] in self._producers:
            raise ValueError(f"the graph has the inputs {inputs}, expected one")
        self.input, self.output = inputs[0], _output(graph, output)
        self._consumers: dict[str, list[NodeProto]] = {}
        for node in self._needed(graph.node):
            for name in dict.fromkeys(node.input):
                self._consumers.setdefault(name, []).append(node)

    def _needed(self, nodes: Iterable[NodeProto]) -> list[NodeProto]:
        """The nodes that the output is made of, in the order of the file."""
        names, found = [self.output], set()
        while names:
            node = self._producers.get(names.pop())
            if node is not None and id(node) not in found:
                found.add(id(node))
                names += node.input
        return [node for node in nodes if id(node) in found]

    def consumers(self, value: str) -> list[NodeProto]:
        """The nodes that take this value."""
        return self._consumers.get(value, [])

    def constant(self, node: NodeProto, index: int) -> np.ndarray[Any, Any] | None:
        """The constant that is an input of a node; None if it is absent or no constant."""
        name = node.input[index] if index < len(node.input) else ""
        tensor = self._tensors.get(name)
        source = self._producers.get(name)
        if tensor is None and source is not None and source.op_type == "Constant":
            tensor = next((a.t for a in source.attribute if a.name == "value"), None)
        return None if tensor is None else _array(tensor, name)


def _parsed(path: str | os.PathLike[str]) -> ModelProto:
    name = checked_path(path)
    with open(name, "rb") as file:
        data = file.read()
    try:
        model = ModelProto.FromString(data)
    except DecodeError as error:
        raise ValueError(f"{name!r} is no ONNX file, or a damaged one") from error
    if not model.graph.node:
        raise ValueError(f"{name!r} has a graph without nodes, or is no ONNX file")
    for node in model.graph.node:
        words = [node.op_type, node.domain, node.name, *node.input, *node.output]
        if not all(isinstance(word, str) for word in [*words, *(a.name for a in node.attribute)]):
            raise ValueError(f"{name!r} is damaged: {words} are not all text")
    return model


def _output(graph: GraphProto, name: str | None) -> str:
    names = [value.name for value in graph.output]
    kinds = TensorProto.FLOAT, TensorProto.DOUBLE
    numbers = [
        value.name
        for value in graph.output
        if value.type.HasField("sequence_type") or value.type.tensor_type.elem_type in kinds
    ]
    if name is None and len(numbers) == 1:
        return str(numbers[0])
    if name is None or name not in names:
        raise ValueError(f"the graph has the outputs {names}, and output is {name!r}: name one")
    return name


def _array(tensor: TensorProto, name: str) -> np.ndarray[Any, Any]:
    """The numbers of a tensor, of this file only."""
    if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
        raise ValueError(f"{name!r} is in another file, which is not read: keep all data in one")
    try:
        return np.asarray(numpy_helper.to_array(tensor))
    except (ValueError, TypeError, KeyError, OverflowError, MemoryError) as error:
        raise ValueError(f"{name!r} is damaged: {error}") from error
