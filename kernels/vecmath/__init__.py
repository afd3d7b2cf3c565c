"""Elementary functions that vectorise."""

from .exponential import exp, exp_pair, expm1, exponent, scaled_expm1, times_exp
from .log_cosh import log_cosh
from .logarithm import log, log1p
from .logistic import (
    exponent_size,
    logistic_parts,
    sech_squared,
    sigmoid,
    sigmoid_of_minus,
    sigmoid_slope,
    softplus,
    softplus_tail,
    tanh,
    times_sigmoid,
    times_sigmoid_slope,
)
from .trigonometric import cos, cos_of_pair, sin, sin_of_pair

__all__ = [
    "ELEMENTARY",
    "cos",
    "cos_of_pair",
    "exp",
    "exp_pair",
    "expm1",
    "exponent",
    "exponent_size",
    "log",
    "log1p",
    "log_cosh",
    "logistic_parts",
    "scaled_expm1",
    "sech_squared",
    "sigmoid",
    "sigmoid_of_minus",
    "sigmoid_slope",
    "sin",
    "sin_of_pair",
    "softplus",
    "softplus_tail",
    "tanh",
    "times_exp",
    "times_sigmoid",
    "times_sigmoid_slope",
]

ELEMENTARY = "cos", "exp", "expm1", "log", "log1p", "sigmoid", "sin", "softplus", "tanh"
"""What has an instruction count and a benchmark of its own."""
