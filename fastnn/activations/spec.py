"""What the library knows of an activation: an entry of the table in `activations`."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._core.arrays import count, number
from .._core.table import Spec
from ..kernels import activations as formulas
from ..kernels.activations import tile_kernels, vector
from ..kernels.codegen.declare import address

__all__ = ["EXACT", "Activation"]

EXACT = (0.5, 0.5, 0.5, 0.5)  # errors in ULP of what is rounded once


@functools.cache
def _parameters(kernel: str) -> tuple[tuple[str, Any], ...]:
    named = list(inspect.signature(formulas.find(kernel)).parameters.values())[1:]
    return tuple((parameter.name, parameter.default) for parameter in named)


@dataclass(frozen=True, eq=False)  # an entry is itself: hashable, compared by identity
class Activation(Spec):
    """One entry of the table.

    Attributes
    ----------
    name : str
        The name under which `get_act` and layers know it.
    kernel : str
        The name of its formulas in ``kernels/activations``, or of its entry in
        ``kernels/activations/vector.py``.
    formula : str
        What it computes, in words.
    class_name : str
        Of its class in `fastnn.activations`; default: the name without hyphens, in capitals.
    seed : str
        How the articles spell its class.
    aliases : tuple of str
        More names.
    limits : mapping
        What parameters must be, beyond finite numbers.
    bounds : (float, float, float, float)
        The largest errors of activation, derivative, second and third derivative, in ULP; near
        zeros away from x = 0 in eps.
    largest : (float, float)
        Up to which |x| times the parameter it is computed, in float32 and float64; NaN beyond.
    variants : mapping
        Parameters that choose another entry, and their values with those entries; None is this one.
    reference : str
        Where it comes from.

    """

    name: str
    kernel: str
    formula: str
    class_name: str = ""
    seed: str = ""
    aliases: tuple[str, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    bounds: tuple[float, float, float, float] = (2.0, 4.0, 8.0, 16.0)
    largest: tuple[float, float] = (math.inf, math.inf)
    variants: Mapping[str, Mapping[str, Activation | None]] = field(default_factory=dict)
    reference: str = ""

    @property
    def kind(self) -> vector.VectorActivation | None:
        """Kernels and shapes, if it acts on all features together; else None."""
        return vector.VECTOR_ACTIVATIONS.get(self.kernel)

    @property
    def parameters(self) -> dict[str, Any]:
        """Names and defaults of the parameters."""
        if self.kind:
            return dict(self.kind.parameters)
        return dict(_parameters(self.kernel))

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"the activation {self.name}"

    def converted(self, name: str, default: Any, value: Any) -> Any:
        """A number; of outputs that share columns of the weights, a whole one."""
        whole = self.kind.width if self.kind else ""
        return count(name, value, least=1) if name == whole else number(name, value)

    def checked(self, given: Mapping[str, Any], args: Sequence[Any] = ()) -> dict[str, Any]:
        """All parameters: those given, by place or name, and the defaults of the others."""
        return super().checked(self.placed(list(self.parameters), args, given))

    def variant(self, given: Mapping[str, Any]) -> tuple[Activation, dict[str, Any]]:
        """The entry that parameters choose, and those that are its own."""
        spec, rest = self, dict(given)
        for name, specs in self.variants.items():
            value = rest.pop(name, next(iter(specs)))
            if value not in specs:
                known = " or ".join(map(repr, specs))
                raise ValueError(f"{name} must be {known}, not {value!r}")
            spec = specs[value] or self
        return spec, rest

    def derivative(self, order: int) -> Callable[..., Any]:
        """The formula of a derivative by x, for compiled code; of order 0, of the activation.

        Raises
        ------
        ValueError
            If it has none; the message names the activation.

        """
        found = None if self.kind else formulas.find(self.kernel + formulas.ORDERS[order])
        if found is None:
            which = ("formula", "derivative", "second derivative", "third derivative")[order]
            raise ValueError(f"{self.title} has no {which} of each number alone")
        formula: Callable[..., Any] = found
        return formula

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
        """Address of the tile kernel that computes the output."""
        if self.kind:
            return int(address(self.kind.forward, dtype))
        return int(address(tile_kernels.forward(formulas.find(self.kernel)), dtype))

    def training_address(self, dtype: np.dtype[Any], always: bool = False) -> int:
        """Address of the tile kernel that computes the derivative too.

        Where that is one everywhere it is left out, unless `always`.
        """
        if self.kind:
            return int(address(self.kind.train, dtype))
        if self.is_identity and not always:
            return self.address(dtype)
        forward = formulas.find(self.kernel)
        slope = formulas.find(f"{self.kernel}_from_output")
        derivative = slope or formulas.find(f"{self.kernel}_derivative")
        kernel = tile_kernels.forward_with_derivative(forward, derivative, slope is not None)
        return int(address(kernel, dtype))

    def vjp_address(self, dtype: np.dtype[Any]) -> int:
        """Address of the tile kernel for the way back; 0 where derivatives are multiplied in."""
        return int(address(self.kind.vjp, dtype)) if self.kind else 0

    def numbers(self, parameters: Mapping[str, float] | None = None) -> tuple[float, float]:
        """The parameters p and q as the kernels read them; the defaults if none are given."""
        values = self.parameters if parameters is None else parameters
        p, q = (*values.values(), 0.0, 0.0)[:2]
        return float(p), float(q)
