"""Activations of roots and quotients: no exponential function.

Squares are taken of sizes up to 2**60 (float32) or 2**500: beyond, the root is the size itself.
"""

from ..jit import fma, like, scalar, sqrt
from ..vecmath import _clamp, _constant

_ROOT_IS_SIZE = (2.0**60, 2.0**500)
_LARGEST = (3.4028234663852886e38, 1.7976931348623157e308)
_SMALLEST = (2.0**-149, 2.0**-1074)


@scalar
def _squared_size(x):
    """|x|, as far as it is squared."""
    size, most = abs(x), _constant(x, _ROOT_IS_SIZE)
    return most if size > most else size


@scalar
def bent_identity(x):
    """(sqrt(x² + 1) - 1) / 2 + x = x + x t, t = x / (2 + 2 sqrt(x² + 1))."""
    most = _constant(x, _ROOT_IS_SIZE)
    bounded = _clamp(x, -most, most)
    t = (like(x, 0.5) * bounded) / (like(x, 1) + sqrt(fma(bounded, bounded, like(x, 1))))
    y = fma(x, t, x)
    # -0 would become 0, and -inf the difference of two infinite numbers
    return y if abs(x) > like(x, 0) and abs(x) < like(x, float("inf")) else x


@scalar
def bent_identity_derivative(x):
    """x / (2 sqrt(x² + 1)) + 1."""
    most = _constant(x, _ROOT_IS_SIZE)
    bounded = _clamp(x, -most, most)
    root = sqrt(fma(bounded, bounded, like(x, 1)))
    return (like(x, 0.5) * bounded) / root + like(x, 1)


@scalar
def bent_identity_second_derivative(x):
    """1 / (2 sqrt(x² + 1)³)."""
    most = _constant(x, _ROOT_IS_SIZE)
    bounded = _clamp(x, -most, most)
    inverse = like(x, 1) / sqrt(fma(bounded, bounded, like(x, 1)))
    return (like(x, 0.5) * inverse) * (inverse * inverse)


@scalar
def softsign(x):
    """x / (1 + |x|)."""
    most = _constant(x, _LARGEST)
    return _clamp(x, -most, most) / (like(x, 1) + abs(x))


@scalar
def softsign_derivative(x):
    """1 / (1 + |x|)²."""
    inverse = like(x, 1) / (like(x, 1) + abs(x))
    return inverse * inverse


@scalar
def softsign_from_output(y):
    """(1 - |y|)²."""
    rest = like(y, 1) - abs(y)
    return rest * rest


@scalar
def softsign_second_derivative(x):
    """-2 sign(x) / (1 + |x|)³; 0 at 0, between its two sides."""
    two = like(x, -2) if x > like(x, 0) else like(x, 2)
    two = like(x, 0) if x == like(x, 0) else two
    inverse = like(x, 1) / (like(x, 1) + abs(x))
    return (two * inverse) * (inverse * inverse)


@scalar
def _root(x, b):
    """sqrt(x² + b)."""
    squared = _squared_size(x)
    root = sqrt(fma(squared, squared, b))
    return abs(x) if root < abs(x) else root


@scalar
def squareplus(x, b=4.0):
    """(x + sqrt(x² + b)) / 2; for x < 0 as (b / 2) / (sqrt(x² + b) - x), without cancellation."""
    return _squareplus(x, abs(x), _root(x, b), b)


@scalar
def _squareplus(x, size, root, b):
    half = fma(like(x, 0.5), size, like(x, 0.5) * root)
    return (like(x, 0.25) * b) / half if x < like(x, 0) else half


@scalar
def squareplus_derivative(x, b):
    """(1 + x / sqrt(x² + b)) / 2 = squareplus(x) / sqrt(x² + b); 0 where both are 0."""
    root, largest = _root(x, b), _constant(x, _LARGEST)
    size = abs(x)
    size = largest if size > largest else size
    root = largest if root > largest else root
    least = _constant(x, _SMALLEST)
    return _squareplus(x, size, root, b) / (least if root < least else root)


@scalar
def squareplus_second_derivative(x, b):
    """b / (2 sqrt(x² + b)³); 0 where both are 0."""
    root, least = _root(x, b), _constant(x, _SMALLEST)
    inverse = like(x, 1) / (least if root < least else root)
    return ((like(x, 0.5) * b) * inverse) * (inverse * inverse)
