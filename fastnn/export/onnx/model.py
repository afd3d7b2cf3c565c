"""A stack of layers as an ONNX model: a ``Gemm`` and an activation for each layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, checker, defs, helper, numpy_helper

from ...activations import ACTIVATIONS, Activation
from ...layers import DenseLayer
from ...losses.base import CostFunction
from ...reference import COSTS, KINDS
from ...reference.activations import find as reference_of
from . import functions as _functions  # noqa: F401  # what tracing knows
from .nodes import Nodes
from .operators import DOMAIN, LOWEST, OPERATORS
from .tracing import ROWS, Traced, UntraceableError, result_of

__all__ = ["model"]

_BY_KERNEL = {spec.kernel: spec for spec in ACTIVATIONS.values()}


def model(layers: Sequence[DenseLayer], cost: CostFunction | None, opset: int) -> ModelProto:
    """The checked model of these layers, and of the cost's activation if one is given."""
    known = min(opset, defs.onnx_opset_version())
    file = _File(layers[0].dtype, _needed(layers, cost, known))
    value = "X"
    for k, layer in enumerate(layers):
        value = file.layer(f"layers.{k}", layer, value)
    outputs = layers[-1].dim_output
    if cost is not None:
        value = file.output(cost, value, outputs)
    return file.finished(value, layers[0].dim_input, outputs)


def _needed(layers: Sequence[DenseLayer], cost: CostFunction | None, opset: int) -> int:
    """The lowest opset that has the operators of this network, as far as they are allowed."""
    used = [(layer.activation, layer.activation_parameters) for layer in layers]
    if cost is not None and (spec := _BY_KERNEL.get(cost.spec.activation)):
        used.append((spec, spec.parameters))
    known = [(OPERATORS[spec.name], given) for spec, given in used if spec.name in OPERATORS]
    dtype = layers[0].dtype
    return max([LOWEST, *(o.opset for o, given in known if o.serves(dtype, given, opset))])


class _File:
    """An ONNX model in the making."""

    def __init__(self, dtype: np.dtype[Any], opset: int) -> None:
        self.dtype, self.opset = dtype, opset
        self.graph = Nodes(dtype, opset)
        self.initializers: list[Any] = []
        self.functions: dict[tuple[str, bytes], Any] = {}  # by names and nodes

    def layer(self, name: str, layer: DenseLayer, value: str) -> str:
        """A layer; the name of its output."""
        given: dict[str, Any] = layer.activation_parameters
        trained = {n: self.array(f"{name}.{n}", getattr(layer, n)) for n in layer.trained}
        value = self.graph.add("Gemm", value, trained.pop("w"), trained.pop("b"))
        widths = layer.w.shape[1], layer.dim_output
        return self.activation(name, layer.activation, given, trained, value, widths)

    def output(self, cost: CostFunction, value: str, width: int) -> str:
        """The activation of a cost."""
        spec = _BY_KERNEL.get(cost.spec.activation)
        if spec:
            return self.activation("cost", spec, spec.parameters, {}, value, (width, width))
        kind = type(cost).__name__
        if kind not in COSTS:
            raise ValueError(f"cost_function is {cost!r}, which has no twin in fastnn.reference")
        whole = {n: v for n, v in cost.parameters.items() if isinstance(v, int)}
        function = self.function(
            kind, lambda x: COSTS[kind].activate(x, **cost.parameters), {"x": (ROWS, width)}, whole
        )
        return self.graph.add(function, value, domain=DOMAIN, **whole)

    def array(self, name: str, values: Any) -> str:
        """An array that the file holds."""
        self.initializers.append(numpy_helper.from_array(np.array(values, self.dtype), name))
        return name

    def activation(
        self,
        name: str,
        spec: Activation,
        given: Mapping[str, Any],
        trained: Mapping[str, str],
        value: str,
        widths: tuple[int, int],
    ) -> str:
        """An activation, as an operator or as a function; the name of its output."""
        operator = OPERATORS.get(spec.name)
        if operator is None or not operator.serves(self.dtype, given, self.opset):
            return self.composed(name, spec, given, trained, value, widths)
        if not operator.name:
            return value
        more = []
        for of in operator.inputs:
            number = given[of] if isinstance(of, str) else of
            more.append(trained.get(str(of)) or self.array(f"{name}.f.{of}", number))
        attributes: dict[str, Any] = {
            key: float(given[of]) for key, of in operator.attributes.items()
        }
        return self.graph.add(operator.name, value, *more, **attributes, **operator.fixed)

    def composed(
        self,
        name: str,
        spec: Activation,
        given: Mapping[str, Any],
        trained: Mapping[str, str],
        value: str,
        widths: tuple[int, int],
    ) -> str:
        """An activation as its reference has it; whole numbers are part of the function."""
        wide, width = widths
        numbers = {n: v for n, v in given.items() if n not in trained}
        whole = {n: v for n, v in numbers.items() if isinstance(v, int)}
        arrays = dict.fromkeys(trained, (width,)) | {n: () for n in numbers if n not in whole}
        twin = KINDS[spec.kernel].forward if spec.kernel in KINDS else reference_of(spec.kernel)

        def call(x: Traced, *values: Traced) -> Any:
            known = dict(zip(arrays, values, strict=True))
            before = [known[n] for n in trained]  # vectors come before the numbers
            return twin(x, *before, *({**given, **known}[n] for n in given))

        function = self.function(spec.kernel, call, {"x": (ROWS, wide), **arrays}, whole)
        names = [trained.get(n) or self.array(f"{name}.f.{n}", numbers[n]) for n in arrays]
        return self.graph.add(function, value, *names, domain=DOMAIN, **whole)

    def function(
        self,
        name: str,
        call: Callable[..., Any],
        arrays: Mapping[str, tuple[int, ...]],
        whole: Mapping[str, int],
    ) -> str:
        """A function of the file; its name, with a number behind it where others have it."""
        body = Nodes(self.dtype, self.opset)
        try:
            result = result_of(call, *(Traced(body, n, shape) for n, shape in arrays.items()))
        except UntraceableError as error:
            raise ValueError(f"{name} cannot be exported: {error}") from error
        if not body.nodes:  # a function must have a node
            result = Traced(body, body.add("Identity", result.name), result.shape)
        key = name, b"".join(node.SerializeToString() for node in body.nodes)
        if key not in self.functions:
            others = sum(other == name for other, _ in self.functions)
            opsets = [helper.make_opsetid("", self.opset)]
            self.functions[key] = helper.make_function(
                DOMAIN,
                f"{name}_{others + 1}" if others else name,
                list(arrays), [result.name], body.nodes, opsets, list(whole),
            )  # fmt: skip
        return str(self.functions[key].name)

    def finished(self, value: str, inputs: int, outputs: int) -> ModelProto:
        """The model, checked."""
        if self.graph.nodes and self.graph.nodes[-1].output[0] == value:
            self.graph.nodes[-1].output[0] = "y"
        ends = [
            helper.make_tensor_value_info(name, self.graph.type, ["rows", width])
            for name, width in (("X", inputs), ("y", outputs))
        ]
        X, y = ends
        graph = helper.make_graph(self.graph.nodes, "network", [X], [y], self.initializers)
        opsets = [helper.make_opsetid("", self.opset)]
        if self.functions:
            opsets.append(helper.make_opsetid(DOMAIN, 1))
        made = helper.make_model(
            graph,
            opset_imports=opsets,
            functions=list(self.functions.values()),
            producer_name="fastnn",
            ir_version=max(8, helper.find_min_ir_version_for(opsets[:1])),
        )
        checker.check_model(made, full_check=True)
        return made
