"""Activations of roots and quotients: no exponential function.

Squares are taken of sizes up to 2**60 (float32) or 2**500: beyond, the root is the size itself.
"""

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, constant, fma, sqrt
from ..vecmath.exponential import clamp

_ROOT_IS_SIZE = (2.0**60, 2.0**500)
_LARGEST = (3.4028234663852886e38, 1.7976931348623157e308)
_SMALLEST = (2.0**-126, 2.0**-1022)


@scalar
def bent_identity(x):
    """(sqrt(x² + 1) - 1) / 2 + x; for |x| < 1 as x + x t, t = x / (2 + 2 sqrt(x² + 1)).

    Accuracy: 1.5 ULP.
    """
    size, one, half = abs(x), cast_like(x, 1), cast_like(x, 0.5)
    most = constant(x, _ROOT_IS_SIZE)
    bounded = clamp(x, -most, most)
    root = sqrt(fma(bounded, bounded, one))
    y = fma(x, (half * bounded) / (one + root), x)
    root = size if root < size else root
    y = fma(half, root, x) - half if size >= one else y
    # -0 would become 0, and -inf the difference of two infinite numbers
    return y if (size > cast_like(x, 0)) & (size < cast_like(x, float("inf"))) else x


@scalar
def bent_identity_derivative(x):
    """x / (2 sqrt(x² + 1)) + 1."""
    most = constant(x, _ROOT_IS_SIZE)
    bounded = clamp(x, -most, most)
    root = sqrt(fma(bounded, bounded, cast_like(x, 1)))
    return (cast_like(x, 0.5) * bounded) / root + cast_like(x, 1)


@scalar
def bent_identity_second_derivative(x):
    """1 / (2 sqrt(x² + 1)³)."""
    most = constant(x, _ROOT_IS_SIZE)
    bounded = clamp(x, -most, most)
    inverse = cast_like(x, 1) / sqrt(fma(bounded, bounded, cast_like(x, 1)))
    return (cast_like(x, 0.5) * inverse) * (inverse * inverse)


@scalar
def bent_identity_third_derivative(x):
    """-3 x / (2 sqrt(x² + 1)⁵)."""
    most = constant(x, _ROOT_IS_SIZE)
    bounded = clamp(x, -most, most)
    inverse = cast_like(x, 1) / sqrt(fma(bounded, bounded, cast_like(x, 1)))
    square = inverse * inverse
    return (((cast_like(x, -1.5) * bounded) * inverse) * square) * square


@scalar
def softsign(x):
    """x / (1 + |x|)."""
    most = constant(x, _LARGEST)
    x = clamp(x, -most, most)
    return x / (cast_like(x, 1) + abs(x))


@scalar
def softsign_derivative(x):
    """1 / (1 + |x|)²."""
    inverse = cast_like(x, 1) / (cast_like(x, 1) + abs(x))
    return inverse * inverse


@scalar
def softsign_from_output(y):
    """(1 - |y|)²."""
    rest = cast_like(y, 1) - abs(y)
    return rest * rest


@scalar
def softsign_second_derivative(x):
    """-2 sign(x) / (1 + |x|)³; 0 at 0, between its two sides."""
    two = cast_like(x, -2) if x > cast_like(x, 0) else cast_like(x, 2)
    two = cast_like(x, 0) if x == cast_like(x, 0) else two
    inverse = cast_like(x, 1) / (cast_like(x, 1) + abs(x))
    return (two * inverse) * (inverse * inverse)


@scalar
def softsign_third_derivative(x):
    """6 / (1 + |x|)⁴, at 0 too, where both sides agree."""
    inverse = cast_like(x, 1) / (cast_like(x, 1) + abs(x))
    square = inverse * inverse
    return (cast_like(x, 6) * square) * square


@scalar
def _root(x, b):
    """sqrt(x² + b)."""
    size, most = abs(x), constant(x, _ROOT_IS_SIZE)
    squared = most if size > most else size
    root = sqrt(fma(squared, squared, b))
    # where b = 0, the square of a small size would have lost bits
    return size if (root < size) | (b == cast_like(x, 0)) else root


@scalar
def _squareplus(x, root, b):
    """squareplus for finite x, or inf, or -inf."""
    half, quarter = cast_like(x, 0.5), cast_like(x, 0.25) * b
    limit = cast_like(x, -0.3) * root  # there both lose equally much
    small, large = half * abs(x), half * root
    divisor = small + large
    lost = small - (divisor - large)
    inverse = cast_like(x, 1) / divisor
    quotient = quarter * inverse
    remainder = fma(-quotient, lost, fma(-quotient, divisor, quarter))
    quotient = fma(remainder, inverse, quotient)
    y = fma(half, x, large)
    quotient = (
        cast_like(x, 0) if (b == cast_like(x, 0)) & (x == x) else quotient
    )  # tiny x: not 0 / 0
    y = quotient if x < limit else y
    return cast_like(x, 0) if x == cast_like(x, float("-inf")) else y


@scalar
def squareplus(x, b=4.0):
    """(x + sqrt(x² + b)) / 2; far below 0, (b / 2) / (sqrt(x² + b) - x) has no cancellation.

    Accuracy: 2.0 ULP.
    """
    return _squareplus(x, _root(x, b), b)


@scalar
def squareplus_derivative(x, b):
    """(1 + x / sqrt(x² + b)) / 2 = squareplus(x) / sqrt(x² + b); 0 where both are 0."""
    most, least = constant(x, _LARGEST), constant(x, _SMALLEST)
    x = clamp(x, -most, most)
    root = _root(x, b)
    return _squareplus(x, root, b) / (least if root < least else root)


@scalar
def squareplus_second_derivative(x, b):
    """b / (2 sqrt(x² + b)³); 0 where both are 0."""
    root, least = _root(x, b), constant(x, _SMALLEST)
    inverse = cast_like(x, 1) / (least if root < least else root)
    return (((cast_like(x, 0.5) * b) * inverse) * inverse) * inverse


@scalar
def squareplus_third_derivative(x, b):
    """-3 b x / (2 sqrt(x² + b)⁵); 0 where both are 0."""
    most, least = constant(x, _LARGEST), constant(x, _SMALLEST)
    x = clamp(x, -most, most)
    root = _root(x, b)
    inverse = cast_like(x, 1) / (least if root < least else root)
    y = ((cast_like(x, -1.5) * (x * inverse)) * (b * inverse)) * inverse
    return (y * inverse) * inverse
