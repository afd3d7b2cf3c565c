"""Compositions of exp, log and tanh that would cancel, overflow or vanish if computed as written.

Mish: Misra 2019, arXiv 1908.08681. TanhExp: Liu and Di 2020, arXiv 2003.09855.
"""

from .. import vecmath
from ..jit import fma, like, scalar
from ..scaled import (
    choose,
    constant,
    exp_parts,
    least,
    most,
    polynomial,
    sech2_parts,
    tanh_and_sech2,
    with_sign,
)
from ..vecmath_tables import ATANH_BOTH, COSH, LN2, LN2_REST, TANH_SHRINK

_LOWEST = (-110.0, -760.0)  # at and below, x exp(x) is 0


# tanh(softplus(x)) = τ = n / (n + 2), n = e² + 2 e, e = exp(x). Above 12 and 22, mish(x) rounds to
# x and its derivative to 1.
@scalar
def _mish_parts(x):
    """first, second, y, e and 1 / (n + 2), with e = y first second."""
    first, second, y = exp_parts(least(x, (12.0, 22.0)), like(x, 0.0))
    e = (y * first) * second
    return first, second, y, e, like(x, 1.0) / fma(e, e + like(x, 2.0), like(x, 2.0))


@scalar
def mish(x):
    """x tanh(softplus(x)) = x e (e + 2) / (n + 2)."""
    x = most(x, _LOWEST)
    first, second, y, e, inverse = _mish_parts(x)
    return ((x * (y * ((e + like(x, 2.0)) * inverse))) * first) * second


@scalar
def mish_derivative(x):
    """τ + x τ', τ' = 4 e (e + 1) / (n + 2)²."""
    x = most(x, _LOWEST)
    first, second, y, e, inverse = _mish_parts(x)
    x = least(x, (12.0, 22.0))
    slope = (like(x, 4.0) * x) * ((e + like(x, 1.0)) * inverse)
    return (((y * inverse) * (slope + (e + like(x, 2.0)))) * first) * second


@scalar
def mish_second_derivative(x):
    """τ' (2 + x (1 + e / (e + 1) - 4 e (e + 1) / (n + 2))), in powers of t = exp(-|x|)."""
    zero, one, two = like(x, 0.0), like(x, 1.0), like(x, 2.0)
    x = least(most(x, _LOWEST), (60.0, 390.0))
    first, second, y = exp_parts(-abs(x), zero)
    t = (y * first) * second
    positive = x >= zero
    e_to_t = one if positive else t  # e, or e t
    below = fma(two * t, t + one, one) if positive else fma(t, t + two, two)  # n + 2, or that t²
    inverse = one / below
    ratio = (like(x, 4.0) * (one + t)) * inverse
    factor = fma(x, fma(e_to_t, one / (one + t), one) - e_to_t * ratio, two)
    factor = ((y * ratio) * inverse) * factor
    # one power more for x >= 0, where τ' falls as exp(-2x)
    factor = factor * ((y * first) if positive else one)
    factor = (factor * first) * (second if positive else one)
    return factor * second


@scalar
def tanh_exp(x):
    """x tanh(E), E = exp(x); x E where tanh(E) rounds to E."""
    z = most(x, _LOWEST)
    first, second, y = exp_parts(least(z, (3.0, 4.0)), like(x, 0.0))
    small = x < constant(x, (-9.0, -19.0))
    t = vecmath.tanh((y * first) * second)
    return ((z * y) * first) * second if small else x * t


@scalar
def tanh_exp_derivative(x):
    """tanh(E) + x E sech²(E)."""
    z = least(most(x, _LOWEST), (2.7, 3.2))  # above, it rounds to 1
    first, second, y = exp_parts(z, like(x, 0.0))
    e = (y * first) * second
    t, s = tanh_and_sech2(e)
    small = ((y * (like(x, 1.0) + z)) * first) * second
    return small if x < constant(x, (-9.0, -19.0)) else fma(z * e, s, t)


@scalar
def tanh_exp_second_derivative(x):
    """E sech²(E) (2 + x (1 - 2 E tanh(E)))."""
    zero, one, two = like(x, 0.0), like(x, 1.0), like(x, 2.0)
    x = least(most(x, _LOWEST), (4.2, 6.1))
    high, low, y = exp_parts(x, zero)
    e = (y * high) * low
    first, second, s = sech2_parts(e)
    factor = fma(x, fma(-two * e, vecmath.tanh(e), one), two) * s
    # where E is tiny, sech²(E) has no power of two of its own; elsewhere E has none
    tiny = x < constant(x, (-9.0, -19.0))
    factor = (factor * (y if tiny else e)) * (high if tiny else first)
    return factor * (low if tiny else second)


@scalar
def tanh_shrink(x):
    """x - tanh(x): x³ / polynomial for |x| <= 1, else |x| - 1 + 2 e / (1 + e), e = exp(-2|x|)."""
    zero, one = like(x, 0.0), like(x, 1.0)
    size = abs(x)
    cut = least(size, (20.0, 40.0))
    square = cut * cut
    first, second, y = exp_parts(like(x, -2.0) * cut, zero)
    e = (y * first) * second
    small = size <= one
    above = cut * square if small else e + e
    below = polynomial(square, choose(x, TANH_SHRINK)) if small else one + e
    return with_sign((zero if small else size - one) + above / below, x)


@scalar
def tanh_shrink_derivative(x):
    """tanh²(x)."""
    t = vecmath.tanh(x)
    return t * t


@scalar
def tanh_shrink_second_derivative(x):
    """2 tanh(x) sech²(x)."""
    first, second, s = sech2_parts(x)
    return (((like(x, 2.0) * vecmath.tanh(x)) * s) * first) * second


@scalar
def log_cosh(x):
    """log(cosh(x)) = log1p(f), f = cosh(x) - 1, or |x| - log(2) + log1p(f), f = exp(-2|x|).

    log1p(f) = 2 atanh(s), s = f / (2 + f), with f <= sqrt(2) - 1.
    """
    zero, half, one = like(x, 0.0), like(x, 0.5), like(x, 1.0)
    size = abs(x)
    cut = least(size, (20.0, 40.0))
    square = cut * cut
    first, second, y = exp_parts(like(x, -2.0) * cut, zero)
    small = size < like(x, 0.88)
    f = square * polynomial(square, choose(x, COSH)) if small else (y * first) * second
    s = f / fma(f, half, one)  # 2 s, which is f where f is tiny
    square = like(x, 0.25) * (s * s)
    y = fma(s * half, square * polynomial(square, choose(x, ATANH_BOTH)), s)
    shift = size - constant(x, LN2)
    return y if small else shift + (y - constant(x, LN2_REST))


@scalar
def log_cosh_derivative(x):
    """tanh(x)."""
    return vecmath.tanh(x)


@scalar
def log_cosh_second_derivative(x):
    """sech²(x)."""
    first, second, s = sech2_parts(x)
    return (s * first) * second
