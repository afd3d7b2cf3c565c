"""Formulas of different numbers of parameters, for tile kernels that hand on two."""

import functools

from .declare import scalar


@functools.cache
def with_two(formula, inputs):
    """The formula as a function of so many inputs, p and q, of which it may take fewer."""
    count = formula.__code__.co_argcount
    if not inputs <= count <= inputs + 2:
        raise TypeError(f"{formula.__name__} takes {count - inputs} parameters, expected 0 to 2")

    @scalar
    def called(*args):
        return formula(*args[:count])

    return called
