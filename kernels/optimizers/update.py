"""Update rules: a scalar formula each, and the maker that turns it into a tile kernel.

A rule is two or three functions.

``constants(x, hyper, step)``
    What all parameters share, computed once a step in the dtype of x; step: 1 for the first.
    hyper[RATE] is the learning rate, the rule's own numbers begin at ``hyper[OWN]``.
``update(g, s, c, i)``
    For one parameter: its gradient, its states, those constants and its index; returns what is to
    be added to it, and the new states.
``advance(memory, hyper, step)``
    Optional: of a rule that remembers numbers of the whole step. memory[k] is what it remembers,
    ``memory[count + k]`` takes what it will remember if the step is taken.

Formulas are those of the articles and papers named in ``fastnn/optimizers/table.py``.
"""

import functools

from ..codegen.declare import scalar
from ..codegen.intrinsics import cast_like, itemsize, pointer
from ..codegen.vector_loops import sweep
from .layout import (
    BEGIN,
    CLIP,
    DECAY,
    DRY_RUN,
    FIRST,
    LIMIT,
    LOOK,
    RATE,
    SCALE,
    SKIP,
    UNSEEN,
    call_update_kernel,
)


@scalar
def _clipped(g, scale, limit):
    """g · scale, held within ± limit; NaN stays NaN."""
    g = g * scale
    g = limit if g > limit else g
    return -limit if g < -limit else g


_LARGE_RATE = 1e15

# Powers of two that bring the squares of the largest and of the smallest float64 into range, and
# sums of squares below which those of a dtype are no longer exact.
_DOWN, _UP = 2.0**-600, 2.0**600

_LARGEST = 1.7976931348623157e308

_VAGUE, _VAGUE_SINGLE = 1e-280, 1e-30


@scalar
def rescaling(hyper, squares, itemsize):
    """What gradients must be multiplied by before they are squared, for the norm to be right.

    0 where the plain sum of squares will do: nothing is clipped, or that neither overflows nor is
    too small to be compared with the norm asked for.
    """
    clip, vague = hyper[CLIP], _VAGUE_SINGLE if itemsize == 4 else _VAGUE
    if not clip > 0.0:
        return 0.0
    if squares > _LARGEST:
        return _DOWN
    if squares < vague and clip**2 < 100.0 * vague:
        return 1.0 if itemsize == 4 else _UP
    return 0.0


@scalar
def prepare(hyper, squares, factor, scaled, rate, itemsize):
    """Set the rate, and the scale that the clipping asks for, from the gradient's sum of squares.

    scaled: that of the gradient times a factor, see `rescaling`; looked at unless this is 0.
    Returns whether the step is so large that it must be tried first.
    """
    clip = hyper[CLIP]
    hyper[RATE], hyper[SCALE] = rate, 1.0
    if clip > 0.0:
        norm, most = squares**0.5, clip
        if factor > 0.0:
            norm, most = scaled**0.5, clip * factor
        if norm > most:
            hyper[SCALE] = most / norm
    if hyper[SKIP] == UNSEEN:
        return False
    if hyper[LOOK] != 0.0 or not 0.0 <= rate <= _LARGE_RATE or rate * hyper[DECAY] > 2.0:
        return True
    # A change below half a unit of the largest number can make no finite parameter infinite, and
    # the square of such a gradient is finite too.
    most = 1e30 if itemsize == 4 else 1e280
    return not squares * max(1.0, rate) ** 2 <= most


@scalar
def _nothing(memory, hyper, step):
    pass


@functools.cache
def _pointers(states):
    """Function: pointers to parameters, gradients and so many states."""
    if not states:
        return scalar(lambda a, b, c, stride: (a, b))
    fewer, last = _pointers(states - 1), states - 1

    @scalar
    def pointers(a, b, c, stride):
        return (*fewer(a, b, c, stride), pointer(c, last * stride))

    return pointers


@functools.cache
def _formulas(update):
    """Functions of the values of one parameter, for `sweep`: the step, and a dry run of it."""

    @scalar
    def formula(values, i, shrink, scale, limit, shared, first):
        new = update(_clipped(values[1], scale, limit), values[2:], shared, i + first)
        # a factor 1 - shrink would be rounded at every step alike
        return (values[0] + (new[0] - shrink * values[0]), *new[1:])

    @scalar
    def trial(values, i, shrink, scale, limit, shared, first):
        # The gradient as it came, since clipping hides an infinite one. What was not finite before
        # is not the step's doing.
        zero = cast_like(values[0], 0)
        p = values[0] if values[0] - values[0] == zero else zero
        results = formula((p, *values[1:]), i, shrink, scale, limit, shared, first)
        return (*results, values[1])

    return formula, trial


@functools.cache
def _beginning(advance, memory, memory_offset):
    """Function: what the last step left becomes what is remembered, unless this is it again."""

    @scalar
    def begin(hyper, step):
        if memory:
            known = pointer(hyper, memory_offset)
            if known[2 * memory] != step:
                for k in range(memory):
                    known[k] = known[memory + k]
                known[2 * memory] = step
            advance(known, hyper, step)

    return begin


@functools.cache
def update_kernel(update, constants, states, advance=None, memory=0, memory_offset=0):
    """Tile kernel: one step of a rule on `count` parameters, in one pass over memory.

    parameters, gradients: vectors; states: as many vectors, `stride` apart. The gradient is scaled
    and clipped and the parameter decayed on the way. flag: APPLY; or DRY_RUN, change nothing and
    return whether any gradient is not finite, or any result of a finite parameter would not be; or
    BEGIN, which comes before both once a step, for what the rule remembers: so many numbers at that
    offset, those that the step leaves, and of which step.
    """
    pointers, written = _pointers(states), (1 << (states + 2)) - 3  # all but gradients
    formula, trial = _formulas(update)
    begin = _beginning(advance or _nothing, memory, memory_offset)

    def kernel(parameters, gradients, states, hyper, count, step, stride, flag):
        if flag == BEGIN:
            begin(hyper, step)
            return 0.0
        one = cast_like(parameters[0], 1)
        shared = (
            cast_like(one, hyper[RATE] * hyper[DECAY]),
            cast_like(one, hyper[SCALE]), cast_like(one, hyper[LIMIT]),
            constants(one, hyper, step), flag // FIRST,
        )  # fmt: skip
        arrays = pointers(parameters, gradients, states, stride)
        if flag % FIRST == DRY_RUN:
            return float(sweep(trial, arrays, 0, count, shared))
        sweep(formula, arrays, written, count, shared)
        return 0.0

    return kernel


@scalar
def begin_step(target, like, hyper, squares, factor, scaled, rate, step, size):
    """`prepare`, and let the rule at the address `target` begin the step of `size` parameters.

    like: any pointer of the parameters' type. Returns whether the step must be tried first.
    """
    tries = prepare(hyper, squares, factor, scaled, rate, itemsize(like))
    call_update_kernel(target, like, like, like, hyper, 0, step, size, BEGIN)
    return tries
