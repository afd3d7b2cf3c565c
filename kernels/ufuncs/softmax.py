"""Loops of the softmax family's ufuncs, which work along one axis of arrays of any layout.

Each sums exp(x - max) in blocks of numbers. A block is a piece of one long row, and what is found
in its lanes is put together in the end; or, where rows are short or the samples stand side by side,
a block is one feature of many samples. Short contiguous rows are turned into such blocks and back.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import vecmath
from ..codegen.compiler import once
from ..codegen.declare import address, call, cast_like, integers, numbers, scalar, singles
from ..codegen.vector_loops import BLOCK, BLOCKS_ARGUMENTS, blocks, flags, restore, stack
from ..gemm.registers import transpose, vector_lanes
from ..vecmath.softmax import add_exactly, shifted_exp
from .access import ACCESS, copying

# Features up to which many samples are worked on together, in memory of our own; and if that many
# samples, at least, stand in contiguous rows.
_SHORT, _TURNED_SHORT, _SAMPLES = 32, 256, 16
_TILE, _TABLE, _LINE = _TURNED_SHORT * BLOCK, 160, 64

# Blocks of what is known of each sample: max x, Σ exp(x - max) - 1 and what that lost to rounding,
# Σ exp(x - max), its logarithm, Σ g exp(x - max) or Σ g; and four for numbers under way.
_TOP, _OTHERS, _LOW, _TOTAL, _LOG, _DOT, _X, _G, _E, _OUT = (k * BLOCK for k in range(10))
_WORK = 10 * BLOCK


@scalar
def _maximum(x, top):
    """The larger; a NaN in x is passed over, exp() brings it back."""
    return x if x > top else top


@scalar
def _sum(x, top, others, low):
    """exp(x - max), and its sum as a pair."""
    e = shifted_exp(x, top)
    total, rest = add_exactly(others, low, e)
    return e, total, rest


@scalar
def _sum_pulling(x, top, others, low, g, dot):
    """The same, and Σ g exp(x - max)."""
    e, total, rest = _sum(x, top, others, low)
    return e, total, rest, dot + g * e


@scalar
def _sum_plainly(x, top, others, low, g, dot):
    """The same, and Σ g."""
    e, total, rest = _sum(x, top, others, low)
    return e, total, rest, dot + g


@scalar
def _weigh(y, top, others, low, g, dot):
    """Of a function that is known: Σ g y."""
    return y, others, low, dot + g * y


@scalar
def _weigh_plainly(y, top, others, low, g, dot):
    """Σ g."""
    return y, others, low, dot + g


@scalar
def _finish_sums(others, low):
    """Σ - 1, Σ and log Σ from the pair of a sum."""
    found = others + low
    return found, cast_like(found, 1.0) + found, vecmath.log1p(found)


# What follows takes v, exp(x - max) or for logarithms x, then max, Σ - 1, Σ, log Σ, and for the
# vector-Jacobian products g and Σ g exp(x - max) or Σ g.


@scalar
def softmax(v, top, others, total, log):
    """exp(x) / Σ exp(x)."""
    return v / total


@scalar
def log_softmax(v, top, others, total, log):
    """x - log Σ exp(x) = (x - max) - log1p(Σ exp(x - max) - 1), accurate near 0 too."""
    return (v - top) - log


@scalar
def _complement(v, others, total):
    """1 - softmax, as the sum of the others over that of all, so that nothing cancels."""
    return (others + (cast_like(v, 1.0) - v)) / total


@scalar
def softmax_derivative(v, top, others, total, log):
    """y (1 - y), y = softmax(x): the diagonal of the Jacobian."""
    return (v / total) * _complement(v, others, total)


@scalar
def softmin_derivative(v, top, others, total, log):
    """-y (1 - y), y = softmin(x)."""
    return -softmax_derivative(v, top, others, total, log)


@scalar
def log_softmax_derivative(v, top, others, total, log):
    """1 - softmax(x)."""
    return _complement(v, others, total)


@scalar
def softmax_second_derivative(v, top, others, total, log):
    """y (1 - y) (1 - 2y), y = softmax(x)."""
    y, z = v / total, _complement(v, others, total)
    return y * z * (z - y)


@scalar
def log_softmax_second_derivative(v, top, others, total, log):
    """-y (1 - y), y = softmax(x)."""
    return -softmax_derivative(v, top, others, total, log)


@scalar
def softmax_vjp(v, top, others, total, log, g, dot):
    """y (g - Σ g y), y = softmax(x)."""
    return (v / total) * (g - dot / total)


@scalar
def softmin_vjp(v, top, others, total, log, g, dot):
    """-y (g - Σ g y), y = softmin(x)."""
    return (v / total) * (dot / total - g)


@scalar
def log_softmax_vjp(v, top, others, total, log, g, dot):
    """g - y Σ g, y = softmax(x)."""
    return g - (v / total) * dot


@scalar
def softmax_vjp_from_output(y, top, others, total, log, g, dot):
    """y (g - Σ g y), of y = softmax(x)."""
    return y * (g - dot)


@scalar
def softmin_vjp_from_output(y, top, others, total, log, g, dot):
    """-y (g - Σ g y), of y = softmin(x)."""
    return y * (dot - g)


@scalar
def log_softmax_vjp_from_output(y, top, others, total, log, g, dot):
    """g - exp(y) Σ g, of y = log softmax(x)."""
    return g - vecmath.exp(y) * dot


class Row(NamedTuple):
    """A function of the family: its last step, and what the steps before do."""

    finish: Callable[..., Any]
    summing: Callable[..., Any] = _sum
    minus: bool = False  # works on -x
    keeps: bool = True  # v is exp(x - max)
    known: bool = False  # x is the activation: no maximum, no sum of exponentials

    @property
    def pulls(self):
        """Whether it is a product, of g and x."""
        return self.summing is not _sum


TABLE = {
    "softmax": Row(softmax),
    "softmax_derivative": Row(softmax_derivative),
    "softmax_second_derivative": Row(softmax_second_derivative),
    "softmax_vjp": Row(softmax_vjp, _sum_pulling),
    "softmax_vjp_from_output": Row(softmax_vjp_from_output, _weigh, keeps=False, known=True),
    "softmin": Row(softmax, minus=True),
    "softmin_derivative": Row(softmin_derivative, minus=True),
    "softmin_second_derivative": Row(softmax_second_derivative, minus=True),
    "softmin_vjp": Row(softmin_vjp, _sum_pulling, minus=True),
    "softmin_vjp_from_output": Row(softmin_vjp_from_output, _weigh, keeps=False, known=True),
    "log_softmax": Row(log_softmax, keeps=False),
    "log_softmax_derivative": Row(log_softmax_derivative),
    "log_softmax_second_derivative": Row(log_softmax_second_derivative),
    "log_softmax_vjp": Row(log_softmax_vjp, _sum_plainly),
    "log_softmax_vjp_from_output": Row(
        log_softmax_vjp_from_output, _weigh_plainly, keeps=False, known=True
    ),
}


@functools.cache
def _negated(formula):
    def negated(x, *rest):
        return formula(-x, *rest)

    return scalar(negated)


@functools.cache
def sample(name):
    """The function of one sample, ``(x, out)`` or of a product ``(g, x, out)``, for users' loops.

    Arrays of one dimension and as many elements; out may be x or g.
    """
    row = TABLE[name]
    finish, summing, minus, keeps, known = row.finish, row.summing, row.minus, row.keeps, row.known

    @scalar
    def signed(x, out):
        return out.dtype.type(-x if minus else x)

    @scalar
    def largest(x, out):
        top = out.dtype.type(-np.inf)
        for j in range(x.size):
            top = _maximum(signed(x[j], out), top)
        return top

    @scalar
    def kept(x, top):
        return shifted_exp(x, top) if keeps else x

    def forward(x, out):
        one, top = out.dtype.type(1), largest(x, out)
        others, low = -one, one - one
        for j in range(x.size):
            _, others, low = _sum(signed(x[j], out), top, others, low)
        others, total, log = _finish_sums(others, low)
        for j in range(x.size):
            out[j] = finish(kept(signed(x[j], out), top), top, others, total, log)

    def pull(g, x, out):
        one = out.dtype.type(1)
        top = one if known else largest(x, out)
        others, low, dot = -one, one - one, one - one
        for j in range(x.size):
            given = out.dtype.type(g[j])
            _, others, low, dot = summing(signed(x[j], out), top, others, low, given, dot)
        others, total, log = _finish_sums(others, low)
        for j in range(x.size):
            given = out.dtype.type(g[j])
            out[j] = finish(kept(signed(x[j], out), top), top, others, total, log, given, dot)

    return scalar(pull if row.pulls else forward)


@scalar
def _singles(at):
    return singles(at)


@scalar
def _doubles(at):
    return numbers(at)


@scalar
def _nothing(work):
    pass


# places of a plan, and of what a loop keeps in memory: of registers the compiler would make a loop
# for every combination
_LARGEST, _SUMMING, _FINISH, _SUMS = range(4)
_OPERANDS, _MINUS, _KEEPS, _PULLS, _KNOWN = 4, 8, 9, 10, 11
_SHORT_ONES, _ACROSS, _PLAIN, _TURNED, _AT = range(5)


@functools.cache
def steps(name):
    """The formulas that a function of the family runs, with their inputs and outputs, in turn."""
    row = TABLE[name]
    found = [
        (_maximum, 2, 1),
        (row.summing, 6, 4) if row.pulls else (row.summing, 4, 3),
        (row.finish, 7, 1) if row.pulls else (row.finish, 5, 1),
        (_finish_sums, 2, 3),
    ]
    if row.minus:
        found[:2] = [(_negated(formula), *rest) for formula, *rest in found[:2]]
    return found


@once
def plan(name, dtype):
    """What `loop` reads: addresses of the steps as functions of blocks, and what they need."""
    row, taken = TABLE[name], steps(name)
    found = [address(blocks(*step), dtype, BLOCKS_ARGUMENTS) for step in taken]
    operands = [takes + gives for _, takes, gives in taken]
    return np.array([*found, *operands, row.minus, row.keeps, row.pulls, row.known], np.int64)


@functools.cache
def loop(letter):
    """C function: the loop of a ufunc with the signature (n)->(n), or (n),(n)->(n) of a product.

    A product takes g first, then x. plan: see `plan`.
    """
    _, _, read_block, write_block, size, width = ACCESS[letter]
    copies, length = letter == "e", BLOCK // width
    fill, take, give = copying(letter)
    typed = _doubles if letter == "d" else _singles

    @scalar
    def turn(rows, row, columns, count, out, out_row, room, mode):
        """Transpose rows, so many bytes apart, to columns; the last fills up those that have room.

        mode: any integer that can be read.
        """
        source, target = typed(rows), typed(out)
        for first in range(0, room, vector_lanes(source)):
            transpose(
                source, row // width, columns, mode, -1 - first, count - 1,
                target, out_row // width, first, room,
            )  # fmt: skip

    @scalar
    def get(at, stride, lanes, place, stays, rest):
        """Address of a block: its own if it has this stride, or of a copy, filled with `rest`."""
        if stride == stays and lanes == length and not copies:
            return at
        take(place, at, stride, lanes, rest)
        return place

    # the compiler must know how many lanes a step takes, to take them at once

    def folded_maxima(half):
        """The largest of the lanes, in the first."""
        rest = folded_maxima(half // 2) if half > 1 else _nothing

        def fold(work):
            top = work + _TOP
            for i in range(half):
                write_block(top, _maximum(read_block(top, i), read_block(top, i + half)), i)
            rest(work)

        return scalar(fold)

    def folded_sums(half):
        """Sums over the lanes, in the first."""
        rest = folded_sums(half // 2) if half > 1 else _nothing

        def fold(work):
            others, low, dot = work + _OTHERS, work + _LOW, work + _DOT
            for i in range(half):
                a, b = read_block(others, i), read_block(others, i + half)
                total = a + b
                part = total - a
                lost = (a - (total - part)) + (b - part)
                lost += read_block(low, i) + read_block(low, i + half)
                write_block(others, total, i)
                write_block(low, lost, i)
                write_block(dot, read_block(dot, i) + read_block(dot, i + half), i)
            rest(work)

        return scalar(fold)

    fold_maxima, fold_sums = folded_maxima(length // 2), folded_sums(length // 2)

    @scalar
    def join_maxima(work):
        """The largest of the lanes, in all of them."""
        fold_maxima(work)
        fill(work + _TOP, read_block(work + _TOP))

    @scalar
    def join_sums(work):
        """Sums over the lanes, in all of them."""
        fold_sums(work)
        for place in (_OTHERS, _LOW, _DOT):
            fill(work + place, read_block(work + place))

    def softmax_loop(args, dims, steps, plan):
        state, work, tile, pulls = stack(_LINE), stack(_WORK), stack(_TILE), stack(_TILE)
        places, mode = integers(stack(_TABLE)), integers(stack(_LINE))
        flags(state)
        x, out, features = plan[_PULLS], plan[_PULLS] + 1, dims[1]
        mode[_TURNED] = features <= (_TURNED_SHORT if dims[0] >= _SAMPLES else _SHORT)
        for k in range(out + 1):
            rows = steps[out + 1 + k] == size and steps[k] % size == 0 and not copies
            mode[_TURNED] = mode[_TURNED] and rows
        mode[_SHORT_ONES] = features <= _SHORT or mode[_TURNED]
        mode[_ACROSS] = not mode[_SHORT_ONES] and steps[x] != size
        mode[_PLAIN] = mode[_ACROSS] and not copies
        for k in range(out + 1):
            mode[_PLAIN] = mode[_PLAIN] and steps[out + 1 + k] == size
        for first in range(0, dims[0], 1 if mode[_ACROSS] else length):
            samples = min(1 if mode[_ACROSS] else length, dims[0] - first)
            fill(work + _TOP, -np.inf)
            fill(work + _OTHERS, 0.0 if mode[_ACROSS] else -1.0)
            write_block(work + _OTHERS, -1.0)  # of the sum over a row, less one once
            fill(work + _LOW, 0.0)
            fill(work + _DOT, 0.0)
            if mode[_TURNED]:
                at = args[x] + first * steps[x]
                turn(at, steps[x], features, samples, tile, BLOCK, length, mode)
                if plan[_PULLS]:
                    at = args[0] + first * steps[0]
                    turn(at, steps[0], features, samples, pulls, BLOCK, length, mode)
            for stage in range(plan[_KNOWN], 3):
                done = 0
                while done < features:
                    # as many blocks as stand side by side at once
                    many = features if mode[_TURNED] else 1
                    if mode[_PLAIN] and features - done >= length:
                        many = (features - done) // length
                    # the numbers of this block, and from lane to lane
                    lanes = min(length, features - done) if mode[_ACROSS] else samples
                    lane = out + 1 if mode[_ACROSS] else 0
                    for k in range(out + 1):
                        mode[_AT + k] = args[k] + first * steps[k] + done * steps[out + 1 + k]
                    own = tile + done * BLOCK if mode[_SHORT_ONES] else work + _X
                    rest = 0.0
                    if mode[_ACROSS] and not plan[_KNOWN]:
                        rest = np.inf if plan[_MINUS] else -np.inf
                    places[0] = own
                    if not (mode[_TURNED] or (stage > plan[_KNOWN] and mode[_SHORT_ONES])):
                        k = out if stage == 2 and plan[_KEEPS] else x
                        stays = size if mode[_SHORT_ONES] == 0 else 0  # or is copied in any case
                        places[0] = get(mode[_AT + k], steps[lane + k], lanes, own, stays, rest)
                    last = stage + 3 if stage else 1
                    if stage and plan[_PULLS]:
                        places[last] = pulls
                        if not mode[_TURNED]:
                            place = work + _G
                            places[last] = get(mode[_AT], steps[lane], lanes, place, size, 0.0)
                        places[last + 1] = work + _DOT
                        last += 2
                    target = work + _OUT
                    if mode[_TURNED]:
                        target = own
                    elif steps[lane + out] == size and lanes == length and not copies:
                        target = mode[_AT + out]
                    if stage == 1 and (mode[_SHORT_ONES] or not plan[_KEEPS]):
                        target = own if plan[_KEEPS] else work + _E
                    places[1], places[2] = work + _TOP, work + _OTHERS
                    if stage == 0:
                        places[2] = work + _TOP
                    elif stage == 1:
                        places[3], places[last] = work + _LOW, target
                        places[last + 1], places[last + 2] = work + _OTHERS, work + _LOW
                        places[last + 3] = work + _DOT
                    else:
                        places[3], places[4] = work + _TOTAL, work + _LOG
                        places[last] = target
                    for k in range(plan[_OPERANDS + stage] if many > 1 else 0):
                        # what is ours is the same for all
                        ours = work <= places[k] < work + _WORK
                        places[plan[_OPERANDS + stage] + k] = 0 if ours else BLOCK
                    call(plan[_LARGEST + stage], places, many, mode)
                    if stage and target == work + _OUT:
                        give(target, mode[_AT + out], steps[lane + out], lanes)
                    done += many * length if mode[_ACROSS] else many
                if stage == 0 and mode[_ACROSS]:
                    join_maxima(work)
                if stage == 1 and mode[_ACROSS]:
                    join_sums(work)
                if stage == 1 and not plan[_KNOWN]:
                    places[0] = places[2] = work + _OTHERS
                    places[1], places[3], places[4] = work + _LOW, work + _TOTAL, work + _LOG
                    call(plan[_SUMS], places, 1, mode)
            if mode[_TURNED]:
                at = args[out] + first * steps[out]
                turn(tile, BLOCK, samples, features, at, steps[out], features, mode)
        restore(state)
        return 0.0

    return softmax_loop
