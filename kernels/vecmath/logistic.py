"""The logistic function, its logarithm and the hyperbolic tangent, as `exponential` describes."""

from ..codegen.declare import scalar
from ..codegen.intrinsics import bits_of, cast_like, constant, fma, from_bits
from .exponential import (
    clamp,
    exp_pair,
    exp_pair_bounded,
    exp_tail,
    fast_two_sum,
    ratio,
    reduce_range,
    to_exponent,
)
from .logarithm import log_pair
from .tables import (
    EXP_FLOOR,
    EXP_UNDERFLOW,
    SIGMOID_IS_ONE,
)


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
    k, head, low = reduce_range(cast_like(x, -2.0) * y)
    c = head + exp_tail(head - low, -low)
    p = from_bits(cast_like(k, to_exponent(k, x) + bits_of(half)))
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
    k, head, low = reduce_range(-x)
    low = low + x_low
    tail = head + exp_tail(head - low, -low)
    half, one = cast_like(k, k >> 1), bits_of(cast_like(x, 1.0))
    first = from_bits(cast_like(k, to_exponent(half, x) + one))
    b = from_bits(cast_like(k, one - to_exponent(cast_like(k, k - half), x)))
    total = first + b
    return b, total + fma(first, tail, b - (total - first))


@scalar
def sigmoid(x):
    """1 / (1 + exp(-x)).

    Accuracy: 1.75 ULP in float32, 1.67 in float64.
    """
    x = clamp(x, constant(x, EXP_UNDERFLOW), constant(x, SIGMOID_IS_ONE))
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
    q = ratio(b, b_low, power * high, power * rest)
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
    first, second, high, low = exp_pair_bounded(-abs(x))
    return ((s * (high + low)) * first) * second if x >= cast_like(x, 0) else cast_like(x, 1.0) - s


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
    first, second, high, low = exp_pair_bounded(x)
    e, e_low = (high * first) * second, (low * first) * second
    # 1 + e is 1 + f up to sqrt(2), then 2 (1 + f)
    double = e > cast_like(x, 0.41421356)
    f, rest = fast_two_sum(-one if double else zero, e)
    scale = half if double else one
    high, low = log_pair(one if double else zero, scale * f, scale * (rest + e_low))
    return high + low
