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

from ..codegen.declare import (
    bits_of,
    by_dtype,
    cast_like,
    choose,
    constant,
    fma,
    from_bits,
    polynomial,
    scalar,
)
from .tables import (
    ATANH,
    EXP,
    EXP_FLOOR,
    EXP_OVERFLOW,
    EXP_UNDERFLOW,
    LN2_HIGH,
    LN2_LOW,
    LOG1P,
    MANTISSA_BITS,
    PER_LN2,
    ROUNDER,
    SIGMOID_IS_ONE,
    SQRT_HALF,
    TINY,
)

__all__ = ["exp", "expm1", "log", "log1p", "sigmoid", "softplus", "tanh"]


@scalar
def _fast_two_sum(a, b):
    """a + b as a pair, exactly, where |a| >= |b| or a = 0."""
    total = a + b
    return total, (a - total) + b


@scalar
def _ratio(a, a_low, e, e_low):
    """(a + a_low) / (1 + e + e_low), for e in [-1/2, 1] and a = 1 or about e or exp(r).

    One Newton step on the quotient q. Since |q| is within a factor of two of |a|, a - q is exact,
    and the divisor need not be known to more than one number.
    """
    inverse = cast_like(a, 1.0) / (cast_like(a, 1.0) + e)
    q = a * inverse
    remainder = fma(-q, e, a - q) + fma(-q, e_low, a_low)
    return fma(remainder, inverse, q)


@scalar
def _clamp(x, low, high):
    """x in [low, high]; NaN fails both comparisons and stays.

    A function of its own: in line, the compiler makes a mask of it instead of a minimum and a
    maximum, and exp a seventh slower.
    """
    x = low if x < low else x
    return high if x > high else x


@scalar
def _to_exponent(k, x):
    """Integer k as the exponent bits of x's type; higher bits of k fall off the top."""
    return cast_like(k, k << choose(x, MANTISSA_BITS))


@scalar
def _reduce(x):
    """k, head, low with x = k ln 2 + (head - low) and |head - low| <= ln(2)/2, head exact.

    k comes as an integer whose low bits are the exponent, with those of ROUNDER above them.
    """
    rounded = fma(x, constant(x, PER_LN2), constant(x, ROUNDER))
    k = rounded - constant(x, ROUNDER)
    head = fma(-k, constant(x, LN2_HIGH), x)
    return bits_of(rounded), head, k * constant(x, LN2_LOW)


@scalar
def _exp_tail(r, correction):
    """exp(r) - 1 - r + correction."""
    return fma(r * r, polynomial(r, choose(r, EXP)), correction)


@scalar
def _two_factors(k, x):
    """Two normal numbers whose product is 2**k: one alone could not make subnormal results."""
    half = cast_like(k, k >> 1)
    one = bits_of(cast_like(x, 1.0))
    first = cast_like(k, _to_exponent(half, x) + one)
    second = cast_like(k, _to_exponent(cast_like(k, k - half), x) + one)
    return from_bits(first), from_bits(second)


@scalar
def exp(x):
    """e**x = 2**k e**r, with e**r = 1 + (head + tail) by a polynomial.

    Accuracy: 0.86 ULP in float32, 0.86 in float64.
    """
    x = _clamp(x, constant(x, EXP_UNDERFLOW), constant(x, EXP_OVERFLOW))
    k, head, low = _reduce(x)
    y = cast_like(x, 1.0) + (head + _exp_tail(head - low, -low))
    first, second = _two_factors(k, x)
    return (y * first) * second


@scalar
def exp_pair(x, x_low):
    """first, second, high, low with exp(x + x_low) = first second (high + low).

    For x from EXP_FLOOR, where both factors are still normal, to EXP_OVERFLOW; x_low is small.
    """
    k, head, low = _reduce(x)
    low = low - x_low
    high, rest = _fast_two_sum(cast_like(x, 1.0), head)
    high, low = _fast_two_sum(high, rest + _exp_tail(head - low, -low))
    first, second = _two_factors(k, x)
    return first, second, high, low


@scalar
def _exp_pair(x):
    """The same for exp(x) and any x <= 1/2, or NaN."""
    return exp_pair(constant(x, EXP_FLOOR) if x < constant(x, EXP_FLOOR) else x, cast_like(x, 0.0))


@scalar
def exponent(x):
    """x, bounded to where exp is 0 or infinite, whatever normal number it is multiplied by."""
    return _clamp(x, constant(x, EXP_FLOOR), -constant(x, EXP_FLOOR))


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
    """scale (exp(x + low) - 1) for x <= EXP_OVERFLOW.

    scale is 1/2 where 2**k may overflow before exp does; for x <= 0, 1 is better: tiny x stay.
    """
    x = constant(x, EXP_FLOOR) if x < constant(x, EXP_FLOOR) else x
    first, second, high, rest = exp_pair(x, low)
    power = first * (scale * second)
    return fma(power, rest, fma(power, high, -scale))


