"""Loops of the softmax family's ufuncs, which work along one axis of arrays of any layout.

Each sums exp(x - max) in blocks of numbers. A block is a piece of one long row, and what is found
in its lanes is put together in the end; or, where rows are short or the samples stand side by side,
a block is one feature of many samples.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import vecmath
from .access import ACCESS
from .jit import address, call, integers, like, scalar
from .kinds import add_exactly, shifted_exp
from .loops import BLOCK, BLOCKS_ARGUMENTS, blocks, flags, restore, stack

_SHORT = 32  # features up to which many samples are worked on together, in memory of our own
_TILE, _TABLE, _LINE = _SHORT * BLOCK, 160, 64

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
def _finish_sums(others, low):
    """Σ - 1, Σ and log Σ from the pair of a sum."""
    found = others + low
    return found, like(found, 1.0) + found, vecmath.log1p(found)


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
    return (others + (like(v, 1.0) - v)) / total


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


class Row(NamedTuple):
    """A function of the family: its last step, and what the steps before do."""

    finish: Callable[..., Any]
    minus: bool = False  # works on -x
    keeps: bool = True  # v is exp(x - max)
    weighs: bool = True  # of a product: Σ g exp(x - max), else Σ g


TABLE = {
    "softmax": Row(softmax),
    "softmax_derivative": Row(softmax_derivative),
    "softmax_second_derivative": Row(softmax_second_derivative),
    "softmax_vjp": Row(softmax_vjp),
    "softmin": Row(softmax, minus=True),
    "softmin_derivative": Row(softmin_derivative, minus=True),
    "softmin_second_derivative": Row(softmax_second_derivative, minus=True),
    "softmin_vjp": Row(softmin_vjp, minus=True),
    "log_softmax": Row(log_softmax, keeps=False),
    "log_softmax_derivative": Row(log_softmax_derivative),
    "log_softmax_second_derivative": Row(log_softmax_second_derivative),
    "log_softmax_vjp": Row(log_softmax_vjp, weighs=False),
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
    row, pulls = TABLE[name], name.endswith("_vjp")
    finish, minus, keeps, weighs = row.finish, row.minus, row.keeps, row.weighs

    @scalar
    def signed(x, out):
        return out.dtype.type(-x if minus else x)

    @scalar
    def sums(x, out):
        one = out.dtype.type(1)
        top = out.dtype.type(-np.inf)
        for j in range(x.size):
            top = _maximum(signed(x[j], out), top)
        others, low = -one, one - one
        for j in range(x.size):
            _, others, low = _sum(signed(x[j], out), top, others, low)
        return (top, *_finish_sums(others, low))

    @scalar
    def kept(x, top):
        return shifted_exp(x, top) if keeps else x

    def forward(x, out):
        top, others, total, log = sums(x, out)
        for j in range(x.size):
            out[j] = finish(kept(signed(x[j], out), top), top, others, total, log)

    def pull(g, x, out):
        top, others, total, log = sums(x, out)
        dot = out.dtype.type(0)
        for j in range(x.size):
            v = shifted_exp(signed(x[j], out), top)
            dot += out.dtype.type(g[j]) * (v if weighs else out.dtype.type(1))
        for j in range(x.size):
            v = shifted_exp(signed(x[j], out), top)
            out[j] = finish(v, top, others, total, log, out.dtype.type(g[j]), dot)

    return scalar(pull if pulls else forward)


# places of a plan, and of what a loop keeps in memory: of registers the compiler would make a loop
# for every combination
_LARGEST, _SUMMING, _FINISH, _SUMS = range(4)
_OPERANDS, _MINUS, _KEEPS, _PULLS = 4, 8, 9, 10
_SHORT_ONES, _ACROSS, _PLAIN, _AT = range(4)


@functools.cache
def steps(name):
    """The formulas that a function of the family runs, with their inputs and outputs, in turn."""
    row, pulls = TABLE[name], name.endswith("_vjp")
    summing = (_sum_pulling if row.weighs else _sum_plainly) if pulls else _sum
    found = [
        (_maximum, 2, 1),
        (summing, 6, 4) if pulls else (summing, 4, 3),
        (row.finish, 7, 1) if pulls else (row.finish, 5, 1),
        (_finish_sums, 2, 3),
    ]
    if row.minus:
        found[:2] = [(_negated(formula), *rest) for formula, *rest in found[:2]]
    return found


@functools.cache
def plan(name, dtype):
    """What `loop` reads: addresses of the steps as functions of blocks, and what they need."""
    row, pulls, taken = TABLE[name], name.endswith("_vjp"), steps(name)
    found = [address(blocks(*step), dtype, BLOCKS_ARGUMENTS) for step in taken]
    operands = [takes + gives for _, takes, gives in taken]
    return np.array([*found, *operands, row.minus, row.keeps, pulls], np.int64)


@functools.cache
def loop(letter):
    """C function: the loop of a ufunc with the signature (n)->(n), or (n),(n)->(n) of a product.

    A product takes g first, then x. plan: see `plan`.
    """
    read, write, read_block, write_block, size, width = ACCESS[letter]
    copies, length = letter == "e", BLOCK // width

    @scalar
    def get(at, stride, lanes, place, stays, rest):
        """Address of a block: its own if it has this stride, or of a copy, filled with `rest`."""
        if stride == stays and lanes == length and not copies:
            return at
        for i in range(lanes, length):
            write_block(place + i * width, rest)
        if stride == size:  # known to the compiler, it takes many at once
            for i in range(lanes):
                write_block(place + i * width, read(at + i * size))
            return place
        for i in range(lanes):
            write_block(place + i * width, read(at + i * stride))
        return place

    @scalar
    def put(place, at, stride, lanes):
        """The first numbers of a block to where they belong."""
        if stride == size:
            for i in range(lanes):
                write(at + i * size, read_block(place + i * width))
            return
        for i in range(lanes):
            write(at + i * stride, read_block(place + i * width))

    @scalar
    def fill(place, value):
        for i in range(length):
            write_block(place + i * width, value)

    @scalar
    def join_maxima(work):
        """The largest of the lanes, in all of them."""
        half = length // 2
        while half:
            for i in range(half):
                at = work + _TOP + i * width
                write_block(at, _maximum(read_block(at), read_block(at + half * width)))
            half //= 2
        fill(work + _TOP, read_block(work + _TOP))

    @scalar
    def join_sums(work):
        """Sums over the lanes, in all of them."""
        half = length // 2
        while half:
            for i in range(half):
                at, other = work + i * width, work + (i + half) * width
                a, b = read_block(at + _OTHERS), read_block(other + _OTHERS)
                total = a + b
                part = total - a
                lost = (a - (total - part)) + (b - part)
                lost += read_block(at + _LOW) + read_block(other + _LOW)
                write_block(at + _OTHERS, total)
                write_block(at + _LOW, lost)
                write_block(at + _DOT, read_block(at + _DOT) + read_block(other + _DOT))
            half //= 2
        for place in (_OTHERS, _LOW, _DOT):
            fill(work + place, read_block(work + place))

    def softmax_loop(args, dims, steps, plan):
        state, work, tile = stack(_LINE), stack(_WORK), stack(_TILE)
        places, mode = integers(stack(_TABLE)), integers(stack(_LINE))
        flags(state)
        x, out, features = plan[_PULLS], plan[_PULLS] + 1, dims[1]
        mode[_SHORT_ONES] = features <= _SHORT
        mode[_ACROSS] = features > _SHORT and steps[x] != size
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
            for turn in range(3):
                done = 0
                while done < features:
                    # as many blocks as stand side by side at once
                    many = 1
                    if mode[_PLAIN] and features - done >= length:
                        many = (features - done) // length
                    # the numbers of this block, and from lane to lane
                    lanes = min(length, features - done) if mode[_ACROSS] else samples
                    lane = out + 1 if mode[_ACROSS] else 0
                    for k in range(out + 1):
                        mode[_AT + k] = args[k] + first * steps[k] + done * steps[out + 1 + k]
                    own = tile + done * BLOCK if mode[_SHORT_ONES] else work + _X
                    rest = 0.0
                    if mode[_ACROSS]:
                        rest = np.inf if plan[_MINUS] else -np.inf
                    places[0] = own
                    if turn == 0 or not mode[_SHORT_ONES]:
                        k = out if turn == 2 and plan[_KEEPS] else x
                        stays = size if mode[_SHORT_ONES] == 0 else 0  # or is copied in any case
                        places[0] = get(mode[_AT + k], steps[lane + k], lanes, own, stays, rest)
                    last = turn + 3 if turn else 1
                    if turn and plan[_PULLS]:
                        place = work + _G
                        places[last] = get(mode[_AT], steps[lane], lanes, place, size, 0.0)
                        places[last + 1] = work + _DOT
                        last += 2
                    target = work + _OUT
                    if steps[lane + out] == size and lanes == length and not copies:
                        target = mode[_AT + out]
                    if turn == 1 and (mode[_SHORT_ONES] or not plan[_KEEPS]):
                        target = own if plan[_KEEPS] else work + _E
                    places[1], places[2] = work + _TOP, work + _OTHERS
                    if turn == 0:
                        places[2] = work + _TOP
                    elif turn == 1:
                        places[3], places[last] = work + _LOW, target
                        places[last + 1], places[last + 2] = work + _OTHERS, work + _LOW
                        places[last + 3] = work + _DOT
                    else:
                        places[3], places[4] = work + _TOTAL, work + _LOG
                        places[last] = target
                    for k in range(plan[_OPERANDS + turn] if many > 1 else 0):
                        # what is ours is the same for all
                        ours = work <= places[k] < work + _WORK
                        places[plan[_OPERANDS + turn] + k] = 0 if ours else BLOCK
                    call(plan[_LARGEST + turn], places, many, mode)
                    if turn and target == work + _OUT:
                        put(target, mode[_AT + out], steps[lane + out], lanes)
                    done += many * length if mode[_ACROSS] else 1
                if turn == 0 and mode[_ACROSS]:
                    join_maxima(work)
                if turn == 1:
                    if mode[_ACROSS]:
                        join_sums(work)
                    places[0] = places[2] = work + _OTHERS
                    places[1], places[3], places[4] = work + _LOW, work + _TOTAL, work + _LOG
                    call(plan[_SUMS], places, 1, mode)
        restore(state)
        return 0.0

    return softmax_loop
