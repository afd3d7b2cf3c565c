"""Exponentials that are not yet multiplied by their power of two.

A product with exp(x) may be a normal number where exp(x) is subnormal, or 0. So the power comes
last, as two factors, and a subnormal result is rounded once. `exp_parts` takes its argument as a
pair, since exp makes an absolute error of its argument a relative one of its result.
"""

from ..codegen.declare import scalar
from ..codegen.intrinsics import bits_of, cast_like, choose, constant, fma, from_bits, polynomial
from .exponential import exp_tail, fast_two_sum, half_expm1, ratio, reduce_range, two_factors

__all__ = [
    "choose",
    "constant",
    "exp_pair",
    "exp_parts",
    "fast_two_sum",
    "inverse_of_sum",
    "least",
    "most",
    "polynomial",
    "scale",
    "sech2_parts",
    "square_parts",
    "tanh_and_sech2",
    "times",
    "times_pair",
    "with_sign",
]

fast_two_sum = fast_two_sum


@scalar
def least(x, limit):
    """The smaller one of x and (for float32, for float64); NaN stays."""
    limit = constant(x, limit)
    return limit if x > limit else x


@scalar
def most(x, limit):
    """The larger one of x and (for float32, for float64); NaN stays."""
    limit = constant(x, limit)
    return limit if x < limit else x


@scalar
def with_sign(y, x):
    """y >= 0 with the sign of x; a zero's too."""
    sign = cast_like(bits_of(x), bits_of(x) ^ bits_of(abs(x)))
    return from_bits(cast_like(sign, bits_of(y) | sign))


@scalar
def inverse_of_sum(a, b):
    """1 / (a + b) for a = 1 or 2 and b >= 0 of up to three times that: rounded about once.

    A Newton step makes up for what the sum has lost. That counts where b is small: there the sum
    loses most, and three times so if it is cubed.
    """
    inverse = cast_like(a, 1.0) / (a + b)
    return fma(fma(-inverse, b, fma(-inverse, a, cast_like(a, 1.0))), inverse, inverse)


@scalar
def exp_parts(x, low):
    """first, second, h with exp(x + low) = (1 + h) first second, |h| < 0.42.

    For sizes of x + low up to 175 in float32 and 1400 in float64; low below the last bit of x.
    """
    k, head, rest = reduce_range(x)
    rest = rest - low
    first, second = two_factors(k, x)
    return first, second, head + exp_tail(head - rest, -rest)


@scalar
def scale(first, second, h):
    """exp(x) from its parts."""
    return ((cast_like(h, 1.0) + h) * first) * second


@scalar
def times(a, first, second, h):
    """a exp(x) from the parts of exp(x): a rounding less than with exp(x)."""
    return (fma(a, h, a) * first) * second


@scalar
def times_pair(high, low, first, second, h):
    """(high + low) exp(x) from the parts of exp(x), rounded about once."""
    return ((high + fma(high, h, fma(low, h, low))) * first) * second


@scalar
def square_parts(x):
    """The parts of exp(-x²/2), for x up to 15 and 39."""
    half = cast_like(x, -0.5) * x
    square = half * x
    return exp_parts(square, fma(half, x, -square))


@scalar
def sech2_parts(x, low):
    """first, second, y with sech²(x + low) = y first second; low is 0, or x not below 0.

    sech²(x) = 4 e / (1 + e)², e = exp(-2|x|).
    """
    one = cast_like(x, 1.0)
    size = least(abs(x), (58.0, 382.0))
    first, second, h = exp_parts(cast_like(x, -2.0) * size, cast_like(x, -2.0) * low)
    divisor = one + scale(first, second, h)
    y = cast_like(x, 4.0) / (divisor * divisor)
    return first, second, fma(y, h, y)


@scalar
def exp_pair(x):
    """first, second, high, low with exp(x) = first second (high + low)."""
    k, head, rest = reduce_range(x)
    high, low = fast_two_sum(cast_like(x, 1.0), head)
    high, low = fast_two_sum(high, low + exp_tail(head - rest, -rest))
    first, second = two_factors(k, x)
    return first, second, high, low


@scalar
def tanh_and_sech2(x):
    """tanh(x) and sech²(x), for x from 0 to 15 and 25.

    With half = expm1(-2x) / 2 as a pair: tanh(x) = -half / (1 + half), and sech²(x) is
    exp(-2x) / (1 + half)².
    """
    one = cast_like(x, 1.0)
    k, head, rest = reduce_range(cast_like(x, -2.0) * x)
    tail = exp_tail(head - rest, -rest)
    power, base, high, low = half_expm1(k, head, tail)
    high, low = fast_two_sum(high, low + (power - (base + cast_like(x, 0.5))))
    inverse = one / (one + high)
    e = (power + power) * (one + (head + tail))
    t = abs(ratio(high, low, high, low))
    # 1 - tanh² is the better one as long as it hardly cancels
    return t, fma(-t, t, one) if x < cast_like(x, 0.75) else (e * inverse) * inverse
