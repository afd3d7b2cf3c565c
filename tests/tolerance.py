"""How far a result may be from its reference: derived from the dtype, never picked by hand."""

import numpy as np


def assert_close(actual, expected, *, operations):
    """Equal up to the roundings of a chain of `operations`, relative to the largest number.

    The roundings of a chain of n operations add like a random walk, to about sqrt(n) eps / 2; the
    bound leaves a factor of eight over that. `operations` is the length of the longest chain: the
    inner dimensions of the products, added over layers and steps.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    unit = np.finfo(actual.dtype).eps * np.abs(expected).max(initial=np.finfo(np.float64).tiny)
    error = np.abs(actual.astype(np.float64) - expected).max(initial=0.0)
    assert error <= 4 * operations**0.5 * unit, f"{error / unit:.1f} eps, n = {operations}"
