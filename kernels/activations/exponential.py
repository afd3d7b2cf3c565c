"""Activations that are one elementary function of exp, log or tanh, nearly."""

from .. import vecmath
from ..jit import bits_of, fma, from_bits, like, scalar
from ..scaled import exp_parts, least, most, scale, times
from ..vecmath import _clamp, _constant


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
    y = vecmath.scaled_expm1(_not_above_zero(x), like(x, 0), like(x, 1))
    return x if x >= like(x, 0) else alpha * y


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
    high = lambda_ * alpha
    low = fma(lambda_, alpha, -high)
    y = vecmath.scaled_expm1(_not_above_zero(x), like(x, 0), like(x, 1))
    return lambda_ * x if x >= like(x, 0) else fma(high, y, low * y)


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
    y = (like(x, 2) * alpha) * vecmath.scaled_expm1(z, low, like(x, 0.5))
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
def swish(x, beta=1.0):
    """x σ(z) = x b / (b + a), z = β x, a / b = exp(-z), with b a power of two.

    So x b is exact, and a subnormal result is rounded once; b is about the size of 1 / a, so that
    neither overflows.

    Accuracy: 1.8 ULP.
    """
    z = beta * x
    k, head, rest = vecmath._reduce(-z)
    rest = rest + fma(beta, x, -z)
    tail = head + vecmath._exp_tail(head - rest, -rest)
    half, one = like(k, k >> 1), bits_of(like(x, 1.0))
    first = from_bits(like(k, vecmath._to_exponent(half, x) + one))
    b = from_bits(like(k, one - vecmath._to_exponent(like(k, k - half), x)))
    sum_ = first + b
    y = (x * b) / (sum_ + fma(first, tail, b - (sum_ - first)))
    y = x if z > _constant(x, (19.0, 39.0)) else y
    return like(x, 0) if z < _constant(x, (-130.0, -1000.0)) else y


@scalar
def swish_derivative(x, beta):
    """σ(z) + z σ(z) σ(-z) = e (1 + e + z) / (1 + e)², z = β x, e = exp(z).

    In the lower tail e (1 + z - …), where only the last term needs a division.
    """
    one, two = like(x, 1.0), like(x, 2.0)
    z = beta * x
    low = fma(beta, x, -z)
    inside = abs(z) < _constant(x, (150.0, 1000.0))
    z = least(most(z, (-150.0, -1000.0)), (19.0, 40.0))
    first, second, h = exp_parts(z, low if inside else like(x, 0.0))
    e = scale(first, second, h)
    below = one + e
    tail = z < like(x, -1.5)
    above = -(e * fma(z, two + e, below)) if tail else z + below
    return times((one + z if tail else like(x, 0.0)) + above / (below * below), first, second, h)


@scalar
def swish_second_derivative(x, beta):
    """β σ(z) σ(-z) (2 - z tanh(z / 2)), z = β x, with tanh(z / 2) = (1 - e) / (1 + e)."""
    one = like(x, 1.0)
    z = beta * x
    low = fma(beta, x, -z)
    low = -low if z < like(x, 0.0) else low
    size = abs(z)
    low = low if size < _constant(x, (170.0, 1400.0)) else like(x, 0.0)
    size = least(size, (170.0, 1400.0))
    first, second, h = exp_parts(-size, -low)
    e = scale(first, second, h)
    below = one + e
    above = fma(like(x, 2.0), below, size * (e - one))
    return times((beta * above) / (below * below * below), first, second, h)
