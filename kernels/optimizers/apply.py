"""One step of an update rule on arrays wherever they are, by one thread or several."""

from ..codegen.barrier import meet
from ..codegen.declare import call, data, itemsize, kernel, pointer, scalar
from ..codegen.headers import are_unchanged
from ..vecmath.reductions import sum_of_scaled_squares, sum_of_squares
from . import rules as rule

TAKEN, REFUSED, CHANGED = 0, 1, 2
_LINE = 8
_SQUARES, _BAD, _TRIES = 0, 1, 2  # of each thread; the last is the first one's
_BLOCK = 1 << 14  # gradients that are looked at together
_TOGETHER = 64  # parameters: threads share at multiples, so that no vector is cut


@scalar
def _share(total, part, parts):
    """First parameter of a part."""
    return min(total, (total * part // parts + _TOGETHER - 1) // _TOGETHER * _TOGETHER)


@scalar
def _squares(places, like, low, high, factor):
    """Sum of squares of the gradients from `low` to `high`, times a factor each unless that is 0.

    From the last to the first, so that the first are still in the caches when the step begins.
    """
    total = 0.0
    for k in range(places.shape[0] - 1, -1, -1):
        begin = max(low, places[k, 3]) - places[k, 3]
        stop = min(high, places[k, 3] + places[k, 2]) - places[k, 3]
        g = data(places[k, 1], like)
        while stop > begin:
            start = max(begin, stop - _BLOCK)
            if factor > 0.0:
                total += sum_of_scaled_squares(pointer(g, start), stop - start, factor)
            else:
                total += sum_of_squares(pointer(g, start), stop - start)
            stop = start
    return total


@scalar
def _update(target, places, state, numbers, step, low, high, total, flag):
    """Call the rule's row kernel for the parameters from `low` to `high`."""
    bad = 0.0
    for k in range(places.shape[0]):
        first = places[k, 3]
        start, stop = max(low, first), min(high, first + places[k, 2])
        if start < stop:
            p = pointer(data(places[k, 0], state), start - first)
            g = pointer(data(places[k, 1], state), start - first)
            where = flag + rule.FIRST * start
            s = pointer(state, start)
            bad += call(target, p, g, s, numbers, stop - start, step, total, where)
    return bad


@kernel
def take_step(
    target, places, headers, states, numbers, sums, counter, rate, step, thread, threads, give_way
):
    """One step of an update rule, by threads that each make this call with their number.

    Parameters
    ----------
    target : address of the rule's row kernel
    places : int64 (arrays, 4): addresses of parameters and gradients, size, sum of those before
    headers : table of what those arrays were when `places` was made
    states : vector, all of the first state, then of the next
    numbers : those of the rule
    sums : float64 (threads, 8), counter : int64 (8,), zero; what the threads share
    rate, step : learning rate, and number of the step from 1 on
    thread, threads, give_way : see `barrier.meet`

    Returns
    -------
    int
        TAKEN, or REFUSED where a parameter would no longer be finite, or CHANGED where an array is
        no longer what it was; nothing has changed in either case.

    """
    if not are_unchanged(headers):
        return CHANGED
    state, h = pointer(states, 0), pointer(numbers, 0)
    last = places.shape[0] - 1
    total = places[last, 3] + places[last, 2]
    low, high = _share(total, thread, threads), _share(total, thread + 1, threads)
    own, meeting, turn = pointer(sums, thread * _LINE), pointer(counter, 0), 0
    if h[rule.SKIP] != rule.UNSEEN or h[rule.CLIP] > 0.0:
        own[_SQUARES] = _squares(places, state, low, high, 0.0)
    turn = meet(meeting, turn, threads, give_way)
    if thread == 0:
        squares = 0.0
        for k in range(threads):
            squares += sums[k, _SQUARES]
        factor, scaled = rule.rescaling(h, squares, itemsize(state)), 0.0
        if factor > 0.0:  # rare
            scaled = _squares(places, state, 0, total, factor)
        tries = rule.prepare(h, squares, factor, scaled, rate, itemsize(state))
        sums[0, _TRIES] = 1.0 if tries else 0.0
        call(target, state, state, state, h, 0, step, total, rule.BEGIN)
    turn = meet(meeting, turn, threads, give_way)
    if sums[0, _TRIES] != 0.0:
        own[_BAD] = _update(target, places, state, h, step, low, high, total, rule.TRY)
        turn = meet(meeting, turn, threads, give_way)
        for k in range(threads):
            if sums[k, _BAD] != 0.0:
                return REFUSED
    _update(target, places, state, h, step, low, high, total, rule.TAKE)
    return TAKEN


@kernel
def noise(target, out, seed, step):
    """Fill a vector with the random numbers of a step."""
    p = pointer(out, 0)
    call(target, p, p, p, pointer(seed, 0), out.size, step, 0, 0)
