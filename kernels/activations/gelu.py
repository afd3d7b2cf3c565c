"""GELU, exact and by tanh: x times a probability, with lower tails that end in subnormal numbers.

Gaussian Error Linear Units, Hendrycks and Gimpel 2016, arXiv 1606.08415. φ and Φ are the density
and the distribution function of the standard normal distribution.
"""

from ..jit import fma, like, scalar
from ..scaled import choose, constant, exp_parts, least, most, polynomial, square_parts
from ..vecmath_tables import MILLS_ABOVE, MILLS_BELOW

_DENSITY = 0.3989422804014327  # φ(0) = 1 / sqrt(2π)


@scalar
def _mills(y):
    """exp(y²/2) Φ(-y), for y >= 0: between 1/2 and 1 / (sqrt(2π) y)."""
    above = polynomial(y, choose(y, MILLS_ABOVE))
    return above / polynomial(y, choose(y, MILLS_BELOW))


@scalar
def gelu(x):
    """x Φ(x) = max(x, 0) - y Φ(-y), y = |x|."""
    y = least(abs(x), (15.0, 39.0))
    first, second, e = square_parts(y)
    part = ((y * (e * _mills(y))) * first) * second
    # -0 and not 0, so that negative results keep their sign where they vanish
    return (x if x >= like(x, 0.0) else like(x, -0.0)) - part


@scalar
def gelu_derivative(x):
    """Φ(x) + x φ(x): w for x < 0, 1 - w for x >= 0, w = Φ(-y) - y φ(y)."""
    y = least(abs(x), (15.0, 39.0))
    first, second, e = square_parts(y)
    w = ((fma(like(x, -_DENSITY), y, _mills(y)) * e) * first) * second
    return like(x, 1.0) - w if x >= like(x, 0.0) else w


@scalar
def gelu_second_derivative(x):
    """φ(x) (2 - x²)."""
    y = least(abs(x), (15.0, 39.0))
    first, second, e = square_parts(y)
    return (((like(x, _DENSITY) * fma(-y, y, like(x, 2.0))) * e) * first) * second


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
    return fma(like(x, 3.0) * constant(x, _B), x * x, constant(x, _A))


@scalar
def gelu_tanh(x):
    """x/2 (1 + tanh(sqrt(2/π) (x + 0.044715 x³))) = x σ(v)."""
    x = most(x, _LOWEST)
    v, low = _argument(least(x, _HIGHEST))
    first, second, y = exp_parts(v, low)
    inverse = like(x, 1.0) / fma(y * first, second, like(x, 1.0))
    return ((x * (y * inverse)) * first) * second


@scalar
def gelu_tanh_derivative(x):
    """σ(v) + x σ(v) σ(-v) dv/dx."""
    x = least(most(x, _LOWEST), _HIGHEST)
    v, low = _argument(x)
    first, second, y = exp_parts(v, low)
    inverse = like(x, 1.0) / fma(y * first, second, like(x, 1.0))
    factor = fma(x * _slope(x), inverse, like(x, 1.0))
    return (((y * inverse) * factor) * first) * second


@scalar
def gelu_tanh_second_derivative(x):
    """σ' (2 v' + x v'' + x v'² (1 - 2σ)), of σ at v; even, so that x can be |x|."""
    x = least(abs(x), (11.5, 22.0))
    v, low = _argument(x)
    first, second, y = exp_parts(-v, -low)
    e = (y * first) * second
    inverse = like(x, 1.0) / (like(x, 1.0) + e)
    slope = _slope(x)
    gain = fma(like(x, 6.0) * constant(x, _B), x * x, slope + slope)
    factor = gain - (x * slope) * (slope * ((like(x, 1.0) - e) * inverse))
    return ((((y * inverse) * inverse) * factor) * first) * second
