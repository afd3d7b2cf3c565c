"""Activations as other programs write them: as one operator of ONNX, or as several."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from onnx import NodeProto, defs, helper

from ...activations import ACTIVATIONS, Activation
from .expressions import expression
from .graph import Graph, attributes, title
from .operators import DOMAIN, OPERATORS, READ_ONLY, Operator

__all__ = ["Found", "activation"]

Read: TypeAlias = tuple[Activation, dict[str, Any], Any]  # with what is trained

_BY_KERNEL = {spec.kernel: spec for spec in ACTIVATIONS.values()}


class Found(NamedTuple):
    """An activation in a graph."""

    spec: Activation
    parameters: dict[str, Any]
    trained: np.ndarray[Any, Any] | None
    value: str  # what it makes
    node: NodeProto  # its first


def activation(graph: Graph, value: str, dtype: np.dtype[Any]) -> Found | None:
    """The activation of a value, if what takes it is one."""
    several = expression(graph, value)
    if several is not None:
        given = {name: _decimal(number, dtype) for name, number in several.parameters.items()}
        made = _checked(graph, several.node, ACTIVATIONS[several.name], given, dtype)
        return Found(*made, several.value, several.node)
    nodes = graph.consumers(value)
    if len(nodes) != 1 or nodes[0].input[0] != value or len(nodes[0].output) != 1:
        return None
    node = nodes[0]
    read = _function if node.domain == DOMAIN else _operator
    found = read(graph, node, dtype)
    return None if found is None else Found(*found, node.output[0], node)


def _last_axis(node: NodeProto) -> bool:
    return attributes(node).get("axis", -1) in (-1, 1)


def _operator(graph: Graph, node: NodeProto, dtype: np.dtype[Any]) -> Read | None:
    """The activation that an operator of ONNX is."""
    if node.domain not in ("", "ai.onnx"):
        return None
    if node.op_type == "Clip":
        return _clip(graph, node, dtype)
    for name, operator in {**OPERATORS, **READ_ONLY}.items():
        if operator.name == node.op_type != "" and _last_axis(node):
            given = _given(node, operator, dtype)
            if given is not None:
                return _checked(graph, node, ACTIVATIONS[name], given, dtype)
    return None


def _checked(
    graph: Graph,
    node: NodeProto,
    spec: Activation,
    given: Mapping[str, Any],
    dtype: np.dtype[Any],
) -> Read:
    """The activation with these parameters, or a ValueError that names the node."""
    trained = graph.constant(node, 1) if spec.trained else None
    if spec.trained and trained is None:
        raise ValueError(f"{title(node)} has a slope that is no constant")
    try:
        return spec, spec.checked(_exact(spec, given, dtype)), trained
    except (TypeError, ValueError) as error:
        raise ValueError(f"{title(node)}: {error}") from error


def _exact(spec: Activation, given: Mapping[str, Any], dtype: np.dtype[Any]) -> dict[str, Any]:
    """Parameters, as the defaults where they are those in the dtype."""
    defaults, kind = spec.parameters, dtype.type
    return {
        name: defaults[name]
        if isinstance(defaults.get(name), float) and kind(defaults[name]) == kind(value)
        else value
        for name, value in given.items()
    }


def _given(node: NodeProto, operator: Operator, dtype: np.dtype[Any]) -> dict[str, Any] | None:
    """Parameters by the attributes of a node; None if others are not what they must be."""
    if not defs.has(operator.name):  # an older onnx
        return None
    schema = defs.get_schema(operator.name).attributes
    values = {
        name: helper.get_attribute_value(attribute.default_value)
        for name, attribute in schema.items()
        if attribute.default_value.name
    }
    values |= attributes(node)
    given: dict[str, Any] = dict(operator.absent)
    for name, of in operator.attributes.items():
        number = _decimal(values[name], dtype)
        if given.setdefault(of, number) != number:  # two attributes of one parameter
            return None
    for name, value in operator.fixed.items():
        found = values[name].decode() if isinstance(values[name], bytes) else values[name]
        if name != "axis" and found != value:
            return None
    return given


def _decimal(value: Any, dtype: np.dtype[Any]) -> float:
    """The number; in float32 the shortest decimal that is it: 0.01 for 0.0099999998."""
    if not isinstance(value, (int, float, np.floating)):
        raise ValueError(f"an attribute is {value!r}, expected a number")
    return float(str(np.float32(value))) if dtype.char == "f" else float(value)


def _clip(graph: Graph, node: NodeProto, dtype: np.dtype[Any]) -> Read | None:
    old = attributes(node)  # before opset 11 the limits are attributes
    limits = []
    for k, name in enumerate(("min", "max")):
        number = graph.constant(node, k + 1)
        if number is None and k + 1 < len(node.input) and node.input[k + 1]:
            return None
        value = old.get(name) if number is None or number.size != 1 else number.ravel()[0]
        limits.append(None if value is None else _decimal(value, dtype))
    low, high = limits
    if low == 0 and high is None:
        return _checked(graph, node, ACTIVATIONS["ReLU"], {}, dtype)
    if (low, high) == (0, 6):
        return _checked(graph, node, ACTIVATIONS["ReLU6"], {}, dtype)
    if low is None or high is None:
        return None
    given = {"min_val": low, "max_val": high}
    return _checked(graph, node, ACTIVATIONS["hard-tanh"], given, dtype)


def _function(graph: Graph, node: NodeProto, dtype: np.dtype[Any]) -> Read | None:
    """The activation that a function of a file of this library is."""
    spec = _BY_KERNEL.get(node.op_type) or _BY_KERNEL.get(re.sub(r"_\d+$", "", node.op_type))
    if spec is None:
        return None
    given = attributes(node)
    numbers = [n for n in spec.parameters if n not in given and n != spec.trained]
    for index, name in enumerate(numbers, start=2 if spec.trained else 1):
        number = graph.constant(node, index)
        if number is None or number.size != 1:
            raise ValueError(f"{title(node)} has no number {name}")
        given[name] = _decimal(number.ravel()[0], dtype)
    return _checked(graph, node, spec, given, dtype)
