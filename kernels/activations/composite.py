"""Compositions of exp, log and tanh that would cancel, overflow or vanish if computed as written.

Mish: Misra 2019, arXiv 1908.08681. TanhExp: Liu and Di 2020, arXiv 2003.09855.
"""

from .. import vecmath
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, fma
from ..vecmath.scaled_exp import (
    choose,
    constant,
    exp_pair,
    exp_parts,
    inverse_of_sum,
    least,
    most,
    polynomial,
    scale,
    sech2_parts,
    tanh_and_sech2,
    times,
    times_pair,
    with_sign,
)
from ..vecmath.tables import TANH_SHRINK

_LOWEST = (-110.0, -760.0)  # at and below, x exp(x) is 0


# A and B of mish''' in e, and e⁻⁵ times each in 1 / e
_MISH_3 = (4.0, 8.0, 0.0, -8.0, -7.0, -2.0)
_MISH_3_X = (4.0, 0.0, -32.0, -24.0, 5.0, 4.0)
_MISH_3_UPPER = _MISH_3[::-1]
_MISH_3_X_UPPER = _MISH_3_X[::-1]

# tanh(softplus(x)) = τ = n / (n + 2), n = e² + 2 e, e = exp(x)
_HIGHEST = (12.0, 22.0)  # at and above, mish(x) rounds to x and its derivative to 1


@scalar
def _mish_parts(x):
    """x within limits, the parts of e, e, and n + 2."""
    x = least(most(x, _LOWEST), _HIGHEST)
    first, second, h = exp_parts(x, cast_like(x, 0.0))
    e = scale(first, second, h)
    return x, first, second, h, e, fma(e, e + cast_like(x, 2.0), cast_like(x, 2.0))


@scalar
def mish(x):
    """x tanh(softplus(x)) = x e (e + 2) / (n + 2).

    Accuracy: 4.0 ULP in float32, 3.2 in float64.
    """
    z, first, second, h, e, below = _mish_parts(x)
    y = times((z * (e + cast_like(x, 2.0))) / below, first, second, h)
    return x if x > constant(x, _HIGHEST) else y


@scalar
def mish_derivative(x):
    """τ + x τ' = e ((e + 2) (n + 2) + 4 x (e + 1)) / (n + 2)²; in the lower tail e (1 + x - …).

    For x >= 0 it is 1 + (4 x e (e + 1) - 2 (n + 2)) / (n + 2)².

    Accuracy: 3.6 ULP in float32, 3.0 in float64; 1 eps around its zero.
    """
    one, two, four = cast_like(x, 1.0), cast_like(x, 2.0), cast_like(x, 4.0)
    z, first, second, h, e, below = _mish_parts(x)
    tail = z < cast_like(x, -1.5)
    slope = four * z
    # (e + 2) (n + 2) + 4 x (e + 1), or that less (1 + x) (n + 2)²
    k = fma(
        fma(fma(one + z, e, cast_like(x, 3.0) + slope), e, four + (slope + slope)), e, two + slope
    )
    above = fma(e, below, fma(two, below, slope * (e + one)))
    above = -(e * k) if tail else above
    upper = x >= cast_like(x, 0.0)
    above = fma(slope, e * (e + one), -(below + below)) if upper else above
    below = below * below
    inverse = one / below
    y = above * inverse
    low = fma(-y, below, above) * inverse
    low = low + (one + z) if tail else low
    lower = times_pair(y, low, first, second, h)
    return one + y if upper else lower


