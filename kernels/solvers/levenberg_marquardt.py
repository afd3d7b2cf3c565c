"""Levenberg-Marquardt: a whole minimization of a sum of squares in one compiled call.

    S(θ) = β/2 Σ r² + 1/2 Σ ρ θ²,    (β JᵀJ + diag(ρ) + μ) d = −∇S

r are the residuals of all samples, weighted, J their derivatives by the parameters that are
trained, ρ the decay of each. A step that lowers S is taken, and μ shrinks; else μ grows and d is
found anew (Marquardt 1963; Hagan and Menhaj 1994). β is 1, and ρ the layers' own l2, unless noise
and decay are estimated: then α = ρ and β come from the evidence, see `estimate`.

J is never whole: JᵀJ is summed over tiles of samples, see `jacobian_tile`.
"""

import numpy as np

from ..codegen.barrier import now
from ..codegen.declare import kernel, scalar
from ..codegen.intrinsics import pointer, wide
from ..engine import layout
from ..engine.model import layer_of, n_out, view
from .evidence import estimate, set_noise, settled
from .jacobian_tile import (
    call_jacobian,
    call_residuals,
    parameters_of,
    parts,
    tile_shape,
    trained_parameters,
    work_elements,
)
from .least_squares import (
    AT_GOAL,
    BAYESIAN,
    BETA,
    COST,
    DECREASE,
    DIAGONAL,
    DONE,
    FIRST_BETA,
    GATHERED,
    GOAL,
    GOES_ON,
    GRADIENT,
    INCREASE,
    JACOBIAN,
    LAPACK,
    LARGE_MU,
    LEAST_MU,
    MOST_MU,
    MU,
    NOT_FINITE,
    OBJECTIVE,
    POINT,
    POTRF,
    RESIDUALS,
    RIDGE,
    SLOPE,
    SMALL_GRADIENT,
    SQUARES,
    STATUS,
    STEP,
    STOP,
    STOPPED,
    SYSTEM,
    TOLERANCE,
    Search,
    check,
    opened,
    set_cost,
    set_gradient,
    vector,
)  # fmt: skip
from .normal_equations import add_products, factor, solve
from .record import COSTS, SECONDS, STEPS


@kernel
def sizes(model, n_rows):
    """Samples and lanes of a full tile, trained parameters, and elements of the workspace."""
    net = view(pointer(model.descriptor, 0), pointer(model.theta, 0))
    tile, n_lanes = tile_shape(net, n_rows)
    return tile, n_lanes, trained_parameters(net), work_elements(net, n_lanes)


@kernel
def minimize(
    descriptor, theta, X, T, weights, vectors, matrix, numbers, control, work, record, iterations
):
    """Take so many iterations, in this one call, from POINT on.

    descriptor, theta: of the model; then what a `Search` has (one by one, which takes Python half
    of the time).
    record: see `record`. ``control[DONE]`` is how many iterations there were, and
    ``control[STATUS]`` tells why there are no more. The call looks at ``control[STOP]`` at every
    tile. POINT is always the best point, of finite cost.
    """
    wide()
    search = Search(X, T, weights, vectors, matrix, numbers, control, work)
    check(descriptor, theta, search, record, iterations)
    problem = opened(search)
    net = view(pointer(descriptor, 0), problem.work)
    control[GATHERED] = control[DONE] = 0
    before, ahead = now(control[SYSTEM]), False
    for k in range(iterations):
        iterate(net, problem, record, k, ahead)
        if control[DONE] == k:
            return
        time = now(control[SYSTEM])
        record[COSTS, k + 1], record[STEPS, k] = numbers[COST], 1.0
        record[SECONDS, k], before = 1e-9 * (time - before), time
        if control[STATUS] != GOES_ON:
            return
        ahead = problem.tile >= problem.n_rows


@scalar
def iterate(net, problem, record, k, ahead):
    """Take a step, the k-th, and count it, unless STATUS says why there is none.

    ahead: see `evaluate`.
    """
    numbers, control = problem.numbers, problem.control
    if not ahead:
        move(net, problem, 0.0)
    evaluate(net, problem, ahead)
    if control[STATUS] != GOES_ON:
        return
    record[COSTS, k] = numbers[COST]
    if numbers[COST] <= numbers[GOAL]:
        control[STATUS] = AT_GOAL
    elif numbers[SLOPE] <= numbers[TOLERANCE]:
        control[STATUS] = SMALL_GRADIENT
    elif not descend(net, problem):
        control[STATUS] = STOPPED if control[STOP] else LARGE_MU
    else:
        control[DONE] += 1
        if numbers[COST] <= numbers[GOAL]:
            control[STATUS] = AT_GOAL


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
    size = problem.size
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
def descend(net, problem):
    """Try smaller and smaller steps until one lowers S; whether one did, which is taken then."""
    numbers = problem.numbers
    while numbers[MU] <= numbers[MOST_MU] and not problem.control[STOP]:
        if factor(
            problem.matrix, vector(problem, DIAGONAL), vector(problem, RIDGE), numbers[MU],
            numbers[BETA], problem.size, pointer(problem.control, LAPACK), problem.control[POTRF],
        ) and take_step(net, problem):  # fmt: skip
            numbers[MU] = max(numbers[MU] * numbers[DECREASE], LEAST_MU)
            return True
        numbers[MU] *= numbers[INCREASE]
    return False


@scalar
def take_step(net, problem):
    """Take the step that the factor gives if it lowers S; whether it does."""
    numbers, size = problem.numbers, problem.size
    point, step = vector(problem, POINT), vector(problem, STEP)
    gradient, ridge, decay = vector(problem, GRADIENT), vector(problem, RIDGE), 0.0
    for i in range(size):
        step[i] = -gradient[i]
    solve(problem.matrix, step, size)
    move(net, problem, 1.0)
    squares = squares_at(net, problem)
    for i in range(size):
        decay += ridge[i] * (point[i] + step[i]) * (point[i] + step[i])
    if not 0.5 * (numbers[BETA] * squares + decay) < numbers[OBJECTIVE]:
        return False
    for i in range(size):
        point[i] += step[i]
    set_cost(problem, decay, squares)
    return True


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
