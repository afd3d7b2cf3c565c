"""Activations and their derivatives from the textbook, in plain NumPy, float64.

By the names of the kernels' formulas: ``name(x, …)``, ``name_derivative(x, …)``,
``name_second_derivative(x, …)`` and ``name_third_derivative(x, …)``, with the activation's
parameters after x. For numbers of the range of float32 the relative error stays below 1e-11, except
near zeros away from x = 0, where the absolute error does. NaN gives NaN, an infinity gives the
limit or a number as large.

Of functions along an axis ``name_derivative`` is the diagonal of the Jacobian and ``name_vjp`` the
product with all of it.
"""

from collections.abc import Callable
from typing import Any

from . import algebraic, composite, exponential, periodic, piecewise, softmax

__all__ = ["find"]

_MODULES = (piecewise, exponential, algebraic, composite, periodic, softmax)


def find(name: str) -> Callable[..., Any]:
    """The function of that name.

    Raises
    ------
    LookupError
        If there is none.

    """
    for module in _MODULES:
        if hasattr(module, name):
            found: Callable[..., Any] = getattr(module, name)
            return found
    raise LookupError(f"no reference named {name!r}")
