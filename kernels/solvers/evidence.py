"""Noise and decay of a sum of squares, estimated while it is minimized."""

import numpy as np

from ..codegen.declare import scalar
from ..codegen.intrinsics import pointer
from .least_squares import (
    ALPHA,
    BEFORE,
    BETA,
    COUNT,
    DIAGONAL,
    GAMMA,
    LAPACK,
    LEAST_MU,
    LEAST_SQUARES,
    OBJECTIVE,
    POINT,
    POTRF,
    POTRI,
    RIDGE,
    SETTLED,
    SLOPE,
    SQUARES,
    TOLERANCE,
    vector,
)  # fmt: skip
from .normal_equations import factor, inverse_trace

_SETTLES = 0.99  # of S, that an iteration leaves at least where estimates begin


@scalar
def settled(numbers):
    """Whether estimates have begun: once S falls slowly.

    Far from a fit they would take everything for noise, and all parameters to zero.
    """
    if numbers[OBJECTIVE] >= _SETTLES * numbers[BEFORE] or numbers[SLOPE] <= numbers[TOLERANCE]:
        numbers[SETTLED] = 1.0
    numbers[BEFORE] = numbers[OBJECTIVE]
    return numbers[SETTLED] != 0.0


@scalar
def set_noise(problem, alpha, beta):
    """Take these estimates."""
    problem.numbers[ALPHA], problem.numbers[BETA] = alpha, beta
    ridge = vector(problem, RIDGE)
    for i in range(problem.size):
        ridge[i] = alpha


@scalar
def estimate(problem):
    """Noise and decay by MacKay's evidence, from JᵀJ at POINT and the α and β before.

        γ = P − α tr (β JᵀJ + α)⁻¹,    α = γ / Σ θ²,    β = (N − γ) / Σ r²

    γ is how many parameters the data determine. MacKay, "Bayesian interpolation", 1992; Bishop,
    PRML, 2006, eqs. 3.91-3.95; Foresee and Hagan, 1997.
    """
    numbers, size = problem.numbers, problem.size
    point, lapack = vector(problem, POINT), pointer(problem.control, LAPACK)
    if factor(
        problem.matrix, vector(problem, DIAGONAL), vector(problem, RIDGE), 0.0, numbers[BETA], size,
        lapack, problem.control[POTRF],
    ):  # fmt: skip
        trace = inverse_trace(problem.matrix, size, lapack, problem.control[POTRI])
        gamma = size - numbers[ALPHA] * trace
        if np.isfinite(gamma):
            numbers[GAMMA] = min(max(gamma, 0.0), float(size))
    gamma, lengths = numbers[GAMMA], 0.0
    for i in range(size):
        lengths += point[i] * point[i]
    left = max(numbers[COUNT] - gamma, 1e-3 * numbers[COUNT])
    beta = left / max(numbers[SQUARES], numbers[LEAST_SQUARES])
    set_noise(problem, max(gamma, LEAST_MU) / max(lengths, LEAST_MU), beta)
