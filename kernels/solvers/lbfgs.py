"""Limited-memory BFGS: directions from the last changes of the gradient, and steps along them.

    d = −H ∇f,    x ← x + t d,    s = t d,    y = ∇f(x + t d) − ∇f(x)

H is the inverse Hessian that the last pairs (s, y) estimate, by the two-loop recursion, from
(s·y / y·y) I on; t is `line_search`'s.

Whoever evaluates the cost is asked for it: `advance` goes from one evaluation to the next and keeps
everything in arrays, so that a search can be left and taken up again anywhere. `run` is the loop
that has the engine evaluate.

D. C. Liu and J. Nocedal, "On the limited memory BFGS method for large scale optimization",
Mathematical Programming 45, 1989.
"""

from typing import NamedTuple

import numpy as np

from ..codegen.barrier import now
from ..codegen.declare import kernel, scalar
from ..codegen.intrinsics import pointer
from ..engine.train import gradient
from . import line_search
from .record import COSTS, RECORDS, SECONDS, STEPS

__all__ = ["Search", "advance", "run"]


class Search(NamedTuple):
    """Where a search stands, in float64 whatever the dtype of the network is."""

    memory: np.ndarray  # (rows, parameters), see the names of its rows
    numbers: np.ndarray  # float64, see the names of its places; two more for each pair
    counters: np.ndarray  # int64, see the names of its places


# Rows of `Search.memory`.
(
    POINT,  # where the cost is to be evaluated, or was
    GRADIENT,  # there
    ORIGIN,  # where the line begins
    ORIGIN_GRADIENT,
    DIRECTION,
    BEST,  # the point of the lowest cost
    PAIRS_FROM,  # s and y of each pair
) = range(7)

# Places of `Search.numbers`, after those of the line search.
(
    COST,  # at the point
    LARGEST,  # derivative there
    ORIGIN_COST,
    LOWEST,
    COST_TOLERANCE,
    GRADIENT_TOLERANCE,
    SCALE,  # s·y / y·y of the last pair
    NUMBERS,  # then two of each pair: 1 / s·y, and a factor of the recursion
) = range(line_search.NUMBERS, line_search.NUMBERS + 8)

# Places of `Search.counters`.
(
    PHASE,
    REASON,
    ITERATIONS,
    EVALUATIONS,
    MOST_EVALUATIONS,
    HISTORY,  # pairs at most
    PAIRS,
    NEXT,  # pair to be written
    COUNTERS,  # how many
) = range(9)

# Phases: at the end of an iteration, in the middle, before a new line, over, or before the first
# evaluation.
READY, EVALUATE, AIM, ENDED, START = range(5)
NONE, GRADIENT_IS_SMALL, COST_STAYS, NO_LOWER, EVALUATIONS_ARE_OVER, NOT_FINITE = range(
    6
)  # reasons


class View(NamedTuple):
    """A search inside a kernel: pointers."""

    memory: object
    numbers: object
    counters: object
    size: int


@scalar
def row(search, k):
    """A row of the memory."""
    return pointer(search.memory, k * search.size)


@scalar(reassoc=True)
def dot(search, i, j):
    """The product of two rows."""
    a, b, total = row(search, i), row(search, j), 0.0
    for c in range(search.size):
        total += a[c] * b[c]
    return total


@scalar
def add(search, i, factor, j):
    """Row i plus so much of row j, in its place."""
    a, b = row(search, i), row(search, j)
    for c in range(search.size):
        a[c] += factor * b[c]


@scalar
def copy(search, i, j):
    """Set row i to row j."""
    a, b = row(search, i), row(search, j)
    for c in range(search.size):
        a[c] = b[c]


