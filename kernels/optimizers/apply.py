"""One step of an update rule on arrays wherever they are, by one thread or several."""

from ..codegen.barrier import wait
from ..codegen.cache_lines import LINE_WORDS
from ..codegen.declare import kernel, scalar
from ..codegen.headers import are_unchanged
from ..codegen.intrinsics import data, itemsize, pointer
from ..vecmath.reductions import sum_of_scaled_squares, sum_of_squares
from . import layout, update
from .layout import call_update_kernel

TAKEN, REFUSED, CHANGED = 0, 1, 2
_SQUARES, _BAD, _DRY_RUN = 0, 1, 2  # of each thread; the last is the first one's
_BLOCK = 1 << 14  # gradients that are looked at together
_TOGETHER = 64  # parameters: threads share at multiples, so that no vector is cut


@scalar
def _share(total, part, parts):
    """First parameter of a part."""
    return min(total, (total * part // parts + _TOGETHER - 1) // _TOGETHER * _TOGETHER)


@scalar
def _squares(spans, like, low, high, factor):
    """Sum of squares of the gradients from `low` to `high`, times a factor each unless that is 0.

    From the last to the first, so that the first are still in the caches when the step begins.
    """
    total = 0.0
    for k in range(spans.shape[0] - 1, -1, -1):
        begin = max(low, spans[k, 3]) - spans[k, 3]
        stop = min(high, spans[k, 3] + spans[k, 2]) - spans[k, 3]
        g = data(spans[k, 1], like)
        while stop > begin:
            start = max(begin, stop - _BLOCK)
            if factor > 0.0:
                total += sum_of_scaled_squares(pointer(g, start), stop - start, factor)
            else:
                total += sum_of_squares(pointer(g, start), stop - start)
            stop = start
    return total


@scalar
def _update(target, spans, state, hyper, step, low, high, total, flag):
    """Call the rule's tile kernel for the parameters from `low` to `high`."""
    bad = 0.0
    for k in range(spans.shape[0]):
        first = spans[k, 3]
        start, stop = max(low, first), min(high, first + spans[k, 2])
        if start < stop:
            p = pointer(data(spans[k, 0], state), start - first)
            g = pointer(data(spans[k, 1], state), start - first)
            where = flag + layout.FIRST * start
            s = pointer(state, start)
            bad += call_update_kernel(target, p, g, s, hyper, stop - start, step, total, where)
    return bad


@scalar
def _begin(target, spans, state, hyper, sums, rate, step, total, threads):
    """What one thread does for all, from their sums of squares; whether the step must be tried."""
    squares = 0.0
    for k in range(threads):
        squares += sums[k, _SQUARES]
    factor, scaled = update.rescaling(hyper, squares, itemsize(state)), 0.0
    if factor > 0.0:  # rare
        scaled = _squares(spans, state, 0, total, factor)
    return update.begin_step(target, state, hyper, squares, factor, scaled, rate, step, total)


@kernel
def take_step(
    target, spans, headers, states, hyper, sums, counter, rate, step, thread, threads, system
):
    """One step of an update rule, by threads that each make this call with their number.

    Parameters
    ----------
    target : address of the rule's tile kernel
    spans : int64 (arrays, 4): addresses of parameters and gradients, size, sum of those before
    headers : table of what those arrays were when `spans` was made
    states : vector, all of the first state, then of the next
    hyper : hyperparameters of the rule
    sums : float64 (threads, 8), counter : int64 (8,), zero; what the threads share
    rate, step : learning rate, and number of the step from 1 on
    thread, threads, system : see `barrier.wait`

    Returns
    -------
    int
        TAKEN, or REFUSED where a parameter would no longer be finite, or CHANGED where an array is
        no longer what it was; nothing has changed in either case.

    """
    if not are_unchanged(headers):
        return CHANGED
    state, h = pointer(states, 0), pointer(hyper, 0)
    last = spans.shape[0] - 1
    total = spans[last, 3] + spans[last, 2]
    low, high = _share(total, thread, threads), _share(total, thread + 1, threads)
    own, arrivals, ticket = pointer(sums, thread * LINE_WORDS), pointer(counter, 0), 0
    if h[layout.SKIP] != layout.UNSEEN or h[layout.CLIP] > 0.0:
        own[_SQUARES] = _squares(spans, state, low, high, 0.0)
    ticket = wait(arrivals, ticket, threads, system)
    if thread == 0:
        tries = _begin(target, spans, state, h, sums, rate, step, total, threads)
        sums[0, _DRY_RUN] = 1.0 if tries else 0.0
    ticket = wait(arrivals, ticket, threads, system)
    if sums[0, _DRY_RUN] != 0.0:
        own[_BAD] = _update(target, spans, state, h, step, low, high, total, layout.DRY_RUN)
        ticket = wait(arrivals, ticket, threads, system)
        for k in range(threads):
            if sums[k, _BAD] != 0.0:
                return REFUSED
    _update(target, spans, state, h, step, low, high, total, layout.APPLY)
    return TAKEN


@kernel
def noise(target, out, seed, step):
    """Fill a vector with the random numbers of a step."""
    p = pointer(out, 0)
    call_update_kernel(target, p, p, p, pointer(seed, 0), out.size, step, 0, 0)
