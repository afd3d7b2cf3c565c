"""GELU, exact and by tanh: x times a probability, with lower tails that end in subnormal numbers.

Gaussian Error Linear Units, Hendrycks and Gimpel 2016, arXiv 1606.08415. φ and Φ are the density
and the distribution function of the standard normal distribution.
"""

from .. import vecmath
from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, fma
from ..vecmath.scaled_exp import (
    choose,
    constant,
    exp_parts,
    fast_two_sum,
    inverse_of_sum,
    least,
    most,
    polynomial,
    scale,
    square_parts,
    times,
    times_pair,
)
from ..vecmath.tables import MILLS, MILLS_MIDDLE

_DENSITY = (0.3989422917366028, 0.3989422804014327)  # φ(0) = 1 / sqrt(2π), and the rest
_DENSITY_LOW = (-1.133517010025e-08, -2.4923272022777e-17)
_LARGEST = (15.0, 39.0)  # at and beyond, x φ(x) is 0


@scalar
def _mills(y):
    """exp(y²/2) Φ(-y), for y >= 0, as a pair: from 1/2 at 0 to 1 / (sqrt(2π) y).

    p(t) / (y + 5/4), t = (y - m) / (y + m). The numerator changes so little that the errors of t
    and of most terms are small beside it. The low part is what the last sum and the last division
    leave over.
    """
    middle, divisor = constant(y, MILLS_MIDDLE), y + cast_like(y, 1.25)
    t, c = (y - middle) / (y + middle), choose(y, MILLS)
    above, rest = fast_two_sum(cast_like(y, c[0]), t * polynomial(t, c[1:]))
    inverse = cast_like(y, 1.0) / divisor
    high = above * inverse
    return high, (fma(-high, divisor, above) + rest) * inverse


@scalar
def gelu(x):
    """x Φ(x) = max(x, 0) - y Φ(-y), y = |x|.

    Accuracy: 2.8 ULP in float32, 2.4 in float64.
    """
    y = least(abs(x), _LARGEST)
    first, second, h = square_parts(y)
    mills, low = _mills(y)
    part = times_pair(y * mills, y * low, first, second, h)
    # -0 and not 0, so that negative results keep their sign where they vanish
    return (x if x >= cast_like(x, 0.0) else cast_like(x, -0.0)) - part


@scalar
def gelu_derivative(x):
    """Φ(x) + x φ(x): w for x < 0, 1 - w for x >= 0, w = Φ(-y) - y φ(y).

    Accuracy: 3.9 ULP in float32, 2.9 in float64; 1 eps around its zero.
    """
    y = least(abs(x), _LARGEST)
    first, second, h = square_parts(y)
    mills, low = _mills(y)
    low = fma(-constant(x, _DENSITY_LOW), y, low)
    w = times(fma(-constant(x, _DENSITY), y, mills) + low, first, second, h)
    return cast_like(x, 1.0) - w if x >= cast_like(x, 0.0) else w


@scalar
def gelu_second_derivative(x):
    """φ(x) (2 - x²).

    Accuracy: 2.7 ULP in float32, 2.7 in float64.
    """
    y = least(abs(x), _LARGEST)
    first, second, h = square_parts(y)
    return times(constant(x, _DENSITY) * fma(-y, y, cast_like(x, 2.0)), first, second, h)


@scalar
def gelu_third_derivative(x):
    """φ(x) x (x² - 4)."""
    y = least(abs(x), _LARGEST)
    first, second, h = square_parts(y)
    a = constant(x, _DENSITY) * (y * fma(y, y, cast_like(x, -4.0)))
    return times(a if x >= cast_like(x, 0.0) else -a, first, second, h)


# gelu_tanh(x) = x σ(v), v = 2 sqrt(2/π) (x + 0.044715 x³) = x (a + b x²), for the decimal 0.044715.
# a is rounded to few enough bits that a - (a + b x²) is exact; the rest of a and b goes apart.
_A = (1.5957717895507812, 1.595769121605727)
_A_LOW = (-2.6679449547373224e-06, 3.675065195634423e-15)
_B = (0.07135481387376785, 0.07135481627260025)
_B_LOW = (2.3988324659995897e-09, -6.175149918155315e-19)
_LOWEST = (-11.5, -22.0)  # at and below, all is 0
_HIGHEST = (6.0, 8.0)  # at and above, gelu_tanh(x) rounds to x and its derivative to 1


