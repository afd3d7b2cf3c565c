"""A sum of squares that is minimized: what belongs to it, and its gradient and cost.

    S(θ) = β/2 Σ r² + 1/2 Σ ρ θ²

r are the residuals of all samples, weighted, and ρ the decay of each parameter that is trained.
"""

from typing import NamedTuple

import numpy as np

from ..codegen.declare import scalar
from ..codegen.intrinsics import pointer
from ..engine import layout
from ..engine.model import n_in, n_out, view
from .jacobian_tile import trained_parameters, work_elements
from .normal_equations import LAPACK_PLACES
from .record import RECORDS


class Search(NamedTuple):
    """Samples whose squares are summed, and where the minimization stands.

    The model's parameters are the point that was tried last.
    """

    X: np.ndarray  # float64 (rows, n_in)
    T: np.ndarray  # float64 (rows, n_out)
    weights: np.ndarray  # float64 (rows,) or empty
    vectors: np.ndarray  # float64 (VECTORS, parameters), see their names
    matrix: np.ndarray  # float64 (parameters + 1, the same), see `normal_equations`
    numbers: np.ndarray  # float64, see their names
    control: np.ndarray  # int64, see the names of its places
    work: np.ndarray  # float64, see `sizes`


POINT, STEP, GRADIENT, DIAGONAL, RIDGE, VECTORS = range(6)

(
    MU,
    INCREASE,
    DECREASE,
    MOST_MU,
    TOLERANCE,  # of the gradient's length
    GOAL,  # cost that is low enough
    COST_SCALE,  # cost = COST_SCALE Σ r² / 2, and the decay where it is no estimate
    ALPHA,
    BETA,  # 0: neither is known yet
    GAMMA,
    COUNT,  # of residuals, by weight
    LEAST_SQUARES,  # Σ r² that counts as such a one at least where the noise is estimated
    SQUARES,  # Σ r² at the point
    OBJECTIVE,  # S
    COST,
    SLOPE,  # length of the gradient of S
    SCALE,  # of every weight: r = √(SCALE w) (y − t)
    FIRST_BETA,  # before the first estimate, where α is 1
    SETTLED,  # whether estimates have begun
    BEFORE,  # S at the iteration before
    NUMBERS,
) = range(21)

# Places of `Search.control`. Addresses are from RESIDUALS on; what LAPACK is given, from LAPACK on.
(
    STOP,
    STATUS,  # see below
    DONE,
    GATHERED,  # whether the only tile has its samples, targets and weights
    BAYESIAN,
    TILE,  # samples of a tile
    LANES,
    RESIDUALS,
    JACOBIAN,
    POTRF,
    POTRI,
    SYSTEM,
    LAPACK,
) = range(13)
CONTROLS = LAPACK + LAPACK_PLACES

GOES_ON, SMALL_GRADIENT, LARGE_MU, AT_GOAL, NOT_FINITE, STOPPED = range(6)  # STATUS

LEAST_MU = 1e-20


class Problem(NamedTuple):
    """`Search` inside the kernel: pointers and sizes."""

    X: object
    T: object
    weights: object
    weighted: bool
    scale: float
    n_rows: int
    tile: int
    n_lanes: int
    size: int
    vectors: object
    matrix: object
    numbers: object
    control: object
    work: object


@scalar
def opened(search):
    """What the kernel reads and writes."""
    X, T, weights, vectors, matrix, numbers, control, work = search
    return Problem(
        pointer(X, 0), pointer(T, 0), pointer(weights, 0), weights.size > 0, numbers[SCALE],
        X.shape[0], control[TILE], control[LANES], vectors.shape[1], pointer(vectors, 0),
        pointer(matrix, 0), pointer(numbers, 0), pointer(control, 0), pointer(work, 0),
    )  # fmt: skip


@scalar
def vector(problem, index):
    """One of the vectors."""
    return pointer(problem.vectors, index * problem.size)


@scalar
def check(descriptor, theta, search, record, iterations):
    """Refuse what does not fit: nothing else stands between wrong sizes and others' memory."""
    X, T, weights, vectors, matrix, numbers, control, work = search
    net = view(pointer(descriptor, 0), pointer(theta, 0))
    n_rows, size = X.shape[0], trained_parameters(net)
    if X.shape[1] != n_in(net) or T.shape != (n_rows, n_out(net)):
        raise ValueError("samples or targets do not fit the network")
    if descriptor[layout.TARGETS] != n_out(net) or theta.size != net.size:
        raise ValueError("one target for each output, and all parameters, are expected")
    if weights.size not in (0, n_rows) or n_rows < 1:
        raise ValueError("as many weights as samples are expected, and samples")
    if vectors.shape != (VECTORS, size) or matrix.shape != (size + 1, size + 1):
        raise ValueError("vectors and a matrix of the trained parameters are expected")
    if numbers.size != NUMBERS or control.size != CONTROLS:
        raise ValueError("numbers and control of another size are expected")
    if work.size < work_elements(net, control[LANES]) or not 0 < control[TILE] <= control[LANES]:
        raise ValueError("the memory of a minimization is too small for its tiles")
    if record.shape[0] != RECORDS or not 0 <= iterations < record.shape[1]:
        raise ValueError("room for the numbers of every iteration is expected")


@scalar
def set_gradient(problem):
    """∇S, its length, S and the cost at POINT."""
    numbers, size = problem.numbers, problem.size
    point, ridge, gradient = (
        vector(problem, POINT),
        vector(problem, RIDGE),
        vector(problem, GRADIENT),
    )
    products = pointer(problem.matrix, size * (size + 1))
    length = 0.0
    for i in range(size):
        gradient[i] = numbers[BETA] * products[i] + ridge[i] * point[i]
        length += gradient[i] * gradient[i]
    numbers[SLOPE] = np.sqrt(length)
    set_cost(problem, penalty(point, ridge, size), numbers[SQUARES])


@scalar
def set_cost(problem, decay, squares):
    """S and the cost at POINT, where Σ ρ θ² is `decay`."""
    numbers = problem.numbers
    numbers[SQUARES] = squares
    numbers[OBJECTIVE] = 0.5 * (numbers[BETA] * squares + decay)
    decay = 0.0 if problem.control[BAYESIAN] else decay
    numbers[COST] = 0.5 * (numbers[COST_SCALE] * squares + decay)


@scalar
def penalty(point, ridge, size):
    """Σ ρ θ²."""
    total = 0.0
    for i in range(size):
        total += ridge[i] * point[i] * point[i]
    return total
