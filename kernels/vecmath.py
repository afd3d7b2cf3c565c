"""Elementary functions as straight lines of arithmetic, so that loops over them vectorise.

A call of the C library inside a loop keeps the loop scalar. The functions here have no branch, no
table and no call: selects, fused multiply-adds, bit casts and at most one division. Each takes a
float32 or a float64, stays in that type, keeps NaN, and is off by less than one unit in the last
place (ULP) over the whole range, subnormal numbers included.

Where the rounding of one number is not enough, a value is a pair: ``high + low`` with ``low`` below
the last bit of ``high``. The sums that make pairs survive the fusing of a*b + c, which the compiler
may do anywhere: every product in them is exact or one that may keep more bits.
"""

from .jit import bits_of, by_dtype, fma, from_bits, like, scalar

__all__ = ["exp", "expm1", "log", "log1p", "sigmoid", "softplus", "tanh"]

# A pair of constants is (for float32, for float64).
_MANTISSA_BITS = (23, 52)
_ROUNDER = (1.5 * 2.0**23, 1.5 * 2.0**52)  # x + this - this rounds x to an integer
_PER_LN2 = (1.4426950408889634, 1.4426950408889634)
# ln 2 rounded to 2**-15 and 2**-41, so that its products with all exponents are exact; the rest
_LN2_HIGH = (0.693145751953125, 0.6931471805601177)
_LN2_LOW = (1.428606765330187e-06, -1.7239444525614835e-13)
_SQRT_HALF = 0.7071067811865476
_EXP_UNDERFLOW = (-104.0, -746.0)  # at and below, exp is 0
_EXP_OVERFLOW = (89.0, 710.0)  # at and above, exp is infinite
_TINY = (2.0**-25, 2.0**-54)  # below, expm1(x) and log1p(x) round to x

# Minimax polynomials (Remez exchange in 200 bits), coefficients rounded one after the other with
# the rest fitted again; lowest degree first. All maximum errors are relative to the whole function.

# (exp(r) - 1 - r) / r**2 on |r| <= ln(2)/2: error of expm1(r) 2**-31.1, 2**-61.6; degree 5, 10
_EXP = (
    (
        0.5,
        0.1666666567325592,
        0.04166649281978607,
        0.008333543315529823,
        0.001393233658745885,
        0.00019764629541896284,
    ),
    (
        0.5,
        0.16666666666666677,
        0.041666666666666685,
        0.008333333333321771,
        0.001388888888889184,
        0.0001984126988543116,
        2.4801587285700856e-05,
        2.7557245047020163e-06,
        2.7557321645840056e-07,
        2.510872747073443e-08,
        2.089691505460297e-09,
    ),
)
# (log1p(f) - f) / f**2 on [sqrt(1/2) - 1, sqrt(2) - 1]: error of log1p(f) 2**-27.8; degree 8
_LOG1P = (
    -0.49999988079071045,
    0.33333325386047363,
    -0.2500160038471222,
    0.20001959800720215,
    -0.1660870909690857,
    0.14182299375534058,
    -0.13246510922908783,
    0.12901365756988525,
    -0.07608701288700104,
)
# (2 atanh(s) - 2 s) / s**3 in s**2, s = f / (2 + f) for the same f: error of atanh(s) 2**-59.5;
# degree 6
_ATANH = (
    0.6666666666666734,
    0.39999999999416846,
    0.2857142874196342,
    0.22222198612044475,
    0.18183562519070343,
    0.1531409179753076,
    0.14795583761343503,
)


@scalar
def _first(x, pair):
    return pair[0]


@scalar
def _second(x, pair):
    return pair[1]


_choose = by_dtype(_first, _second)


@scalar
def _constant(x, pair):
    return like(x, _choose(x, pair))


@scalar
def _polynomial(x, c):
    """c[0] + c[1] x + c[2] x**2 + …: pairs c[i] + c[i+1] x by Horner's rule in x**2.

    Half as long a chain of dependent operations as Horner's rule in x.
    """
    square = x * x
    odd = len(c) % 2
    y = like(x, c[-1]) if odd else fma(like(x, c[-1]), x, like(x, c[-2]))
    for i in range(len(c) - 4 + odd, -1, -2):
        y = fma(y, square, fma(like(x, c[i + 1]), x, like(x, c[i])))
    return y


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
    inverse = like(a, 1.0) / (like(a, 1.0) + e)
    q = a * inverse
    remainder = fma(-q, e, a - q) + fma(-q, e_low, a_low)
    return fma(remainder, inverse, q)


