"""Activations that are one elementary function of exp, log or tanh, nearly."""

from .. import vecmath
from ..jit import fma, like, scalar
from ..vecmath import _clamp, _constant

_LARGEST = (3.4028234663852886e38, 1.7976931348623157e308)


@scalar
def exponential(x):
    """exp(x)."""
    return vecmath.exp(x)


@scalar
def exponential_derivative(x):
    """exp(x)."""
    return vecmath.exp(x)


@scalar
def exponential_from_output(y):
    """y."""
    return y


@scalar
def exponential_second_derivative(x):
    """exp(x)."""
    return vecmath.exp(x)


@scalar
def sigmoid(x):
    """1 / (1 + exp(-x))."""
    return vecmath.sigmoid_fast(x)


@scalar
def sigmoid_derivative(x):
    """σ(x) σ(-x)."""
    return vecmath.sigmoid_slope(x)


@scalar
def sigmoid_from_output(y):
    """y (1 - y)."""
    return y * (like(y, 1) - y)


@scalar
def sigmoid_second_derivative(x):
    """-σ(x) σ(-x) tanh(x / 2)."""
    return -vecmath.sigmoid_slope(x) * vecmath.tanh(like(x, 0.5) * x)


@scalar
def log_sigmoid(x):
    """log(σ(x)) = -softplus(-x)."""
    return -vecmath.softplus(-x)


@scalar
def log_sigmoid_derivative(x):
    """σ(-x)."""
    return vecmath.sigmoid(-x)


@scalar
def log_sigmoid_second_derivative(x):
    """-σ(x) σ(-x)."""
    return -vecmath.sigmoid_slope(x)


@scalar
def tanh(x):
    """Hyperbolic tangent."""
    return vecmath.tanh(x)


@scalar
def tanh_derivative(x):
    """1 / cosh²(x) = 4 σ(2 x) σ(-2 x)."""
    return vecmath.sech_squared(like(x, 1), x)


@scalar
def tanh_from_output(y):
    """1 - y²; as a product it rounds once less near y = ±1."""
    return (like(y, 1) - y) * (like(y, 1) + y)


@scalar
def tanh_second_derivative(x):
    """-2 tanh(x) / cosh²(x)."""
    return vecmath.sech_squared(like(x, -2) * vecmath.tanh(x), x)


@scalar
def softplus(x):
    """log(1 + exp(x))."""
    return vecmath.softplus(x)


@scalar
def softplus_derivative(x):
    """σ(x)."""
    return vecmath.sigmoid(x)


@scalar
def softplus_second_derivative(x):
    """σ(x) σ(-x)."""
    return vecmath.sigmoid_slope(x)


@scalar
def _not_above_zero(x):
    """min(x, 0); NaN stays NaN."""
    return like(x, 0) if x > like(x, 0) else x


@scalar
def elu(x, alpha=1.0):
    """x for x >= 0, alpha (exp(x) - 1) below."""
    zero = like(x, 0)
    return (
        x if x >= zero else vecmath.times_expm1(alpha, zero, _not_above_zero(x), zero, like(x, 1))
    )


@scalar
def elu_derivative(x, alpha):
    """1 for x >= 0, alpha exp(x) below."""
    y = vecmath.times_exp(alpha, _not_above_zero(x), like(x, 0))
    return like(x, 1) if x >= like(x, 0) else y


@scalar
def elu_second_derivative(x, alpha):
    """0 for x >= 0, alpha exp(x) below."""
    y = vecmath.times_exp(alpha, _not_above_zero(x), like(x, 0))
    return like(x, 0) if x >= like(x, 0) else y


@scalar
def selu(x, lambda_=1.0507009873554805, alpha=1.6732632423543772):
    """lambda x for x >= 0, lambda alpha (exp(x) - 1) below."""
    scale = lambda_ * alpha
    rest = fma(lambda_, alpha, -scale)
    y = vecmath.times_expm1(scale, rest, _not_above_zero(x), like(x, 0), like(x, 1))
    return lambda_ * x if x >= like(x, 0) else y