@scalar
def _half_expm1(k, head, tail):
    """power, base, high, low with expm1(x) / 2 = high + low + (rounding error of base).

    power = 2**(k-1), base = power - 1/2. Half, because 2**k itself overflows where expm1 does not.
    """
    half = cast_like(head, 0.5)
    power = from_bits(cast_like(k, _to_exponent(k, head) + bits_of(half)))
    base = power - half
    high, rest = _fast_two_sum(base, power * head)
    return power, base, high, fma(power, tail, rest)


@scalar
def expm1(x):
    """exp(x) - 1, as (2**k - 1) + 2**k (head + tail), the large terms as an exact pair.

    Accuracy: 0.96 ULP in float32, 0.98 in float64.
    """
    y = _clamp(x, constant(x, (-18.0, -38.0)), constant(x, EXP_OVERFLOW))
    k, head, low = _reduce(y)
    # Near x = ln(2)/2 the sum cancels so much that the rounding of r in r**2/2 would show.
    r = head - low
    tail = _exp_tail(r, fma((head - r) - low, r, -low))
    power, base, high, low = _half_expm1(k, head, tail)
    low = low + ((power - base) - cast_like(x, 0.5))
    return x if abs(x) < constant(x, TINY) else cast_like(x, 2.0) * (high + low)


@scalar
def tanh(x):
    """Sign of x times (1 - e) / (1 + e), e = exp(-2|x|) = 2 p (1 + c), p a power of two.

    p - 1/2 and p + 1/2 are exact, so that either sum is rounded once. What the numerator has lost
    goes to the denominator's sum, at no further rounding; exactly where the quotient is largest
    beside its last bit, about x = 1/2.

    Accuracy: 1.94 ULP in float32, 1.84 in float64.
    """
    half, size = cast_like(x, 0.5), abs(x)
    y = constant(x, (10.0, 20.0)) if size > constant(x, (10.0, 20.0)) else size  # tanh = 1
    k, head, low = _reduce(cast_like(x, -2.0) * y)
    c = head + _exp_tail(head - low, -low)
    p = from_bits(cast_like(k, _to_exponent(k, x) + bits_of(half)))
    above = fma(p, c, p - half)
    lost = fma(p, c, (p - half) - above)
    q = abs(above / fma(p, fma(lost, cast_like(x, 12.0), c), p + half))
    sign = cast_like(bits_of(x), bits_of(x) ^ bits_of(size))
    return from_bits(cast_like(sign, bits_of(q) | sign))


@scalar
def logistic_parts(x, x_low):
    """b, s with sigmoid(x + x_low) = b / s, s = b + a, a / b = exp(-x - x_low).

    For |x| <= -EXP_FLOOR. b is a power of two, and of about the size of 1 / a: neither overflows,
    whatever the sign of x. All but the quotient is rounded once, nearly, and the quotient is too
    where it is subnormal.
    """
    k, head, low = _reduce(-x)
    low = low + x_low
    tail = head + _exp_tail(head - low, -low)
    half, one = cast_like(k, k >> 1), bits_of(cast_like(x, 1.0))
    first = from_bits(cast_like(k, _to_exponent(half, x) + one))
    b = from_bits(cast_like(k, one - _to_exponent(cast_like(k, k - half), x)))
    total = first + b
    return b, total + fma(first, tail, b - (total - first))


@scalar
def sigmoid(x):
    """1 / (1 + exp(-x)).

    Accuracy: 1.75 ULP in float32, 1.67 in float64.
    """
    x = _clamp(x, constant(x, EXP_UNDERFLOW), constant(x, SIGMOID_IS_ONE))
    b, divisor = logistic_parts(x, cast_like(x, 0.0))
    return b / divisor


@scalar
def exponent_size(x):
    """|x|, but never more than exp_pair takes; there exp(-|x|) is 0."""
    size, most = abs(x), -constant(x, EXP_FLOOR)
    return most if size > most else size


@scalar
def times_sigmoid(a, size, low, negative):
    """a sigmoid(size + low), or a sigmoid(-size - low) if negative, for 0 <= size <= -EXP_FLOOR.

    a comes in before 2**k, which comes last: a subnormal result is rounded from all bits, and
    there is one wherever a sigmoid is not 0, even if sigmoid is.
    """
    first, second, high, rest = exp_pair(-size, -low)
    power = first * second
    b = high if negative else cast_like(size, 1.0)
    b_low = rest if negative else cast_like(size, 0.0)
    q = _ratio(b, b_low, power * high, power * rest)
    return ((a * first) * q) * second if negative else a * q


