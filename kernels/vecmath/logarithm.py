"""Logarithms, as `exponential` describes."""

from ..codegen.declare import by_dtype, scalar
from ..codegen.intrinsics import bits_of, cast_like, choose, constant, fma, from_bits, polynomial
from .exponential import fast_two_sum, to_exponent
from .tables import (
    ATANH,
    LN2_HIGH,
    LN2_LOW,
    LOG1P,
    MANTISSA_BITS,
    SQRT_HALF,
    TINY,
)


@scalar
def _log1p_tail32(f):
    return (f * f) * polynomial(f, LOG1P)


@scalar
def _log1p_tail64(f):
    # With s = f / (2 + f), 2 s = f - s f. A division is cheaper here than 12 more coefficients.
    s = f / (cast_like(f, 2.0) + f)
    square = s * s
    return s * fma(square, polynomial(square, ATANH), -f)


_log1p_tail = by_dtype(_log1p_tail32, _log1p_tail64)  # log1p(f) - f


@scalar
def log_pair(k, f, low):
    """k ln 2 + log1p(f + low) as a pair, for f in [sqrt(1/2) - 1, sqrt(2) - 1]."""
    high, rest = fast_two_sum(k * constant(f, LN2_HIGH), f)
    low = fma(k, constant(f, LN2_LOW), fma(-f, low, low))  # low / (1 + f), first order
    return high, rest + (low + _log1p_tail(f))


@scalar
def _split(x):
    """k, m with x = 2**k m and m in [sqrt(1/2), sqrt(2)), for a normal x > 0."""
    bits = bits_of(x)
    offset = cast_like(bits, bits - bits_of(cast_like(x, SQRT_HALF)))
    k = cast_like(bits, offset >> choose(x, MANTISSA_BITS))
    return k, from_bits(cast_like(bits, bits - to_exponent(k, x)))


@scalar
def log(x):
    """Natural logarithm, k ln 2 + log1p(f), with x = 2**k (1 + f).

    Accuracy: 0.92 ULP in float32, 0.88 in float64.
    """
    zero, infinity = cast_like(x, 0.0), cast_like(x, float("inf"))
    subnormal = x < constant(x, (2.0**-126, 2.0**-1022))
    k, m = _split(x * constant(x, (2.0**25, 2.0**54)) if subnormal else x)
    k = cast_like(x, k) - (constant(x, (25.0, 54.0)) if subnormal else zero)
    high, low = log_pair(k, m - cast_like(x, 1.0), zero)
    y = high + low if x < infinity else x
    return y if x > zero else (-infinity if x == zero else cast_like(x, float("nan")))


@scalar
def log1p(x):
    """log(1 + x) = k ln 2 + log(1 + f + low), with 2**k (1 + f + low) = 1 + x exactly.

    Accuracy: 0.93 ULP in float32, 0.87 in float64.
    """
    one, infinity = cast_like(x, 1.0), cast_like(x, float("inf"))
    y = one + x
    part = y - one
    lost = (one - (y - part)) + (x - part)
    k, m = _split(y)
    # lost times 2**-k; where the largest k is cut off, what was lost no longer counts
    cut = cast_like(k, choose(x, (100, 1000)))
    exponent = k if k < cut else cut
    lost = lost * from_bits(cast_like(k, bits_of(one) - to_exponent(exponent, x)))
    f, low = fast_two_sum(m - one, lost)
    high, low = log_pair(cast_like(x, k), f, low)
    y = high + low if x < infinity else x
    y = y if x > -one else (-infinity if x == -one else cast_like(x, float("nan")))
    return x if abs(x) < constant(x, TINY) else y
