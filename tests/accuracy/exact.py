"""Activations and their derivatives as textbooks write them, in mpmath.

Nothing here is arranged against cancellation: `value` computes with as many bits as the difference
of a tiny or a huge number from its neighbours takes.
"""

import math

from mpmath import cos, cosh, erfc, exp, log, log1p, mp, mpf, pi, sech, sin, sqrt, tanh

__all__ = ["FORMULAS", "value"]

# exp(x) beyond: all that is done to it has reached its limit, and it could not be stored
FAR = 4000


def value(name, order, x, parameters=()):
    """The activation (order 0) or a derivative of it at a float, as an mpmath number.

    Differences of the kind sqrt(x² + 1) - 1 lose twice the exponent of x.
    """
    formula = FORMULAS[name][order]
    exponent = abs(math.frexp(x)[1]) if x else 0
    with mp.workprec(140 + 2 * exponent):
        return mpf(formula(mpf(x), *map(mpf, parameters)))


def _sigmoid(x):
    x = min(max(x, -FAR), FAR)
    return 1 / (1 + exp(-x))


def _sech2(x):
    return sech(min(abs(x), FAR)) ** 2


def _far_tanh(x):
    return mp.sign(x) if abs(x) > FAR else tanh(x)


def _density(x):
    return exp(-(min(abs(x), FAR) ** 2) / 2) / sqrt(2 * pi)


def _distribution(x):
    return erfc(-min(max(x, -FAR), FAR) / sqrt(2)) / 2


def _zero(x, *parameters):
    return mpf(0)


def _one(x, *parameters):
    return mpf(1)


def _softplus(x):
    return x if x > FAR else log1p(exp(max(x, -FAR)))


def _swish(x, beta):
    return x * _sigmoid(beta * x)


def _swish1(x, beta):
    s = _sigmoid(beta * x)
    return s + beta * x * s * _sigmoid(-beta * x)


def _swish2(x, beta):
    s, rest = _sigmoid(beta * x), _sigmoid(-beta * x)
    return beta * s * rest * (2 + beta * x * (rest - s))


def _swish3(x, beta):
    s, rest = _sigmoid(beta * x), _sigmoid(-beta * x)
    t = rest - s
    return beta**2 * s * rest * (3 * t + beta * x * (t**2 - 2 * s * rest))


def _mish1(x):
    s = _softplus(x)
    return _far_tanh(s) + x * _sigmoid(x) * _sech2(s)


def _mish2(x):
    s, p = _softplus(x), _sigmoid(x)
    return _sech2(s) * (2 * p + x * p * (1 - p) - 2 * x * p**2 * _far_tanh(s))


def _mish3(x):
    s, p = _softplus(x), _sigmoid(x)
    q, square, t = 1 - p, _sech2(s), _far_tanh(s)
    g = _sigmoid(-x) - 2 * t * p
    slope = -p * q - 2 * square * p**2 - 2 * t * p * q
    return square * p * (3 * g + x * (g**2 + slope))


def _tame(x):
    """exp(x), cut off where its tanh is 1 to a millionfold precision."""
    return exp(min(max(x, -FAR), 30))


def _tanh_exp1(x):
    e = _tame(x)
    return _far_tanh(e) + x * e * _sech2(e)


def _tanh_exp2(x):
    e = _tame(x)
    return e * _sech2(e) * (2 + x - 2 * x * e * _far_tanh(e))


def _tanh_exp3(x):
    e = _tame(x)
    double, square = 2 * e * _far_tanh(e), _sech2(e)
    w = 1 - double
    return e * square * (3 * w + x * (w**2 - double - 2 * e**2 * square))


def _gelu_tanh(x):
    """u = sqrt(2/π) (x + 0.044715 x³) and its derivatives."""
    c = mpf(44715) / 10**6
    root = sqrt(2 / pi)
    return root * (x + c * x**3), root * (1 + 3 * c * x**2), root * 6 * c * x


def _gelu_tanh0(x):
    return x * _sigmoid(2 * _gelu_tanh(x)[0])


def _gelu_tanh1(x):
    u, du, _ = _gelu_tanh(x)
    return _sigmoid(2 * u) + x * _sech2(u) * du / 2


