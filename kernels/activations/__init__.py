"""Formulas of activations that act on each number alone, inlined into whatever kernel calls them.

Everything that belongs to an activation is found by the name of its formula:

``name(x, …)``
    The activation of x; after x come its parameters, with the defaults that they have everywhere.
``name_derivative(x, …)``, ``name_second_derivative(x, …)``
    By x, as accurate as the table of activations promises.
``name_third_derivative(x, …)``
    Optional: for trainings whose cost has second derivatives of the network in it.
``name_from_output(y, …)``
    Optional: the derivative from the activation's value, for trainings, where it is cheaper. Its
    error may be that of a rounding of y. ``name_second_from_output(y, …)`` and
    ``name_third_from_output(y, …)`` likewise.

All numbers are of one dtype, that of x. NaN gives NaN.
"""

import inspect

from . import algebraic, composite, exponential, gated, gelu, periodic, piecewise

_MODULES = (piecewise, exponential, algebraic, gelu, composite, periodic, gated)
FORMULAS = {
    name: value
    for module in _MODULES
    for name, value in vars(module).items()
    if inspect.isfunction(value) and value.__module__ == module.__name__ and name[0] != "_"
}
"""All of them, by name."""


ORDERS = "", "_derivative", "_second_derivative", "_third_derivative"
"""What the names of derivatives end with, by their order."""


def find(name):
    """The formula of that name, or None."""
    return FORMULAS.get(name)


def names():
    """Names of the activations: what has a derivative."""
    return [name for name in FORMULAS if f"{name}_derivative" in FORMULAS]
