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


def assert_difference_close(jacobian, function, x):
    """Derivatives by x equal to differences of five points, (4 D(h) - D(2h)) / 3, in float64.

    Their error is of the order of h⁴ from the curve and eps / h from the roundings, both eps^(4/5)
    at h = eps^(1/5); the bound leaves a factor of 64 for fifth derivatives and for chains of
    roundings. The latter are relative to the values, which may be larger than the derivatives.
    """
    h = np.finfo(np.float64).eps ** 0.2

    def central(i, h):
        step = np.zeros_like(x)
        step[i] = h
        return (function(x + step) - function(x - step)) / (2 * h)

    expected = np.stack([(4 * central(i, h) - central(i, 2 * h)) / 3 for i in range(x.size)], -1)
    scale = max(np.abs(expected).max(), np.abs(function(x)).max())
    error, bound = np.abs(jacobian - expected).max(), 64 * h**4 * scale
    assert error <= bound, f"{error} > {bound}"
