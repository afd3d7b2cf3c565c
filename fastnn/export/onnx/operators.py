"""Facts about ONNX: activations that are one of its operators.

An activation that is not here is written as a function of the file, see `tracing`. Only operators
that give NaN for NaN are written: ``Shrink`` and ``ThresholdedRelu`` give 0, and are only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

__all__ = ["DOMAIN", "HIGHEST", "LOWEST", "OPERATORS", "READ_ONLY", "Operator"]

DOMAIN = "fastnn"
"""Of the functions in a file, whose names are those of kernels and of costs."""

LOWEST = 13
"""The lowest opset that is written: of 2020, the first with axes and softmax as they are today."""


HIGHEST = 24
"""The highest opset of those operators."""


class Operator(NamedTuple):
    """An operator of ONNX that is an activation.

    Attributes
    ----------
    name : str
        The operator's; empty for none at all.
    opset : int
        The first that has it as it is written here.
    dtypes : str
        Those in which ONNX Runtime has a kernel for it on the CPU, by NumPy's letters.
    attributes : mapping
        Of the operator's attributes to the activation's parameters. ONNX has them in float32 only:
        in float64 others are not written.
    fixed : mapping
        Attributes that are the same always.
    absent : mapping
        Parameters that the operator has not, and what they are to it.
    inputs : tuple
        Parameters, trained vectors or constants that are inputs after the first.

    """

    name: str
    opset: int = LOWEST
    dtypes: str = "fd"
    attributes: Mapping[str, str] = {}
    fixed: Mapping[str, Any] = {}
    absent: Mapping[str, float] = {}
    inputs: tuple[str | float, ...] = ()

    def serves(self, dtype: np.dtype[Any], parameters: Mapping[str, Any], opset: int) -> bool:
        """Whether it is that activation in this dtype, with these parameters, up to this opset."""
        exact = dtype.char == "f" or all(
            float(np.float32(parameters[of])) == parameters[of] for of in self.attributes.values()
        )
        return exact and dtype.char in self.dtypes and self.opset <= opset


OPERATORS: dict[str, Operator] = {
    "identity": Operator(""),
    "sigmoid": Operator("Sigmoid"),
    "hard-sigmoid": Operator("HardSigmoid", 6, "f", {"alpha": "slope", "beta": "offset"}),
    "tanh": Operator("Tanh"),
    "hard-tanh": Operator("Clip", inputs=("min_val", "max_val")),
    "ReLU": Operator("Relu"),
    "ReLU6": Operator("Clip", inputs=(0.0, 6.0)),
    "leaky-ReLU": Operator("LeakyRelu", 6, "f", {"alpha": "alpha"}),
    "ELU": Operator("Elu", 6, "f", {"alpha": "alpha"}),
    "SELU": Operator("Selu", 6, "f", {"alpha": "alpha", "gamma": "lambda_"}),
    "CELU": Operator("Celu", 12, "f", {"alpha": "alpha"}),
    "softmax": Operator("Softmax", fixed={"axis": -1}),
    "log-softmax": Operator("LogSoftmax", fixed={"axis": -1}),
    "softplus": Operator("Softplus", 1, "f"),
    "softsign": Operator("Softsign", 1, "f"),
    "Swish": Operator("Swish", 24, "fd", {"alpha": "beta"}),
    "Mish": Operator("Mish", 18, "f"),
    "GELU": Operator("Gelu", 20, "f", fixed={"approximate": "none"}),
    "GELU-tanh": Operator("Gelu", 20, "f", fixed={"approximate": "tanh"}),
    "hard-Swish": Operator("HardSwish", 14, "f"),
    "exponential": Operator("Exp"),
    "sparse-sigmoid": Operator("HardSigmoid", 6, "f", fixed={"alpha": 0.5, "beta": 0.5}),
    "PReLU": Operator("PRelu", 9, "f", inputs=("alpha",)),
}
"""By the names of the activations' entries."""

READ_ONLY: dict[str, Operator] = {
    "hard-shrink": Operator("Shrink", attributes={"lambd": "lambda_"}, fixed={"bias": 0.0}),
    "soft-shrink": Operator("Shrink", attributes={"lambd": "lambda_", "bias": "lambda_"}),
    "threshold": Operator(
        "ThresholdedRelu", attributes={"alpha": "threshold"}, absent={"value": 0.0}
    ),
}
"""Others that other programs write."""
