"""Nodes of a graph or of a function, one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

__all__ = ["Nodes"]


class Nodes:
    """The nodes of a graph, or of a function, which has its constants among them.

    Parameters
    ----------
    dtype : float32 or float64
        Of all its numbers.
    opset : int
        Of its operators.
    prefix : str
        Of the names that it makes.

    """

    def __init__(self, dtype: np.dtype[Any], opset: int, prefix: str = "") -> None:
        self.dtype, self.opset, self.prefix = dtype, opset, prefix
        self.nodes: list[NodeProto] = []
        self._constants: dict[tuple[Any, ...], str] = {}

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node; the name of its output."""
        output = f"{self.prefix}{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(
                operator, list(inputs), [output], name=output, domain=domain, **attributes
            )
        )
        return output

    def number(self, value: Any) -> str:
        """A constant of the dtype: one beyond its range is the largest number, infinities stay."""
        exact, limits = np.asarray(value, np.float64), np.finfo(self.dtype)
        kept = np.where(np.isinf(exact), exact, np.clip(exact, limits.min, limits.max))
        return self.constant(kept.astype(self.dtype))

    def constant(self, array: np.ndarray[Any, Any]) -> str:
        """A constant, once for all that ask for it."""
        key = array.shape, array.dtype, array.tobytes()
        if key not in self._constants:
            value = numpy_helper.from_array(array)
            self._constants[key] = self.add("Constant", value=value)
        return self._constants[key]

    @property
    def type(self) -> int:
        """The dtype as ONNX numbers it."""
        double = self.dtype == np.float64
        return int(TensorProto.DOUBLE if double else TensorProto.FLOAT)