@scalar
def selu_derivative(x, lambda_, alpha):
    """lambda for x >= 0, lambda alpha exp(x) below."""
    y = vecmath.times_exp(lambda_ * alpha, _not_above_zero(x), like(x, 0))
    return lambda_ if x >= like(x, 0) else y


@scalar
def selu_second_derivative(x, lambda_, alpha):
    """0 for x >= 0, lambda alpha exp(x) below."""
    y = vecmath.times_exp(lambda_ * alpha, _not_above_zero(x), like(x, 0))
    return like(x, 0) if x >= like(x, 0) else y


@scalar
def _quotient(x, alpha):
    """min(x, 0) / alpha as a pair, bounded to where exp is neither 0 nor infinite.

    By the inverse of alpha, which leaves the loop; the remainder of the division makes the pair.
    """
    x = _not_above_zero(x)
    inverse = like(x, 1) / alpha
    z = vecmath.exponent(x * inverse)
    return z, _clamp(fma(-z, alpha, x) * inverse, like(x, -0.25), like(x, 0.25))


@scalar
def celu(x, alpha=1.0):
    """x for x >= 0, alpha (exp(x / alpha) - 1) below."""
    z, low = _quotient(x, alpha)
    y = vecmath.times_expm1(like(x, 2) * alpha, like(x, 0), z, low, like(x, 0.5))
    # x / alpha of a subnormal x would have lost bits
    return x if x >= _constant(x, (-(2.0**-100), -(2.0**-900))) else y


@scalar
def celu_derivative(x, alpha):
    """1 for x >= 0, exp(x / alpha) below."""
    z, low = _quotient(x, alpha)
    return like(x, 1) if x >= like(x, 0) else vecmath.times_exp(like(x, 1), z, low)


@scalar
def celu_second_derivative(x, alpha):
    """0 for x >= 0, exp(x / alpha) / alpha below."""
    z, low = _quotient(x, alpha)
    return like(x, 0) if x >= like(x, 0) else vecmath.times_exp(like(x, 1) / alpha, z, low)


@scalar
def _beta_times(x, beta):
    """c, z, low: x and β x as a pair, as far as exp(-|β x|) is not 0 beside x.

    The bound is a number of the loop; an infinite x becomes finite, so that β = 0 gives 0.
    """
    most = -_constant(x, vecmath.EXP_FLOOR) / abs(beta)
    most = most if most < _constant(x, _LARGEST) else _constant(x, _LARGEST)
    c = _clamp(x, -most, most)
    z = beta * c
    return c, z, fma(beta, c, -z)


@scalar
def _swish_scale(x, beta):
    """Power of two for `times_sigmoid_fast`; 1 for a tiny β, where x may be huge."""
    return _constant(x, (2.0**64, 2.0**512)) if abs(beta) > like(x, 1e-15) else like(x, 1)


@scalar
def swish(x, beta=1.0):
    """x σ(β x)."""
    c, z, low = _beta_times(x, beta)
    y = vecmath.times_sigmoid_fast(c, _swish_scale(x, beta), z, low)
    return x if (z > _constant(x, vecmath.SIGMOID_IS_ONE)) | (x == like(x, 0)) else y


@scalar
def swish_derivative(x, beta):
    """σ(z) (1 + z σ(-z)), z = β x."""
    _, z, low = _beta_times(x, beta)
    one, scale = like(x, 1), _swish_scale(x, beta)
    a, _, b = vecmath.logistic_parts(z, low)
    inverse = one / (a + b)
    # the scale goes to the inverse: a itself may be near the end of the range
    return (a * (scale * inverse)) * fma(z, b * inverse, one) * (one / scale)


@scalar
def swish_second_derivative(x, beta):
    """β σ(z) σ(-z) (2 - z tanh(z / 2)), z = β x, with tanh(z / 2) = (1 - e) / (1 + e)."""
    _, z, low = _beta_times(x, beta)
    one = like(x, 1)
    z, low = abs(z), -low if z < like(x, 0) else low
    first, second, high, _ = vecmath.exp_pair(-z, -low)
    e = (first * second) * high
    factor = fma(-z, (one - e) / (one + e), like(x, 2))
    return vecmath.times_sigmoid_slope(beta * factor, z, low)
