"""Errors in units in the last place."""

import numpy as np


def ulp_error(result, exact, dtype):
    """|result - exact| in units of the last place of `exact` rounded to `dtype`.

    `exact` holds numbers of a higher precision: float64 for float32, or mpmath's. The unit of a
    subnormal number is the smallest one. Two NaN, or two equal infinities, are no error; a
    number against one of them is an infinite one.
    """
    result, exact = np.asarray(result, dtype), np.asarray(exact)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        rounded = exact.astype(np.float64).astype(dtype)
        same = (result == rounded) | (np.isnan(result) & np.isnan(rounded))
        comparable = np.isfinite(result) & np.isfinite(rounded)
        # 1 stands for what cannot be compared: subtraction of two infinities would warn
        difference = np.where(comparable, result, 1).astype(exact.dtype)
        difference = np.abs(difference - np.where(comparable, exact, 1))
        unit = np.spacing(np.abs(np.where(comparable, rounded, 1))).astype(np.float64)
        error = (difference / unit).astype(np.float64)
    return np.where(comparable, error, np.where(same, 0.0, np.inf))