@kernel
def advance(search):
    """Go on from an evaluation to the next one that is needed, or to the end of the iteration.

    In the phases START and EVALUATE the caller has set the row GRADIENT and ``numbers[COST]`` to
    what they are at the row POINT. In the phase READY an iteration is over, and the next begins
    with this call.
    """
    memory, counters = search.memory, search.counters
    if counters.size < COUNTERS:
        raise ValueError("a search needs all its counters")
    most = min(memory.shape[0] - PAIRS_FROM, search.numbers.size - NUMBERS) // 2
    pairs = counters[HISTORY]
    if not (0 <= counters[PAIRS] <= pairs <= most and 0 <= counters[NEXT] < pairs):
        raise ValueError("a search has more pairs than it has memory for")
    state = View(
        pointer(memory, 0), pointer(search.numbers, 0), pointer(counters, 0), memory.shape[1]
    )
    if counters[PHASE] == START:
        start(state)
    elif counters[PHASE] == EVALUATE:
        take(state)
    elif counters[PHASE] == READY:
        begin(state)
    if counters[PHASE] == AIM:
        aim(state)
    if counters[PHASE] == EVALUATE:
        copy(state, POINT, ORIGIN)
        add(state, POINT, search.numbers[line_search.STEP], DIRECTION)


@scalar
def start(search):
    """Search from this point on, which is the best yet."""
    counters, n = search.counters, search.numbers
    counters[PAIRS] = counters[NEXT] = 0
    n[LOWEST], n[ORIGIN_COST] = n[COST], np.nan
    copy(search, BEST, POINT)
    if measure(search):
        counters[PHASE], counters[REASON] = READY, NONE
    else:
        counters[PHASE], counters[REASON] = ENDED, NOT_FINITE


@scalar
def measure(search):
    """Count an evaluation and find the largest derivative; whether it and the cost are finite."""
    counters, n, g = search.counters, search.numbers, row(search, GRADIENT)
    counters[EVALUATIONS] += 1
    most, bad = 0.0, n[COST] - n[COST]
    for c in range(search.size):
        most = max(most, abs(g[c]))
        bad += g[c] - g[c]
    n[LARGEST] = most
    return bad == 0.0


@scalar
def begin(search):
    """Start an iteration, unless the last one was good enough."""
    counters, n = search.counters, search.numbers
    cost, before = n[COST], n[ORIGIN_COST]
    size = max(1.0, max(abs(before), abs(cost)))
    counters[PHASE] = ENDED
    if counters[EVALUATIONS] > counters[MOST_EVALUATIONS]:
        counters[REASON] = EVALUATIONS_ARE_OVER
    elif n[LARGEST] <= n[GRADIENT_TOLERANCE]:
        counters[REASON] = GRADIENT_IS_SMALL
    elif before - cost <= n[COST_TOLERANCE] * size:  # not if there was none, NaN
        counters[REASON] = COST_STAYS
    else:
        n[ORIGIN_COST] = cost
        copy(search, ORIGIN, POINT)
        copy(search, ORIGIN_GRADIENT, GRADIENT)
        counters[PHASE] = AIM


@scalar
def aim(search):
    """Choose a direction, and the first trial along it."""
    counters, n, slope = search.counters, search.numbers, 0.0
    for _ in range(2):
        turn(search)
        slope = dot(search, DIRECTION, ORIGIN_GRADIENT)
        if slope < 0.0:
            break
        counters[PAIRS] = 0  # roundings lead upwards: straight down, then
    step = 1.0 if counters[PAIRS] else 1.0 / np.sqrt(dot(search, DIRECTION, DIRECTION))
    line_search.begin(n, n[ORIGIN_COST], slope, step)
    counters[PHASE] = EVALUATE


@scalar
def turn(search):
    """Set the direction to −H ∇f, by the two-loop recursion."""
    counters, numbers = search.counters, search.numbers
    pairs, most = counters[PAIRS], counters[HISTORY]
    d, g = row(search, DIRECTION), row(search, ORIGIN_GRADIENT)
    for c in range(search.size):
        d[c] = -g[c]
    for k in range(2 * pairs):
        back = k if k < pairs else 2 * pairs - 1 - k  # from the last pair to the first, and again
        p = (counters[NEXT] + 2 * most - 1 - back) % most
        s, factor = PAIRS_FROM + 2 * p, NUMBERS + 2 * p
        if k < pairs:
            numbers[factor + 1] = numbers[factor] * dot(search, s, DIRECTION)
            add(search, DIRECTION, -numbers[factor + 1], s + 1)
        else:
            less = numbers[factor] * dot(search, s + 1, DIRECTION)
            add(search, DIRECTION, numbers[factor + 1] - less, s)
        if k == pairs - 1:
            for c in range(search.size):
                d[c] *= numbers[SCALE]