def _gelu_tanh2(x):
    u, du, ddu = _gelu_tanh(x)
    return _sech2(u) * (du + x * ddu / 2 - x * _far_tanh(u) * du**2)


def _gelu_tanh3(x):
    u, du, ddu = _gelu_tanh(x)
    t, square = _far_tanh(u), _sech2(u)
    third = ddu / x if x else mpf(0)
    two = square * (ddu / 2 - t * du**2)
    three = square * (third / 2 - 3 * t * du * ddu + du**3 * (2 * t**2 - square))
    return 3 * two + x * three


def _log_cosh(x):
    return abs(x) - log(2) if abs(x) > FAR else log(cosh(x))


def _inside(x, half):
    """The number for |x| < 1, half of it at -1 and 1, 0 beyond."""
    return half * (mpf(abs(x) < 1) + mpf(abs(x) <= 1)) / 2


def _hard_sigmoid1(x, slope, offset):
    return slope if 0 <= slope * x + offset <= 1 else mpf(0)


# name: forward, derivative, second and third derivative
FORMULAS = {
    "step": (lambda x: mpf(x > 0), _zero, _zero, _zero),
    "identity": (lambda x: x, _one, _zero, _zero),
    "bent_identity": (
        lambda x: (sqrt(x**2 + 1) - 1) / 2 + x,
        lambda x: x / (2 * sqrt(x**2 + 1)) + 1,
        lambda x: 1 / (2 * sqrt(x**2 + 1) ** 3),
        lambda x: -3 * x / (2 * sqrt(x**2 + 1) ** 5),
    ),
    "hard_shrink": (
        lambda x, lambda_: x * (abs(x) > lambda_),
        lambda x, lambda_: mpf(abs(x) > lambda_),
        _zero,
        _zero,
    ),
    "soft_shrink": (
        lambda x, lambda_: mp.sign(x) * max(abs(x) - lambda_, 0),
        lambda x, lambda_: mpf(abs(x) > lambda_),
        _zero,
        _zero,
    ),
    "threshold": (
        lambda x, threshold, value: x if x > threshold else value,
        lambda x, threshold, value: mpf(x > threshold),
        _zero,
        _zero,
    ),
    "sigmoid": (
        _sigmoid,
        lambda x: _sigmoid(x) * _sigmoid(-x),
        lambda x: _sigmoid(x) * _sigmoid(-x) * (_sigmoid(-x) - _sigmoid(x)),
        lambda x: _sigmoid(x) * _sigmoid(-x) * (1 - 6 * _sigmoid(x) * _sigmoid(-x)),
    ),
    "hard_sigmoid": (
        lambda x, slope, offset: min(max(slope * x + offset, 0), 1),
        _hard_sigmoid1,
        _zero,
        _zero,
    ),
    "log_sigmoid": (
        lambda x: -_softplus(-x),
        lambda x: _sigmoid(-x),
        lambda x: -_sigmoid(x) * _sigmoid(-x),
        lambda x: _sigmoid(x) * _sigmoid(-x) * (_sigmoid(x) - _sigmoid(-x)),
    ),
    "tanh": (
        _far_tanh,
        _sech2,
        lambda x: -2 * _far_tanh(x) * _sech2(x),
        lambda x: (6 * _far_tanh(x) ** 2 - 2) * _sech2(x),
    ),
    "tanh_shrink": (
        lambda x: x - _far_tanh(x),
        lambda x: _far_tanh(x) ** 2,
        lambda x: 2 * _far_tanh(x) * _sech2(x),
        lambda x: (2 - 6 * _far_tanh(x) ** 2) * _sech2(x),
    ),
    "hard_tanh": (
        lambda x, low, high: min(max(x, low), high),
        lambda x, low, high: mpf(low <= x <= high),
        _zero,
        _zero,
    ),
    "relu": (lambda x: max(x, 0), lambda x: mpf(x > 0), _zero, _zero),
    "relu6": (lambda x: min(max(x, 0), 6), lambda x: mpf(0 < x < 6), _zero, _zero),
    "leaky_relu": (
        lambda x, alpha: alpha * x if x < 0 else x,
        lambda x, alpha: alpha if x < 0 else mpf(1),
        _zero,
        _zero,
    ),
    "elu": (
        lambda x, alpha: alpha * (exp(max(x, -FAR)) - 1) if x < 0 else x,
        lambda x, alpha: alpha * exp(max(x, -FAR)) if x < 0 else mpf(1),
        *(lambda x, alpha: alpha * exp(max(x, -FAR)) if x < 0 else mpf(0),) * 2,
    ),
    "selu": (
        lambda x, scale, alpha: scale * (alpha * (exp(max(x, -FAR)) - 1) if x < 0 else x),
        lambda x, scale, alpha: scale * (alpha * exp(max(x, -FAR)) if x < 0 else 1),
        *(lambda x, scale, alpha: scale * alpha * exp(max(x, -FAR)) if x < 0 else mpf(0),) * 2,
    ),
    "celu": (
        lambda x, alpha: alpha * (exp(max(x / alpha, -FAR)) - 1) if x < 0 else x,
        lambda x, alpha: exp(max(x / alpha, -FAR)) if x < 0 else mpf(1),
        lambda x, alpha: exp(max(x / alpha, -FAR)) / alpha if x < 0 else mpf(0),
        lambda x, alpha: exp(max(x / alpha, -FAR)) / alpha**2 if x < 0 else mpf(0),
    ),
    "softplus": (
        _softplus,
        _sigmoid,
        lambda x: _sigmoid(x) * _sigmoid(-x),
        lambda x: _sigmoid(x) * _sigmoid(-x) * (_sigmoid(-x) - _sigmoid(x)),
    ),
    "softsign": (
        lambda x: x / (1 + abs(x)),
        lambda x: 1 / (1 + abs(x)) ** 2,
        lambda x: -2 * mp.sign(x) / (1 + abs(x)) ** 3,
        lambda x: 6 / (1 + abs(x)) ** 4,
    ),
    "swish": (_swish, _swish1, _swish2, _swish3),
    "mish": (lambda x: x * _far_tanh(_softplus(x)), _mish1, _mish2, _mish3),
    "tanh_exp": (lambda x: x * _far_tanh(_tame(x)), _tanh_exp1, _tanh_exp2, _tanh_exp3),
    "gelu": (
        lambda x: x * _distribution(x),
        lambda x: _distribution(x) + x * _density(x),
        lambda x: _density(x) * (2 - x**2),
        lambda x: _density(x) * (min(abs(x), FAR) ** 2 - 4) * x,
    ),
    "gelu_tanh": (_gelu_tanh0, _gelu_tanh1, _gelu_tanh2, _gelu_tanh3),
    "hard_swish": (
        lambda x: x * min(max(x + 3, 0), 6) / 6,
        lambda x: mpf(0) if x <= -3 else mpf(1) if x >= 3 else (2 * x + 3) / 6,
        lambda x: mpf(abs(x) < 3) / 3,
        _zero,
    ),
    "squareplus": (
        lambda x, b: (x + sqrt(x**2 + b)) / 2,
        lambda x, b: (1 + x / sqrt(x**2 + b)) / 2,
        lambda x, b: b / (2 * sqrt(x**2 + b) ** 3),
        lambda x, b: -3 * b * x / (2 * sqrt(x**2 + b) ** 5),
    ),
    "log_cosh": (_log_cosh, _far_tanh, _sech2, lambda x: -2 * _far_tanh(x) * _sech2(x)),
    "exponential": ((lambda x: exp(min(max(x, -FAR), FAR)),) * 4),
    "sparse_plus": (
        lambda x: mpf(0) if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
        lambda x: min(max((x + 1) / 2, 0), 1),
        lambda x: _inside(x, mpf(1) / 2),
        _zero,
    ),
    "sin": (
        lambda x, omega: sin(omega * x),
        lambda x, omega: omega * cos(omega * x),
        lambda x, omega: -(omega**2) * sin(omega * x),
        lambda x, omega: -(omega**3) * cos(omega * x),
    ),
    "sparse_sigmoid": (
        lambda x: min(max((x + 1) / 2, 0), 1),
        lambda x: _inside(x, mpf(1) / 2),
        _zero,
        _zero,
    ),
}
FORMULAS["prelu"] = FORMULAS["leaky_relu"]
