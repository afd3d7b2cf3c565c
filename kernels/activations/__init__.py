"""Formulas of activations that act on each number alone, inlined into whatever kernel calls them.

Everything that belongs to an activation is found by the name of its formula:

``name(x, …)``
    The activation of x; after x come its parameters, with the defaults that they have everywhere.
``name_derivative(x, …)``, ``name_second_derivative(x, …)``
    By x, as accurate as the table of activations promises.
``name_from_output(y, …)``
    Optional: the derivative from the activation's value, for trainings, where it is cheaper. Its
    error may be that of a rounding of y.

All numbers are of one dtype, that of x. NaN gives NaN.
"""

from . import algebraic, exponential, gated, piecewise

_MODULES = (piecewise, exponential, algebraic, gated)


def find(name):
    """The formula of that name, or None."""
    for module in _MODULES:
        if hasattr(module, name):
            return getattr(module, name)
    return None