@scalar
def mish_second_derivative(x):
    """2 τ' + x τ'' = 4 e (2 (e + 1) (n + 2) + x (2 + 2 e - 3 e² - 2 e³)) / (n + 2)³.

    For x > 0 it is written in t = exp(-x) = 1 / e instead.

    Accuracy: 9.5 ULP in float32, 7.6 in float64; 2 eps around its zeros.
    """
    zero, one, two, three = (
        cast_like(x, 0.0),
        cast_like(x, 1.0),
        cast_like(x, 2.0),
        cast_like(x, 3.0),
    )
    x = least(most(x, _LOWEST), (60.0, 390.0))
    first, second, h = exp_parts(-abs(x), zero)
    t = scale(first, second, h)
    positive = x > zero
    rest = fma(two * t if positive else t, t, two * t)
    inverse = inverse_of_sum(one if positive else two, rest)
    c0, c1 = (-two if positive else two), (-three if positive else two)
    c2, c3 = (two if positive else -three), (two if positive else -two)
    cubic = fma(fma(fma(c3, t, c2), t, c1), t, c0)
    # the rounding of the rest partly cancels here
    above = fma(x, cubic, (two * (t + one)) * ((one if positive else two) + rest))
    y = (cast_like(x, 4.0) * above) * ((inverse * inverse) * inverse)
    y = fma(y, h, y)
    # one power more for x > 0, where it falls as exp(-2x)
    y = fma(y, h if positive else zero, y) * (first if positive else one)
    return ((y * first) * (second if positive else one)) * second


@scalar
def mish_third_derivative(x):
    """3 τ'' + x τ''' = 4 e (3 A + x B) / (n + 2)⁴.

    A = 4 + 8 e - 8 e³ - 7 e⁴ - 2 e⁵, B = 4 - 32 e² - 24 e³ + 5 e⁴ + 4 e⁵. For x > 0 it is
    written in t = exp(-x) = 1 / e instead.
    """
    zero, one, two = cast_like(x, 0.0), cast_like(x, 1.0), cast_like(x, 2.0)
    x = least(most(x, _LOWEST), (60.0, 390.0))
    first, second, h = exp_parts(-abs(x), zero)
    t = scale(first, second, h)
    positive = x > zero
    rest = fma(two * t if positive else t, t, two * t)
    inverse = inverse_of_sum(one if positive else two, rest)
    square = inverse * inverse
    a = polynomial(t, _MISH_3_UPPER if positive else _MISH_3)
    b = polynomial(t, _MISH_3_X_UPPER if positive else _MISH_3_X)
    y = fma(x, b, cast_like(x, 3.0) * a) * (square * square)
    y = fma(y, h, y)
    # one power more for x > 0, where it falls as exp(-2x)
    y = fma(y, h if positive else zero, y) * (first if positive else one)
    return (((cast_like(x, 4.0) * y) * first) * (second if positive else one)) * second


@scalar
def tanh_exp(x):
    """x tanh(E), E = exp(x); x E where tanh(E) rounds to E.

    Accuracy: 3.6 ULP in float32, 3.1 in float64.
    """
    z = most(x, _LOWEST)
    first, second, h = exp_parts(least(z, (3.0, 4.0)), cast_like(x, 0.0))
    small = x < constant(x, (-9.0, -19.0))
    t = vecmath.tanh(scale(first, second, h))
    return times(z, first, second, h) if small else x * t


@scalar
def tanh_exp_derivative(x):
    """tanh(E) + x E sech²(E); in the lower tail E (1 + x) + (tanh(E) - E) - x E tanh²(E).

    Accuracy: 3.3 ULP in float32, 2.7 in float64; 1 eps around its zero.
    """
    z = least(most(x, _LOWEST), (2.7, 3.2))  # above, it rounds to 1
    first, second, h = exp_parts(z, cast_like(x, 0.0))
    e = scale(first, second, h)
    t, s = tanh_and_sech2(e)
    slope = z * e
    tail = times(cast_like(x, 1.0) + z, first, second, h) + fma(-(slope * t), t, t - e)
    return tail if x < cast_like(x, -1.5) else fma(slope, s, t)


@scalar
def tanh_exp_second_derivative(x):
    """E sech²(E) (2 + x (1 - 2 E tanh(E))).

    The upper tail falls as exp(-2E), which needs E as a pair.

    Accuracy: 3 eps; relative to the end of its upper tail 20 ULP in float32, 64 in float64.
    """
    one, two = cast_like(x, 1.0), cast_like(x, 2.0)
    x = least(most(x, _LOWEST), (4.2, 6.1))
    high, low, y, y_low = exp_pair(x)
    e, e_low = (y * high) * low, (y_low * high) * low
    first, second, s = sech2_parts(e, e_low)
    factor = fma(x, fma(-two * e, vecmath.tanh(e), one), two) * s
    # where E is tiny, sech²(E) has no power of two of its own; elsewhere E has none
    tiny = x < constant(x, (-9.0, -19.0))
    factor = (factor * (y if tiny else e)) * (high if tiny else first)
    return factor * (low if tiny else second)


