"""The base of all activations as objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from .._core.arrays import check_out

__all__ = ["Activator", "Tabulated"]


class Activator:
    """An activation function, its derivatives and its vector-Jacobian product.

    What ``fastnn.get_act`` returns. To write one of your own, define `forward` and `backward`.

    In all methods x is an array of any shape, a list or a number. float16, float32 and float64 stay
    what they are, integers become float64; no method changes x. `out`, if given, must be an array
    of the result's shape and dtype, and may be x itself; it is what is returned then, and where an
    argument is refused it is untouched.
    """

    name: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters by name."""
        return {}

    def forward(self, x: Any, out: Any = None) -> Any:
        """The activation of x."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def backward(self, x: Any, y: Any = None, out: Any = None) -> Any:
        """The derivative at x; y, the activation of x, only saves work."""
        raise NotImplementedError(f"{type(self).__name__} must define backward")

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """The product of g with the Jacobian at x.

        The gradient with respect to x, where g is that with respect to y.
        """
        result = np.multiply(g, self.backward(x, y))
        if out is None:
            return result
        check_out(out, result.shape, result.dtype)
        out[...] = result
        return out

    def forward_and_vjp(self, g: Any, x: Any) -> tuple[Any, Any]:
        """`forward` of x and `vjp` of g together, in one pass where there is a kernel for it."""
        return self.forward(x), self.vjp(g, x)

    def d2y(self, x: Any, out: Any = None) -> Any:
        """The second derivative at x."""
        raise NotImplementedError(f"{type(self).__name__} has no second derivative")

    def d3y(self, x: Any, out: Any = None) -> Any:
        """The third derivative at x; those that act on each number alone have one."""
        raise NotImplementedError(f"{type(self).__name__} has no third derivative")

    def update(self, *args: Any, **keywords: Any) -> None:
        """Change what is trained; most activations have nothing of that kind."""

    def __call__(self, x: Any, out: Any = None) -> Any:
        """The activation of x."""
        return self.forward(x, out)

    def __repr__(self) -> str:
        inside = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f"{type(self).__name__}({inside})"

    def __eq__(self, other: object) -> bool:
        """Activations are equal if their names and parameters are."""
        if not isinstance(other, Activator):
            return NotImplemented
        return type(self) is type(other) and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash((type(self), *self.parameters))


class Tabulated(Activator):
    """An activation made from its entry of the table, and rebuilt from its parameters."""

    spec: ClassVar[Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt, (type(self), self.parameters)


def rebuilt(kind: type[Activator], parameters: Mapping[str, Any]) -> Activator:
    """What a pickle says how to make."""
    return kind(**parameters)
