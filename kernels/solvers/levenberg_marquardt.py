"""Levenberg-Marquardt: a whole minimization of a sum of squares in one compiled call.

    S(θ) = β/2 Σ r² + 1/2 Σ ρ θ²,    (β JᵀJ + diag(ρ) + μ) d = −∇S

r are the residuals of all samples, weighted, J their derivatives by the parameters that are
trained, ρ the decay of each. A step that lowers S is taken, and μ shrinks; else μ grows and d is
found anew (Marquardt 1963; Hagan and Menhaj 1994). β is 1, and ρ the layers' own l2, unless noise
and decay are estimated: then α = ρ and β come from the evidence, see `estimate`.

J is never whole: JᵀJ is summed over tiles of samples, see `jacobian_tile`.
"""

from typing import NamedTuple

import numpy as np

from ..codegen.barrier import now
from ..codegen.declare import kernel, scalar
from ..codegen.intrinsics import pointer, wide
from ..engine import layout
from ..engine.model import layer_of, n_in, n_out, view
from .jacobian_tile import (
    call_jacobian,
    call_residuals,
    parameters_of,
    parts,
    tile_shape,
    trained_parameters,
    work_elements,
)
from .normal_equations import LAPACK_PLACES, add_products, factor, inverse_trace, solve


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

_SETTLES = 0.99  # of S, that an iteration leaves at least where estimates begin


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
def check(descriptor, theta, search, costs, times, last):
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
    if costs.size <= last or times.size < last:
        raise ValueError("room for the cost and the time of every iteration is expected")


@kernel
def sizes(model, n_rows):
    """Samples and lanes of a full tile, trained parameters, and elements of the workspace."""
    net = view(pointer(model.descriptor, 0), pointer(model.theta, 0))
    tile, n_lanes = tile_shape(net, n_rows)
    return tile, n_lanes, trained_parameters(net), work_elements(net, n_lanes)


@kernel
def minimize(
    descriptor, theta, X, T, weights, vectors, matrix, numbers, control, work, costs, times, first,
    last,
):  # fmt: skip
    """Take the iterations ``first … last - 1``, in this one call, from POINT on.

    descriptor, theta: of the model; then what a `Search` has (one by one, which takes Python half
    of the time).
    costs: (at least last + 1,) takes the cost before each iteration and after the last; times:
    int64, the clock after each. ``control[DONE]`` counts the iterations of all calls, and
    ``control[STATUS]`` tells why there are no more. The call looks at ``control[STOP]`` at every
    tile. POINT is always the best point, of finite cost.
    """
    wide()
    search = Search(X, T, weights, vectors, matrix, numbers, control, work)
    check(descriptor, theta, search, costs, times, last)
    problem = opened(search)
    net = view(pointer(descriptor, 0), problem.work)
    control[GATHERED] = 0
    ahead, whole = False, problem.tile >= problem.n_rows
    for k in range(first, last):
        if not ahead:
            move(net, problem, 0.0)
        evaluate(net, problem, ahead)
        if control[STATUS] != GOES_ON:
            return
        costs[k] = numbers[COST]
        if numbers[COST] <= numbers[GOAL]:
            control[STATUS] = AT_GOAL
        elif numbers[SLOPE] <= numbers[TOLERANCE]:
            control[STATUS] = SMALL_GRADIENT
        elif not descend(net, problem):
            control[STATUS] = STOPPED if control[STOP] else LARGE_MU
        if control[STATUS] != GOES_ON:
            return
        control[DONE] += 1
        costs[k + 1], times[k] = numbers[COST], now(control[SYSTEM])
        if numbers[COST] <= numbers[GOAL]:
            control[STATUS] = AT_GOAL
            return
        ahead = whole


@scalar
def vector(problem, index):
    """One of the vectors."""
    return pointer(problem.vectors, index * problem.size)


@scalar
def move(net, problem, length):
    """Set the model's parameters to POINT + length · STEP."""
    point, step = vector(problem, POINT), vector(problem, STEP)
    place = 0
    for q in range(net.depth):
        layer = layer_of(net, q)
        theta = pointer(net.theta, layer[layout.WEIGHTS])
        for i in range(parameters_of(layer)):
            theta[i] = (
                point[place + i] if length == 0.0 else point[place + i] + length * step[place + i]
            )
        place += parameters_of(layer)