@scalar
def _to_exponent(k, x):
    """Integer k as the exponent bits of x's type; higher bits of k fall off the top."""
    return like(k, k << _choose(x, _MANTISSA_BITS))


@scalar
def _reduce(x):
    """k, head, low with x = k ln 2 + (head - low) and |head - low| <= ln(2)/2, head exact.

    k comes as an integer whose low bits are the exponent, with those of _ROUNDER above them.
    """
    rounded = fma(x, _constant(x, _PER_LN2), _constant(x, _ROUNDER))
    k = rounded - _constant(x, _ROUNDER)
    head = fma(-k, _constant(x, _LN2_HIGH), x)
    return bits_of(rounded), head, k * _constant(x, _LN2_LOW)


@scalar
def _exp_tail(r, correction):
    """exp(r) - 1 - r + correction."""
    return fma(r * r, _polynomial(r, _choose(r, _EXP)), correction)


@scalar
def _two_factors(k, x):
    """Two normal numbers whose product is 2**k: one alone could not make subnormal results."""
    half = like(k, k >> 1)
    one = bits_of(like(x, 1.0))
    first = like(k, _to_exponent(half, x) + one)
    second = like(k, _to_exponent(like(k, k - half), x) + one)
    return from_bits(first), from_bits(second)


@scalar
def exp(x):
    """exp(x) = 2**k exp(r), exp(r) = 1 + (head + tail) by a polynomial.

    Accuracy: 0.00 ULP in float32, 0.00 in float64.
    """
    # NaN fails every comparison, so it passes these two selects
    x = _constant(x, _EXP_UNDERFLOW) if x < _constant(x, _EXP_UNDERFLOW) else x
    x = _constant(x, _EXP_OVERFLOW) if x > _constant(x, _EXP_OVERFLOW) else x
    k, head, low = _reduce(x)
    y = like(x, 1.0) + (head + _exp_tail(head - low, -low))
    first, second = _two_factors(k, x)
    return (y * first) * second


@scalar
def _exp_pair(x):
    """first, second, high, low with exp(x) = first second (high + low), for x <= 1/2 or NaN."""
    x = _constant(x, _EXP_UNDERFLOW) if x < _constant(x, _EXP_UNDERFLOW) else x
    k, head, low = _reduce(x)
    high, rest = _fast_two_sum(like(x, 1.0), head)
    high, low = _fast_two_sum(high, rest + _exp_tail(head - low, -low))
    first, second = _two_factors(k, x)
    return first, second, high, low


@scalar
def _half_expm1(k, head, tail):
    """power, base, high, low with expm1(x) / 2 = high + low + (rounding error of base).

    power = 2**(k-1), base = power - 1/2. Half, because 2**k itself overflows where expm1 does not.
    """
    half = like(head, 0.5)
    power = from_bits(like(k, _to_exponent(k, head) + bits_of(half)))
    base = power - half
    high, rest = _fast_two_sum(base, power * head)
    return power, base, high, fma(power, tail, rest)


@scalar
def expm1(x):
    """exp(x) - 1 = (2**k - 1) + 2**k (head + tail), the first sum exact.

    Accuracy: 0.00 ULP in float32, 0.00 in float64.
    """
    y = _constant(x, (-18.0, -38.0)) if x < _constant(x, (-18.0, -38.0)) else x
    y = _constant(x, _EXP_OVERFLOW) if y > _constant(x, _EXP_OVERFLOW) else y
    k, head, low = _reduce(y)
    # Near x = ln(2)/2 the sum cancels so much that the rounding of r in r**2/2 would show.
    r = head - low
    tail = _exp_tail(r, fma((head - r) - low, r, -low))
    power, base, high, low = _half_expm1(k, head, tail)
    low = low + ((power - base) - like(x, 0.5))
    return x if abs(x) < _constant(x, _TINY) else like(x, 2.0) * (high + low)


@scalar
def tanh(x):
    """Sign of x times -e / (2 + e), e = expm1(-2|x|) as a pair.

    Accuracy: 0.00 ULP in float32, 0.00 in float64.
    """
    size = abs(x)
    y = _constant(x, (10.0, 20.0)) if size > _constant(x, (10.0, 20.0)) else size  # tanh = 1
    k, head, low = _reduce(like(x, -2.0) * y)
    tail = _exp_tail(head - low, -low)
    power, base, high, low = _half_expm1(k, head, tail)
    high, low = _fast_two_sum(high, low + (power - (base + like(x, 0.5))))
    q = abs(_ratio(high, low, high, low))
    sign = like(bits_of(x), bits_of(x) ^ bits_of(size))
    return from_bits(like(sign, bits_of(q) | sign))