@scalar
def take(search):
    """Judge an evaluation."""
    counters, n = search.counters, search.numbers
    cost, slope, finite = n[COST], dot(search, GRADIENT, DIRECTION), measure(search)
    if finite and cost < n[LOWEST]:
        n[LOWEST] = cost
        copy(search, BEST, POINT)
    verdict = line_search.judge(n, cost, slope, finite)
    if verdict == line_search.ACCEPT:
        remember(search)
        counters[ITERATIONS] += 1
        counters[PHASE] = READY
    elif verdict == line_search.FAIL and counters[PAIRS]:  # once more, straight down
        counters[PAIRS], counters[PHASE] = 0, AIM
    elif verdict == line_search.FAIL:
        n[COST] = n[ORIGIN_COST]
        copy(search, POINT, ORIGIN)
        copy(search, GRADIENT, ORIGIN_GRADIENT)
        counters[PHASE], counters[REASON] = ENDED, NO_LOWER


@scalar(reassoc=True)
def remember(search):
    """Write down how the gradient has changed along the step, where that tells of a curvature."""
    counters, n, p = search.counters, search.numbers, search.counters[NEXT]
    s, y = row(search, PAIRS_FROM + 2 * p), row(search, PAIRS_FROM + 2 * p + 1)
    x, before, product, squares = row(search, POINT), row(search, ORIGIN), 0.0, 0.0
    g, g_before = row(search, GRADIENT), row(search, ORIGIN_GRADIENT)
    for c in range(search.size):
        s[c], y[c] = x[c] - before[c], g[c] - g_before[c]
        product += s[c] * y[c]
        squares += y[c] * y[c]
    least = -_EPSILON * n[line_search.STEP] * n[line_search.ORIGIN_SLOPE]
    if product > least and product < np.inf and squares < np.inf:
        n[NUMBERS + 2 * p], n[SCALE] = 1.0 / product, product / squares
        counters[NEXT] = (p + 1) % counters[HISTORY]
        counters[PAIRS] = min(counters[PAIRS] + 1, counters[HISTORY])


_EPSILON = float(np.finfo(np.float64).eps)


@kernel
def run(model, batches, team, work, below, search, record, first, last, evaluations):
    """Take the iterations ``first … last - 1`` of a record, on the engine's cost and gradient.

    By this thread. In the phase START the point is evaluated, before any iteration.

    Parameters
    ----------
    model, batches, team, work : see `gradient`, of all parts
    below : an array without elements, of samples
    search : Search
    record : see `record`; its seconds are added to
    first, last : int
    evaluations : int, after which the call ends, even amid an iteration; then it is to be called
        again

    """
    memory, numbers, counters = search
    if record.shape[0] != RECORDS or not 0 <= first <= last < record.shape[1]:
        raise ValueError("room for the numbers of every iteration is expected")
    if memory.shape[1] != model.theta.size:
        raise ValueError("room for each parameter is expected")
    limit, done, before = counters[EVALUATIONS] + evaluations, first, now(team.system)
    while counters[PHASE] == START or (
        done < last and counters[PHASE] != ENDED and counters[EVALUATIONS] < limit
    ):
        started, iterations = counters[PHASE] == START, counters[ITERATIONS]
        if started or counters[PHASE] == EVALUATE:
            numbers[COST] = evaluate(model, batches, team, work, below, memory)
        advance(search)
        if started:
            record[COSTS, first] = numbers[COST]
        time = now(team.system)
        record[SECONDS, done] += 1e-9 * (time - before)
        before = time
        if counters[ITERATIONS] > iterations:
            record[COSTS, done + 1], record[STEPS, done] = numbers[COST], numbers[line_search.STEP]
            done += 1


@scalar
def evaluate(model, batches, team, work, below, memory):
    """Set the gradient at POINT; returns the cost."""
    theta, point, found = model.theta, memory[POINT], memory[GRADIENT]
    for c in range(theta.size):
        theta[c] = point[c]
    # numbers that are no literals: as Python gives them, so that it is the same compiled function
    cost = gradient(
        model, batches, team, work, below, np.int64(0), team.parts, theta.size == found.size
    )
    for c in range(theta.size):
        found[c] = team.grads[0, c]
    return cost