@scalar
def evaluate(net, problem, ahead):
    """JᵀJ, gradient and cost at POINT, where the model is.

    ahead: the only tile is as `squares_at` left it there. STATUS tells of a stop, and of what
    is not finite.
    """
    matrix, numbers, control = problem.matrix, problem.numbers, problem.control
    size, _outputs = problem.size, n_out(net)
    total = numbers[SQUARES] if ahead else 0.0
    for first in range(0, problem.n_rows, problem.tile):
        if control[STOP]:
            control[STATUS] = STOPPED
            return
        if not ahead:
            n_samples = min(problem.tile, problem.n_rows - first)
            total += tile_squares(net, problem, first, n_samples)
        add_tile(net, problem, first > 0)
    diagonal = vector(problem, DIAGONAL)
    for i in range(size):
        diagonal[i] = matrix[i * (size + 1) + i]
    numbers[SQUARES] = total
    if control[BAYESIAN] and numbers[BETA] == 0.0:
        set_noise(problem, 1.0, numbers[FIRST_BETA])
    set_gradient(problem)
    if control[BAYESIAN] and settled(numbers):
        estimate(problem)
        set_gradient(problem)
    if not np.isfinite(numbers[SLOPE] + numbers[COST]):
        control[STATUS] = NOT_FINITE


@scalar
def tile_squares(net, problem, first, n_samples):
    """Σ r² of a tile, whose residuals stay in the workspace."""
    control = problem.control
    total = call_residuals(
        control[RESIDUALS], net.descriptor, problem.X, problem.T, problem.weights,
        problem.weighted, problem.scale, problem.work, problem.n_lanes, first, n_samples,
        control[GATHERED] == 0,
    )  # fmt: skip
    control[GATHERED] = n_samples == problem.n_rows
    return total


@scalar
def add_tile(net, problem, adds):
    """Add the products of a tile's JᵀJ and Jᵀr, output by output."""
    n_lanes, work, n_rows = problem.n_lanes, problem.work, problem.size + 1
    _, _, _, _, residuals, rows, _ = parts(net, work, n_lanes)
    last = pointer(rows, problem.size * n_lanes)
    for k in range(n_out(net)):
        call_jacobian(problem.control[JACOBIAN], net.descriptor, work, n_lanes, k)
        for r in range(n_lanes):
            last[r] = residuals[k * n_lanes + r]
        add_products(net, rows, n_rows, n_lanes, problem.matrix, adds or k > 0)


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


@scalar
def descend(net, problem):
    """Try smaller and smaller steps until one lowers S; whether one did, which is taken then."""
    numbers, size = problem.numbers, problem.size
    point, step = vector(problem, POINT), vector(problem, STEP)
    gradient, ridge = vector(problem, GRADIENT), vector(problem, RIDGE)
    while numbers[MU] <= numbers[MOST_MU] and not problem.control[STOP]:
        if factor(
            problem.matrix, vector(problem, DIAGONAL), ridge, numbers[MU], numbers[BETA], size,
            pointer(problem.control, LAPACK), problem.control[POTRF],
        ):  # fmt: skip
            for i in range(size):
                step[i] = -gradient[i]
            solve(problem.matrix, step, size)
            move(net, problem, 1.0)
            squares = squares_at(net, problem)
            decay = 0.0
            for i in range(size):
                decay += ridge[i] * (point[i] + step[i]) * (point[i] + step[i])
            if 0.5 * (numbers[BETA] * squares + decay) < numbers[OBJECTIVE]:
                for i in range(size):
                    point[i] += step[i]
                set_cost(problem, decay, squares)
                numbers[MU] = max(numbers[MU] * numbers[DECREASE], LEAST_MU)
                return True
        numbers[MU] *= numbers[INCREASE]
    return False


@scalar
def squares_at(net, problem):
    """Σ r² where the model is; infinite if the call is to stop, so that nothing is taken."""
    total = 0.0
    for first in range(0, problem.n_rows, problem.tile):
        if problem.control[STOP]:
            return np.inf
        n_samples = min(problem.tile, problem.n_rows - first)
        total += tile_squares(net, problem, first, n_samples)
    return total


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
