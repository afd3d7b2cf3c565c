"""How the kernels are applied to arrays here, and where they are close enough."""

import numpy as np
from support.ulp import ulp_error

from fastnn import kernels

__all__ = ["NEIGHBOURHOOD", "apply", "near", "worst"]

NEIGHBOURHOOD = 0.5  # of a zero: up to that share of its distance from x = 0


def apply(name, x, *parameters):
    """The ufunc of that name of an array, in the array's dtype."""
    return getattr(kernels, name)(x, *map(x.dtype.type, parameters))


def near(x, places, share=NEIGHBOURHOOD):
    """Which numbers are within that share of a place, relative to it."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        x = np.asarray(x, np.float64)
    found = np.zeros(x.shape, bool)
    for place in places:
        found |= np.abs(x - place) <= share * abs(place)
    return found


def worst(row, order, x, result, exact):
    """The largest error as a part of what the row allows, and a line about it.

    At a kink the derivative may be that of either side within 2 ULP: the kink itself may not be a
    number of the dtype. Kinks that are have a test of their own.
    """
    eps, bound = np.finfo(x.dtype).eps, row.bounds[order]
    unit = eps * row.scales[order]
    error = ulp_error(result, exact, x.dtype)
    place = near(x, row.zeros[order])
    with np.errstate(invalid="ignore"):
        absolute = np.abs(result[place] - exact[place]).astype(np.float64) / unit
    error[place] = np.fmin(error[place], absolute)  # NaN for NaN is no error
    if order:
        error[near(x, row.kinks, 2 * eps)] = 0.0
    at = error.argmax()
    text = f"{row.name}{row.parameters}, order {order}: {error[at]:.3f} ULP at {x[at]!r}"
    return error[at] / bound, f"{text}: {result[at]!r}, should be {float(exact[at])!r}"
