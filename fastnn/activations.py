"""The table of activations: one row says all that the rest of the library needs to know.

To add an activation: a formula in ``kernels/activations/``, its twin in
``fastnn/reference/activations.py``, and a row here. Layers, engine and tests take it from the row.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._names import lookup
from .kernels import activations as formulas
from .kernels import elementwise
from .kernels.jit import address

__all__ = ["ACTIVATIONS", "Activation", "find"]


@dataclass(frozen=True, eq=False)  # a row is itself: hashable, compared by identity
class Activation:
    """One row of the table.

    Attributes
    ----------
    name : str
        The name under which layers know it.
    kernel : str
        The name of its formulas in ``kernels/activations`` and ``fastnn/reference/activations.py``.
    formula : str
        What it computes, for people.

    """

    name: str
    kernel: str
    formula: str

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are the row itself."""
        return find, (self.name,)

    @property
    def parameters(self) -> dict[str, float]:
        """Names and defaults of the parameters."""
        named = inspect.signature(formulas.find(self.kernel)).parameters.values()
        return {parameter.name: parameter.default for parameter in list(named)[1:]}

    @property
    def is_identity(self) -> bool:
        """Whether the derivative is one everywhere, and left out."""
        return self.kernel == "identity"

    def address(self, dtype: np.dtype[Any]) -> int:
        """Address of the row kernel that computes the output."""
        return int(address(elementwise.forward(formulas.find(self.kernel)), dtype))

    def training_address(self, dtype: np.dtype[Any], always: bool = False) -> int:
        """Address of the row kernel that computes the derivative too.

        Where that is one everywhere it is left out, unless `always`.
        """
        if self.is_identity and not always:
            return self.address(dtype)
        forward = formulas.find(self.kernel)
        slope = formulas.find(f"{self.kernel}_from_output")
        derivative = slope or formulas.find(f"{self.kernel}_derivative")
        kernel = elementwise.forward_with_derivative(forward, derivative, slope is not None)
        return int(address(kernel, dtype))

    def numbers(self) -> tuple[float, float]:
        """The parameters p and q as the kernels read them."""
        p, q = (*self.parameters.values(), 0.0, 0.0)[:2]
        return float(p), float(q)


_ROWS = (
    Activation("identity", "identity", "x"),
    Activation("sigmoid", "sigmoid", "1 / (1 + exp(-x))"),
    Activation("tanh", "tanh", "tanh(x)"),
    Activation("ReLU", "relu", "max(x, 0)"),
    Activation("softplus", "softplus", "log(1 + exp(x))"),
    Activation("Swish", "swish", "x / (1 + exp(-beta x))"),
)

ACTIVATIONS: dict[str, Activation] = {row.name: row for row in _ROWS}


def find(name: str | Activation) -> Activation:
    """The row of that name; upper and lower case, hyphens and underscores do not matter.

    Raises
    ------
    ValueError
        If there is none; the message names the nearest known names.

    Examples
    --------
    >>> find("relu").formula
    'max(x, 0)'

    """
    return name if isinstance(name, Activation) else lookup("activation", name, ACTIVATIONS)
