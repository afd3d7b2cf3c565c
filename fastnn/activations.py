"""The table of activations: one row says all that the rest of the library needs to know.

To add an activation: a formula in ``kernels/activations/``, its twin in
``fastnn/reference/activations.py``, and a row here. Layers, engine and tests take it from the row.
Of one that acts on all features together: kernels in ``kernels/kinds.py``, the twin in
``fastnn/reference/kinds.py``, and a row.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._arrays import count, number
from ._names import lookup
from .kernels import activations as formulas
from .kernels import elementwise, kinds
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
        The name of its formulas in ``kernels/activations``, or of its row in ``kernels/kinds.py``.
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
    def kind(self) -> kinds.Kind | None:
        """Kernels and shapes, if it acts on all features together; else None."""
        return kinds.KINDS.get(self.kernel)

    @property
    def parameters(self) -> dict[str, float]:
        """Names and defaults of the parameters."""
        if self.kind:
            return dict(self.kind.parameters)
        named = inspect.signature(formulas.find(self.kernel)).parameters.values()
        return {parameter.name: parameter.default for parameter in list(named)[1:]}

    def checked(self, given: Mapping[str, Any]) -> dict[str, float]:
        """All parameters: those given, as finite numbers, and the defaults of the others."""
        known = self.parameters
        unknown = ", ".join(name for name in given if name not in known)
        if unknown:
            names = ", ".join(known) or "none"
            raise TypeError(
                f"{unknown}: no parameter of the activation {self.name}, which has {names}"
            )
        whole = self.kind.width if self.kind else ""
        return {
            name: count(name, value, least=1) if name == whole else number(name, value)
            for name, value in {**known, **given}.items()
        }

    @property
    def is_identity(self) -> bool:
        """Whether the derivative is one everywhere, and left out."""
        return self.kernel == "identity"

    def columns(self, parameters: Mapping[str, float]) -> int:
        """Columns of the weights for an output."""
        width = self.kind.width if self.kind else 1
        return int(parameters[width]) if isinstance(width, str) else width

    @property
    def trained(self) -> str:
        """The parameter that is one trained number for each output, or the empty string."""
        return self.kind.trained if self.kind else ""

    def address(self, dtype: np.dtype[Any]) -> int:
        """Address of the row kernel that computes the output."""
        if self.kind:
            return int(address(self.kind.forward, dtype))
        return int(address(elementwise.forward(formulas.find(self.kernel)), dtype))

    def training_address(self, dtype: np.dtype[Any], always: bool = False) -> int:
        """Address of the row kernel that computes the derivative too.

        Where that is one everywhere it is left out, unless `always`.
        """
        if self.kind:
            return int(address(self.kind.train, dtype))
        if self.is_identity and not always:
            return self.address(dtype)
        forward = formulas.find(self.kernel)
        slope = formulas.find(f"{self.kernel}_from_output")
        derivative = slope or formulas.find(f"{self.kernel}_derivative")
        kernel = elementwise.forward_with_derivative(forward, derivative, slope is not None)
        return int(address(kernel, dtype))

    def pull_address(self, dtype: np.dtype[Any]) -> int:
        """Address of the row kernel for the way back; 0 where derivatives are multiplied in."""
        return int(address(self.kind.pull, dtype)) if self.kind else 0

    def numbers(self, parameters: Mapping[str, float] | None = None) -> tuple[float, float]:
        """The parameters p and q as the kernels read them; the defaults if none are given."""
        values = self.parameters if parameters is None else parameters
        p, q = (*values.values(), 0.0, 0.0)[:2]
        return float(p), float(q)


_ROWS = (
    Activation("identity", "identity", "x"),
    Activation("sigmoid", "sigmoid", "1 / (1 + exp(-x))"),
    Activation("tanh", "tanh", "tanh(x)"),
    Activation("ReLU", "relu", "max(x, 0)"),
    Activation("softplus", "softplus", "log(1 + exp(x))"),
    Activation("Swish", "swish", "x / (1 + exp(-beta x))"),
    Activation("softmax", "softmax", "exp(x) / Σ exp(x)"),
    Activation("softmin", "softmin", "exp(-x) / Σ exp(-x)"),
    Activation("log-softmax", "log_softmax", "x - log Σ exp(x)"),
    Activation("GLU", "glu", "u sigmoid(v), x = (u, v)"),
    Activation("maxout", "maxout", "max of k x each"),
    Activation("PReLU", "prelu", "x for x >= 0, else alpha x, alpha trained"),
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