@scalar
def tanh_exp_third_derivative(x):
    """E sech²(E) (3 w + x (w² - 2 E tanh(E) - 2 E² sech²(E))), w = 1 - 2 E tanh(E).

    The upper tail is as that of the second derivative.
    """
    one, two = cast_like(x, 1.0), cast_like(x, 2.0)
    x = least(most(x, _LOWEST), (4.2, 6.1))
    high, low, y, y_low = exp_pair(x)
    e, e_low = (y * high) * low, (y_low * high) * low
    first, second, s = sech2_parts(e, e_low)
    double = (two * e) * vecmath.tanh(e)
    w = one - double
    bracket = fma(w, w, -fma((two * e) * e, (s * first) * second, double))
    factor = fma(x, bracket, cast_like(x, 3.0) * w) * s
    # where E is tiny, sech²(E) has no power of two of its own; elsewhere E has none
    tiny = x < constant(x, (-9.0, -19.0))
    factor = (factor * (y if tiny else e)) * (high if tiny else first)
    return factor * (low if tiny else second)


@scalar
def tanh_shrink(x):
    """x - tanh(x): x³ / polynomial for |x| <= 1, else |x| - 1 + 2 e / (1 + e), e = exp(-2|x|).

    Accuracy: 3.3 ULP in float32, 2.7 in float64.
    """
    zero, one = cast_like(x, 0.0), cast_like(x, 1.0)
    size = abs(x)
    cut = least(size, (20.0, 40.0))
    square = cut * cut
    first, second, h = exp_parts(cast_like(x, -2.0) * cut, zero)
    e = scale(first, second, h)
    small = size <= one
    above = cut * square if small else e + e
    below = polynomial(square, choose(x, TANH_SHRINK)) if small else one + e
    return with_sign((zero if small else size - one) + above / below, x)


@scalar
def tanh_shrink_derivative(x):
    """tanh²(x).

    Accuracy: 2.6 ULP in float32, 2.3 in float64.
    """
    t, _ = tanh_and_sech2(least(abs(x), (15.0, 25.0)))
    return t * t


@scalar
def tanh_shrink_second_derivative(x):
    """2 tanh(x) sech²(x).

    Accuracy: 5.8 ULP in float32, 5.3 in float64.
    """
    first, second, s = sech2_parts(x, cast_like(x, 0.0))
    return (((cast_like(x, 2.0) * vecmath.tanh(x)) * s) * first) * second


@scalar
def tanh_shrink_third_derivative(x):
    """2 (1 - 3 tanh²(x)) sech²(x)."""
    first, second, s = sech2_parts(x, cast_like(x, 0.0))
    t = vecmath.tanh(x)
    return ((fma(cast_like(x, -6.0) * t, t, cast_like(x, 2.0)) * s) * first) * second


@scalar
def log_cosh(x):
    """log(cosh(x)).

    Accuracy: 2.5 ULP in float32, 2.3 in float64.
    """
    return vecmath.log_cosh(x)


@scalar
def log_cosh_derivative(x):
    """tanh(x).

    Accuracy: 1.94 ULP in float32, 1.84 in float64.
    """
    return vecmath.tanh(x)


@scalar
def log_cosh_second_derivative(x):
    """sech²(x).

    Accuracy: 3.9 ULP in float32, 3.5 in float64.
    """
    first, second, s = sech2_parts(x, cast_like(x, 0.0))
    return (s * first) * second


@scalar
def log_cosh_third_derivative(x):
    """-2 tanh(x) sech²(x)."""
    first, second, s = sech2_parts(x, cast_like(x, 0.0))
    return (((cast_like(x, -2.0) * vecmath.tanh(x)) * s) * first) * second