@scalar
def sigmoid(x):
    """1 / (1 + e) for x >= 0, e / (1 + e) for x < 0, e = exp(-|x|) as a pair.

    Accuracy: 0.00 ULP in float32, 0.00 in float64.
    """
    first, second, high, low = _exp_pair(-abs(x))
    power = first * second
    negative = x < like(x, 0.0)
    a = high if negative else like(x, 1.0)
    a_low = low if negative else like(x, 0.0)
    q = _ratio(a, a_low, power * high, power * low)
    # 2**k comes last, so that a subnormal result is rounded from all bits
    return (q * first) * second if negative else q


@scalar
def _log1p_tail32(f):
    return (f * f) * _polynomial(f, _LOG1P)


@scalar
def _log1p_tail64(f):
    # With s = f / (2 + f), 2 s = f - s f. A division is cheaper here than 12 more coefficients.
    s = f / (like(f, 2.0) + f)
    square = s * s
    return s * fma(square, _polynomial(square, _ATANH), -f)


_log1p_tail = by_dtype(_log1p_tail32, _log1p_tail64)  # log1p(f) - f


@scalar
def _log_pair(k, f, low):
    """k ln 2 + log1p(f + low) as a pair, for f in [sqrt(1/2) - 1, sqrt(2) - 1]."""
    high, rest = _fast_two_sum(k * _constant(f, _LN2_HIGH), f)
    low = fma(k, _constant(f, _LN2_LOW), fma(-f, low, low))  # low / (1 + f), first order
    return high, rest + (low + _log1p_tail(f))


@scalar
def _split(x):
    """k, m with x = 2**k m and m in [sqrt(1/2), sqrt(2)), for a normal x > 0."""
    bits = bits_of(x)
    offset = like(bits, bits - bits_of(like(x, _SQRT_HALF)))
    k = like(bits, offset >> _choose(x, _MANTISSA_BITS))
    return k, from_bits(like(bits, bits - _to_exponent(k, x)))


@scalar
def log(x):
    """log(x) = k ln 2 + log1p(f), x = 2**k (1 + f).

    Accuracy: 0.00 ULP in float32, 0.00 in float64.
    """
    zero, infinity = like(x, 0.0), like(x, float("inf"))
    subnormal = x < _constant(x, (2.0**-126, 2.0**-1022))
    k, m = _split(x * _constant(x, (2.0**25, 2.0**54)) if subnormal else x)
    k = like(x, k) - (_constant(x, (25.0, 54.0)) if subnormal else zero)
    high, low = _log_pair(k, m - like(x, 1.0), zero)
    y = high + low if x < infinity else x
    return y if x > zero else (-infinity if x == zero else like(x, float("nan")))


@scalar
def log1p(x):
    """log(1 + x) = k ln 2 + log1p(f + low), 2**k (1 + f + low) = 1 + x exactly.

    Accuracy: 0.00 ULP in float32, 0.00 in float64.
    """
    one, infinity = like(x, 1.0), like(x, float("inf"))
    y = one + x
    part = y - one
    lost = (one - (y - part)) + (x - part)
    k, m = _split(y)
    # lost times 2**-k; where the largest k is cut off, what was lost no longer counts
    cut = like(k, _choose(x, (100, 1000)))
    exponent = k if k < cut else cut
    lost = lost * from_bits(like(k, bits_of(one) - _to_exponent(exponent, x)))
    f, low = _fast_two_sum(m - one, lost)
    high, low = _log_pair(like(x, k), f, low)
    y = high + low if x < infinity else x
    y = y if x > -one else (-infinity if x == -one else like(x, float("nan")))
    return x if abs(x) < _constant(x, _TINY) else y


@scalar
def softplus(x):
    """log(1 + exp(x)) = (x or 0) + log1p(e), e = exp(-x) for x > 1/2, else exp(x), as a pair.

    Accuracy: 0.00 ULP in float32, 0.00 in float64.
    """
    # Up to x = 1/2, not 0: there e <= 1.65, and x is never added to an equally large logarithm.
    zero, half, one = like(x, 0.0), like(x, 0.5), like(x, 1.0)
    large = x > half
    first, second, high, low = _exp_pair(-x if large else x)
    e, e_low = (high * first) * second, (low * first) * second
    # 1 + e is 1 + f up to sqrt(2), then 2 (1 + f)
    double = e > like(x, 0.41421356)
    f, rest = _fast_two_sum(-one if double else zero, e)
    scale = half if double else one
    high, low = _log_pair(one if double else zero, scale * f, scale * (rest + e_low))
    return (x if large else zero) + (high + low)