@scalar
def _argument(x):
    """v as a pair, for |x| <= 11.5 and 22, where a + b x² < 64."""
    a, b = constant(x, _A), constant(x, _B)
    square = x * x
    square_low = fma(x, x, -square)
    sum_ = fma(b, square, a)
    low = fma(b, square_low, fma(constant(x, _B_LOW), square, constant(x, _A_LOW)))
    low = fma(b, square, a - sum_) + low
    v = x * sum_
    return v, fma(x, low, fma(x, sum_, -v))


@scalar
def _slope(x):
    """dv/dx = a + 3 b x²."""
    return fma(cast_like(x, 3.0) * constant(x, _B), x * x, constant(x, _A) + constant(x, _A_LOW))


@scalar
def _lost(x, slope):
    """What dv/dx has lost to rounding."""
    return fma(cast_like(x, 3.0) * constant(x, _B), x * x, constant(x, _A) - slope) + constant(
        x, _A_LOW
    )


@scalar
def gelu_tanh(x):
    """x/2 (1 + tanh(sqrt(2/π) (x + 0.044715 x³))) = x σ(v).

    Accuracy: 2.6 ULP in float32, 2.4 in float64.
    """
    z = least(most(x, _LOWEST), _HIGHEST)
    v, low = _argument(z)
    first, second, h = exp_parts(v, low)
    y = times(z / (cast_like(x, 1.0) + scale(first, second, h)), first, second, h)
    return x if x > constant(x, _HIGHEST) else y


@scalar
def gelu_tanh_derivative(x):
    """w for x < 0, 1 - w for x >= 0; w = e (1 + e - y v') / (1 + e)², e = exp(-v), y = |x|.

    In the lower tail e (1 - y v' - …), where only the last term needs a division.

    Accuracy: 3.9 ULP in float32, 3.0 in float64; 1 eps around its zero.
    """
    one, two = cast_like(x, 1.0), cast_like(x, 2.0)
    y = -least(abs(x), (11.5, 22.0))
    v, low = _argument(y)
    first, second, h = exp_parts(v, low)
    e = scale(first, second, h)
    below = one + e
    slope = _slope(y)
    lost = _lost(y, slope)
    product = y * slope
    product_low = fma(y, lost, fma(y, slope, -product))
    tail = y < cast_like(x, -1.0)
    # 1 + e + y v', or that less (1 + y v') (1 + e)²
    above = -(e * fma(product, two + e, below)) if tail else fma(y, slope, below)
    above = above / (below * below)
    above = (one + product) + (above + product_low) if tail else above
    w = times(above, first, second, h)
    return one - w if x >= cast_like(x, 0.0) else w


@scalar
def gelu_tanh_second_derivative(x):
    """e ((2 v' + x v'') (1 + e) - x v'² (1 - e)) / (1 + e)³, e = exp(-v); even, so x can be |x|.

    Accuracy: 7.7 ULP in float32, 5.2 in float64; 2 eps around its zeros.
    """
    one = cast_like(x, 1.0)
    x = least(abs(x), (11.5, 22.0))
    v, low = _argument(x)
    first, second, h = exp_parts(-v, -low)
    e = scale(first, second, h)
    inverse = inverse_of_sum(one, e)
    slope = _slope(x)
    lost = _lost(x, slope)
    gain = fma(cast_like(x, 6.0) * constant(x, _B), x * x, slope + slope)
    product = x * slope
    product_low = fma(x, lost, fma(x, slope, -product))
    above = fma(-product, slope, gain) - fma(product, lost, product_low * slope)
    above = fma(fma(product, slope, gain), e, above)
    return times(above * ((inverse * inverse) * inverse), first, second, h)


@scalar
def gelu_tanh_third_derivative(x):
    """e (4 v'' (1 + e)² - 3 (1 - e²) v' (v' + x v'') + x v'³ (1 - 4 e + e²)) / (1 + e)⁴.

    e = exp(-v), and 1 - e by expm1; odd, so x can be |x|.
    """
    one, three = cast_like(x, 1.0), cast_like(x, 3.0)
    y = least(abs(x), (11.5, 22.0))
    v, low = _argument(y)
    first, second, h = exp_parts(-v, -low)
    e = scale(first, second, h)
    below = one + e
    inverse = inverse_of_sum(one, e)
    square = inverse * inverse
    slope = _slope(y)
    bend = cast_like(x, 6.0) * (constant(x, _B) * y)
    middle = three * ((below * vecmath.expm1(-(v + low))) * (slope * fma(y, bend, slope)))
    last = (y * slope) * ((slope * slope) * fma(e, e - cast_like(x, 4.0), one))
    above = fma(cast_like(x, 4.0) * bend, below * below, middle + last)
    above = above if x >= cast_like(x, 0.0) else -above
    return times((above * square) * square, first, second, h)
