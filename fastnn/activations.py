"""The table of activations: one row says all that the rest of the library needs to know.

To add an activation: a formula in ``kernels/activations.py``, its twin in
``fastnn/reference/activations.py``, and a row here. Layers, engine and tests take it from the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ._names import lookup
from .kernels import activations as formulas
from .kernels.jit import address

__all__ = ["ACTIVATIONS", "Activation", "find"]


@dataclass(frozen=True, eq=False)  # a row is itself: hashable, compared by identity
class Activation:
    """One row of the table.

    Attributes
    ----------
    name : str
        The name under which layers know it.
    formula : str
        What it computes, for people.
    forward : callable
        Scalar formula of (x, p, q).
    derivative : callable or None
        Scalar formula of the derivative; None where it is one everywhere.
    derivative_of : {"output", "input"}
        What the derivative formula takes.
    parameters : mapping
        Names and defaults of the parameters p and q.

    """

    name: str
    formula: str
    forward: Callable[..., Any]
    derivative: Callable[..., Any] | None = None
    derivative_of: Literal["output", "input"] = "output"
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copies and pickles are the row itself."""
        return find, (self.name,)

    def address(self, dtype: np.dtype[Any]) -> int:
        """Address of the row kernel that computes the output."""
        return int(address(formulas.forward(self.forward), dtype))

    def training_address(self, dtype: np.dtype[Any], always: bool = False) -> int:
        """Address of the row kernel that computes the derivative too.

        Where that is one everywhere it is left out, unless `always`.
        """
        if self.derivative is None and not always:
            return self.address(dtype)
        formula = self.derivative or formulas.one
        of_output = self.derivative is None or self.derivative_of == "output"
        kernel = formulas.forward_with_derivative(self.forward, formula, of_output)
        return int(address(kernel, dtype))

    def numbers(self) -> tuple[float, float]:
        """The parameters p and q as the kernels read them."""
        p, q = (*self.parameters.values(), 0.0, 0.0)[:2]
        return float(p), float(q)


_ROWS = (
    Activation("identity", "x", formulas.identity),
    Activation("sigmoid", "1 / (1 + exp(-x))", formulas.sigmoid, formulas.sigmoid_derivative),
    Activation("tanh", "tanh(x)", formulas.tanh, formulas.tanh_derivative),
    Activation("ReLU", "max(x, 0)", formulas.relu, formulas.relu_derivative),
    Activation(
        "softplus", "log(1 + exp(x))", formulas.softplus, formulas.softplus_derivative, "input"
    ),
    Activation(
        "Swish",
        "x / (1 + exp(-beta x))",
        formulas.swish,
        formulas.swish_derivative,
        "input",
        {"beta": 1.0},
    ),
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
