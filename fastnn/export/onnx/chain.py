"""From the graph of a dense network to its layers, node by node from input to output."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto

from ...activations import ACTIVATIONS
from .graph import Graph, attributes, factor, title
from .patterns import Found, activation

__all__ = ["Chain", "Part"]

_FLOATS = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float64): TensorProto.DOUBLE}
_PASSING = "Identity", "Dropout", "Flatten", "Reshape", "Cast", "ZipMap"


@dataclass
class Part:
    """What becomes a layer."""

    node: NodeProto
    w: np.ndarray[Any, Any]
    b: np.ndarray[Any, Any] | None = None
    activation: Found | None = None


@dataclass
class Chain:
    """The layers of a graph, and an activation or a cost's function behind the last of them."""

    graph: Graph
    parts: list[Part] = field(default_factory=list)
    behind: Found | NodeProto | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the weights."""
        return self.parts[0].w.dtype if self.parts else np.dtype(np.float32)

    def follow(self) -> None:
        """Walk from the input to the output.

        Raises
        ------
        ValueError
            At a node that no dense network has, by its name.

        """
        value, seen = self.graph.input, set()
        while value != self.graph.output:
            if value in seen:
                raise ValueError(f"the graph has a circle at {value!r}")
            seen.add(value)
            value = self._step(value)
        if not self.parts:
            raise ValueError("the graph has no Gemm and no MatMul, expected a dense network")

    def _step(self, value: str) -> str:
        nodes = self.graph.consumers(value)
        if not nodes:
            raise ValueError(f"nothing leads from {value!r} to the output {self.graph.output!r}")
        node = nodes[0]
        for step in (self._passed, self._product, self._bias):
            if len(nodes) == 1 and (found := step(node, value)):
                return found
        if self.parts and (found := self._activated(value) or self._two_classes(value, nodes)):
            return found
        names = " and ".join(map(title, nodes[:4]))
        raise ValueError(
            f"{names} is nothing that from_onnx knows after {value!r}, expected Gemm, MatMul and "
            "Add of constants, and activations"
        )

    def _passed(self, node: NodeProto, value: str) -> str | None:
        """Over a node that leaves samples as they are."""
        if node.op_type not in _PASSING or node.input[0] != value or not node.output:
            return None
        given, kind = attributes(node), node.op_type
        fits = node.domain in ("", "ai.onnx") or kind == "ZipMap"
        if kind == "Cast":
            fits &= given.get("to") in _FLOATS.values()
            fits &= not self.parts or given.get("to") == _FLOATS.get(self.dtype)
        elif kind == "Flatten":
            fits &= given.get("axis", 1) in ((1, -1) if self.parts else (1,))
        elif kind == "Reshape":
            fits &= self._keeps_rows(node)
        elif kind == "Dropout":  # unless it acts outside of trainings, too
            training = self.graph.constant(node, 2)
            fits &= not (node.input[2:] and node.input[2]) or not (
                training is None or training.any()
            )
        return node.output[0] if fits else None

    def _keeps_rows(self, node: NodeProto) -> bool:
        """Whether a reshape leaves samples as rows.

        At the end it may make one column of all: skl2onnx writes that of several targets, too.
        """
        shape = self.graph.constant(node, 1)
        if shape is None or shape.shape != (2,) or shape[0] not in (0, -1):
            return False
        if not self.parts:
            return True
        found = self.parts[-1].activation
        width = self.parts[-1].w.shape[1] // (found.spec.columns(found.parameters) if found else 1)
        return shape[1] in (-1, width) or (shape[1] == 1 and node.output[0] == self.graph.output)

    def _product(self, node: NodeProto, value: str) -> str | None:
        """A layer's matrix, and its biases if they are in the same node."""
        if node.domain not in ("", "ai.onnx") or node.op_type not in ("Gemm", "MatMul"):
            return None
        given = attributes(node)
        w, b = self.graph.constant(node, 1), self.graph.constant(node, 2)
        if node.input[0] != value or w is None or given.get("transA") or len(node.output) != 1:
            return None
        if b is None and len(node.input) > 2 and node.input[2]:
            return None
        if w.ndim != 2 or w.dtype not in _FLOATS or not w.size:
            raise ValueError(
                f"{title(node)} has weights of shape {w.shape} and dtype {w.dtype}, expected a "
                "matrix of float32 or float64"
            )
        if self.parts and w.dtype != self.dtype:
            raise ValueError(f"{title(node)} has {w.dtype}, and a node before it {self.dtype}")
        if self.behind is not None:
            raise ValueError(f"{self._behind_title()} follows another activation in the middle")
        w = w.T if given.get("transB") else w
        self.parts.append(Part(node, _times(w, factor(node, "alpha"))))
        if b is not None:
            self._give(b, factor(node, "beta"), node)
        return str(node.output[0])

    def _bias(self, node: NodeProto, value: str) -> str | None:
        """Biases that are added after the product."""
        plain = node.op_type == "Add" and node.domain in ("", "ai.onnx")
        if not plain or not self.parts or len(node.input) != 2:
            return None
        part = self.parts[-1]
        b = self.graph.constant(node, 1 - list(node.input).index(value))
        if part.b is not None or part.activation is not None or b is None:
            return None
        self._give(b, 1.0, node)
        return str(node.output[0])

    def _give(self, b: np.ndarray[Any, Any], factor: float, node: NodeProto) -> None:
        part = self.parts[-1]
        width = part.w.shape[1]
        if b.dtype != self.dtype or b.shape not in ((), (1,), (1, 1), (width,), (1, width)):
            raise ValueError(
                f"{title(node)} has biases of shape {b.shape} and dtype {b.dtype}, expected "
                f"({width},) of {self.dtype}"
            )
        part.b = np.broadcast_to(_times(b.ravel(), factor), (width,))

    def _activated(self, value: str) -> str | None:
        """An activation; a second one, and the function of a cost, stand behind the last layer."""
        found = activation(self.graph, value, self.dtype)
        if self.behind is not None:
            return None
        if found is not None:
            if self.parts[-1].activation is None:
                self.parts[-1].activation = found
            else:
                self.behind = found
            return found.value
        node = self.graph.consumers(value)[0]
        if node.domain != "fastnn" or len(node.output) != 1:
            return None
        self.behind = node
        return str(node.output[0])

    def _two_classes(self, value: str, nodes: list[NodeProto]) -> str | None:
        """(1 - p, p) of a sigmoid p, as scikit-learn has it: the softmax of 0 and its logit."""
        part = self.parts[-1]
        kinds = {node.op_type: node for node in nodes}
        if kinds.keys() != {"Sub", "Concat"} or part.w.shape[1] != 1 or part.activation is None:
            return None
        rest, both = kinds["Sub"], kinds["Concat"]
        one = self.graph.constant(rest, 0)
        order = [rest.output[0], value] == list(both.input) and rest.input[1] == value
        if not order or one is None or one.size != 1 or float(one.ravel()[0]) != 1:
            return None
        if part.activation.spec.kernel != "sigmoid" or attributes(both).get("axis") not in (1, -1):
            return None
        part.w = np.hstack([np.zeros_like(part.w), part.w])
        part.b = None if part.b is None else np.concatenate([np.zeros_like(part.b), part.b])
        softmax = ACTIVATIONS["softmax"]
        part.activation = part.activation._replace(spec=softmax, parameters={})
        return str(both.output[0])

    def _behind_title(self) -> str:
        return title(self.behind.node if isinstance(self.behind, Found) else self.behind)


def _times(array: np.ndarray[Any, Any], factor: float) -> np.ndarray[Any, Any]:
    with np.errstate(all="ignore"):  # an overflow is infinite, as in the runtime
        return np.asarray(array * array.dtype.type(factor))