@scalar
def times_sigmoid_slope(a, size, low):
    """a e / (1 + e)² = a sigmoid'(size + low), e = exp(-size - low), for sizes as above.

    Shares all costly parts with `times_sigmoid`. Accuracy: 2.9 ULP.
    """
    first, second, high, _ = exp_pair(-size, -low)
    one, e = cast_like(size, 1.0), (first * second) * high
    inverse = one / (one + e)
    q = fma(fma(-inverse, e, one - inverse), inverse, inverse)  # a Newton step: rounded once
    return ((a * first) * ((high * q) * q)) * second


@scalar
def sigmoid_slope(x):
    """sigmoid(x) sigmoid(-x)."""
    return times_sigmoid_slope(cast_like(x, 1.0), exponent_size(x), cast_like(x, 0.0))


@scalar
def sech_squared(a, x):
    """a / cosh(x)² = 4 a sigmoid(2 x) sigmoid(-2 x)."""
    size = exponent_size(cast_like(x, 2.0) * x)
    return times_sigmoid_slope(cast_like(x, 4.0) * a, size, cast_like(x, 0.0))


@scalar
def sigmoid_of_minus(x, s):
    """sigmoid(-x) where s = sigmoid(x) is at hand; what they share is computed once.

    s exp(-x) for x >= 0, 1 - s for x < 0, where s is at most 1/2. Accuracy: 2.5 ULP.
    """
    first, second, high, low = _exp_pair(-abs(x))
    return ((s * (high + low)) * first) * second if x >= cast_like(x, 0) else cast_like(x, 1.0) - s


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
def _log_pair(k, f, low):
    """k ln 2 + log1p(f + low) as a pair, for f in [sqrt(1/2) - 1, sqrt(2) - 1]."""
    high, rest = _fast_two_sum(k * constant(f, LN2_HIGH), f)
    low = fma(k, constant(f, LN2_LOW), fma(-f, low, low))  # low / (1 + f), first order
    return high, rest + (low + _log1p_tail(f))


@scalar
def _split(x):
    """k, m with x = 2**k m and m in [sqrt(1/2), sqrt(2)), for a normal x > 0."""
    bits = bits_of(x)
    offset = cast_like(bits, bits - bits_of(cast_like(x, SQRT_HALF)))
    k = cast_like(bits, offset >> choose(x, MANTISSA_BITS))
    return k, from_bits(cast_like(bits, bits - _to_exponent(k, x)))


@scalar
def log(x):
    """Natural logarithm, k ln 2 + log1p(f), with x = 2**k (1 + f).

    Accuracy: 0.92 ULP in float32, 0.88 in float64.
    """
    zero, infinity = cast_like(x, 0.0), cast_like(x, float("inf"))
    subnormal = x < constant(x, (2.0**-126, 2.0**-1022))
    k, m = _split(x * constant(x, (2.0**25, 2.0**54)) if subnormal else x)
    k = cast_like(x, k) - (constant(x, (25.0, 54.0)) if subnormal else zero)
    high, low = _log_pair(k, m - cast_like(x, 1.0), zero)
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
    lost = lost * from_bits(cast_like(k, bits_of(one) - _to_exponent(exponent, x)))
    f, low = _fast_two_sum(m - one, lost)
    high, low = _log_pair(cast_like(x, k), f, low)
    y = high + low if x < infinity else x
    y = y if x > -one else (-infinity if x == -one else cast_like(x, float("nan")))
    return x if abs(x) < constant(x, TINY) else y


@scalar
def softplus(x):
    """log(1 + exp(x)) = (x or 0) + log1p(e), e = exp(-x) for x > 1/2, else exp(x), as a pair.

    Accuracy: 0.97 ULP in float32, 0.94 in float64.
    """
    # Up to x = 1/2, not 0: there e <= 1.65, and x is never added to an equally large logarithm.
    large = x > cast_like(x, 0.5)
    return (x if large else cast_like(x, 0.0)) + softplus_tail(-x if large else x)


@scalar
def softplus_tail(x):
    """log(1 + exp(x)) for x <= 1/2, as accurate."""
    zero, half, one = cast_like(x, 0.0), cast_like(x, 0.5), cast_like(x, 1.0)
    first, second, high, low = _exp_pair(x)
    e, e_low = (high * first) * second, (low * first) * second
    # 1 + e is 1 + f up to sqrt(2), then 2 (1 + f)
    double = e > cast_like(x, 0.41421356)
    f, rest = _fast_two_sum(-one if double else zero, e)
    scale = half if double else one
    high, low = _log_pair(one if double else zero, scale * f, scale * (rest + e_low))
    return high + low
