"""Elementary functions as straight lines of arithmetic, so that loops over them vectorise.

A call of the C library inside a loop keeps the loop scalar. The functions here have no branch, no
table and no call: selects, fused multiply-adds, bit casts and at most one division. Each takes a
float32 or a float64, stays in that type, keeps NaN, and is off by less than one unit in the last
place (ULP), or two for tanh and sigmoid, over the whole range, subnormal numbers included. The
figures in the docstrings are the largest errors of all float32 numbers, and of ten million float64
numbers around every threshold.

Where the rounding of one number is not enough, a value is a pair: ``high + low`` with ``low`` below
the last bit of ``high``. The sums that make pairs survive the fusing of a*b + c, which the compiler
may do anywhere: every product in them is exact or one that may keep more bits.
"""

from ..codegen.declare import scalar
from ..codegen.intrinsics import bits_of, cast_like, choose, constant, fma, from_bits, polynomial
from .tables import (
    EXP,
    EXP_FLOOR,
    EXP_OVERFLOW,
    EXP_UNDERFLOW,
    LN2_HIGH,
    LN2_LOW,
    MANTISSA_BITS,
    PER_LN2,
    ROUNDER,
    TINY,
)


@scalar
def fast_two_sum(a, b):
    """a + b as a pair, exactly, where |a| >= |b| or a = 0."""
    total = a + b
    return total, (a - total) + b


@scalar
def ratio(a, a_low, e, e_low):
    """(a + a_low) / (1 + e + e_low), for e in [-1/2, 1] and a = 1 or about e or exp(r).

    One Newton step on the quotient q. Since |q| is within a factor of two of |a|, a - q is exact,
    and the divisor need not be known to more than one number.
    """
    inverse = cast_like(a, 1.0) / (cast_like(a, 1.0) + e)
    q = a * inverse
    remainder = fma(-q, e, a - q) + fma(-q, e_low, a_low)
    return fma(remainder, inverse, q)


@scalar
def clamp(x, low, high):
    """x in [low, high]; NaN fails both comparisons and stays.

    A function of its own: in line, the compiler makes a mask of it instead of a minimum and a
    maximum, and exp a seventh slower.
    """
    x = low if x < low else x
    return high if x > high else x


@scalar
def to_exponent(k, x):
    """Integer k as the exponent bits of x's type; higher bits of k fall off the top."""
    return cast_like(k, k << choose(x, MANTISSA_BITS))


@scalar
def reduce_range(x):
    """k, head, low with x = k ln 2 + (head - low) and |head - low| <= ln(2)/2, head exact.

    k comes as an integer whose low bits are the exponent, with those of ROUNDER above them.
    """
    rounded = fma(x, constant(x, PER_LN2), constant(x, ROUNDER))
    k = rounded - constant(x, ROUNDER)
    head = fma(-k, constant(x, LN2_HIGH), x)
    return bits_of(rounded), head, k * constant(x, LN2_LOW)


@scalar
def exp_tail(r, correction):
    """exp(r) - 1 - r + correction."""
    return fma(r * r, polynomial(r, choose(r, EXP)), correction)


@scalar
def two_factors(k, x):
    """Two normal numbers whose product is 2**k: one alone could not make subnormal results."""
    half = cast_like(k, k >> 1)
    one = bits_of(cast_like(x, 1.0))
    first = cast_like(k, to_exponent(half, x) + one)
    second = cast_like(k, to_exponent(cast_like(k, k - half), x) + one)
    return from_bits(first), from_bits(second)


@scalar
def exp(x):
    """e**x = 2**k e**r, with e**r = 1 + (head + tail) by a polynomial.

    Accuracy: 0.86 ULP in float32, 0.86 in float64.
    """
    x = clamp(x, constant(x, EXP_UNDERFLOW), constant(x, EXP_OVERFLOW))
    k, head, low = reduce_range(x)
    y = cast_like(x, 1.0) + (head + exp_tail(head - low, -low))
    first, second = two_factors(k, x)
    return (y * first) * second


@scalar
def exp_pair(x, x_low):
    """first, second, high, low with exp(x + x_low) = first second (high + low).

    For x from EXP_FLOOR, where both factors are still normal, to EXP_OVERFLOW; x_low is small.
    """
    k, head, low = reduce_range(x)
    low = low - x_low
    high, rest = fast_two_sum(cast_like(x, 1.0), head)
    high, low = fast_two_sum(high, rest + exp_tail(head - low, -low))
    first, second = two_factors(k, x)
    return first, second, high, low


@scalar
def exp_pair_bounded(x):
    """The same for exp(x) and any x <= 1/2, or NaN."""
    return exp_pair(constant(x, EXP_FLOOR) if x < constant(x, EXP_FLOOR) else x, cast_like(x, 0.0))


@scalar
def exponent(x):
    """x, bounded to where exp is 0 or infinite, whatever normal number it is multiplied by."""
    return clamp(x, constant(x, EXP_FLOOR), -constant(x, EXP_FLOOR))


@scalar
def times_exp(a, x, low):
    """a exp(x + low) for x <= -EXP_FLOOR; rounded once where the result is subnormal.

    Accuracy: 1.7 ULP.
    """
    x = constant(x, EXP_FLOOR) if x < constant(x, EXP_FLOOR) else x
    first, second, high, _ = exp_pair(x, low)
    return ((a * first) * high) * second


@scalar
def scaled_expm1(x, low, scale):
    """scale (exp(x + low) - 1) for x <= EXP_OVERFLOW, or to -EXP_FLOOR where scale makes up for it.

    scale is 1/2 where 2**k may overflow before exp does; for x <= 0, 1 is better: tiny x stay.
    """
    x = constant(x, EXP_FLOOR) if x < constant(x, EXP_FLOOR) else x
    first, second, high, rest = exp_pair(x, low)
    power = first * (scale * second)
    return fma(power, rest, fma(power, high, -scale))


@scalar
def half_expm1(k, head, tail):
    """power, base, high, low with expm1(x) / 2 = high + low + (rounding error of base).

    power = 2**(k-1), base = power - 1/2. Half, because 2**k itself overflows where expm1 does not.
    """
    half = cast_like(head, 0.5)
    power = from_bits(cast_like(k, to_exponent(k, head) + bits_of(half)))
    base = power - half
    high, rest = fast_two_sum(base, power * head)
    return power, base, high, fma(power, tail, rest)


@scalar
def expm1(x):
    """exp(x) - 1, as (2**k - 1) + 2**k (head + tail), the large terms as an exact pair.

    Accuracy: 0.96 ULP in float32, 0.98 in float64.
    """
    y = clamp(x, constant(x, (-18.0, -38.0)), constant(x, EXP_OVERFLOW))
    k, head, low = reduce_range(y)
    # Near x = ln(2)/2 the sum cancels so much that the rounding of r in r**2/2 would show.
    r = head - low
    tail = exp_tail(r, fma((head - r) - low, r, -low))
    power, base, high, low = half_expm1(k, head, tail)
    low = low + ((power - base) - cast_like(x, 0.5))
    return x if abs(x) < constant(x, TINY) else cast_like(x, 2.0) * (high + low)
