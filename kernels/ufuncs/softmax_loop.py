"""Loops of the softmax family's ufuncs, which work along one axis of arrays of any layout.

Each sums exp(x - max) in blocks of numbers. A block is a piece of one long row, and what is found
in its lanes is put together in the end; or, where rows are short or the samples stand side by side,
a block is one feature of many samples. Short contiguous rows are transposed into such blocks and
back.
"""

import functools
from typing import NamedTuple

import numpy as np

from ..codegen.cache_lines import LINE_BYTES
from ..codegen.compiler import once
from ..codegen.declare import address, scalar
from ..codegen.intrinsics import integers
from ..codegen.signature import INTS, Signature
from ..codegen.vector_loops import BLOCK, BLOCKS, blocks, call_blocks, flags, restore, stack
from ..gemm.registers import vector_lanes
from ..gemm.transpose import transpose_vectors
from .access import ACCESS, copying
from .softmax_formulas import TABLE, maximum, steps

# Features up to which many samples are worked on together, in memory of our own; and if that many
# samples, at least, stand in contiguous rows.
_SHORT, _TRANSPOSED_SHORT, _SAMPLES = 32, 256, 16
_TILE, _TABLE = _TRANSPOSED_SHORT * BLOCK, 160

# Blocks of what is known of each sample: max x, Σ exp(x - max) - 1 and what that lost to rounding,
# Σ exp(x - max), its logarithm, Σ g exp(x - max) or Σ g; and four for numbers under way.
_TOP, _OTHERS, _LOW, _TOTAL, _LOG, _DOT, _X, _G, _E, _OUT = (k * BLOCK for k in range(10))
_WORK = 10 * BLOCK

# The steps of a plan in turn, and what else stands in it.
_LARGEST, _SUMMING, _FINISH, _SUMS = range(4)
_OPERANDS, _MINUS, _KEEPS, _IS_VJP, _KNOWN = 4, 8, 9, 10, 11

# What a loop keeps in memory: of registers the compiler would make a loop for every combination.
# Whether rows are short, a block goes across the features of one sample, it does so in plain
# memory, rows are transposed; then the addresses of the operands of a block.
_SHORT_ROWS, _ACROSS, _PLAIN, _TRANSPOSED, _AT = range(5)


@once
def plan(name, dtype):
    """What `loop` reads: addresses of the steps as functions of blocks, and what they need."""
    spec, formulas = TABLE[name], steps(name)
    addresses = [address(blocks(*step), dtype, BLOCKS) for step in formulas]
    operands = [takes + gives for _, takes, gives in formulas]
    return np.array(
        [*addresses, *operands, spec.minus, spec.keeps, spec.is_vjp, spec.known], np.int64
    )


class _Call(NamedTuple):
    """One call of a loop: pointers and addresses, which cost nothing to pass on."""

    args: object  # addresses of the operands; of a vector-Jacobian product g comes first, then x
    strides: object  # of each operand from sample to sample, then from feature to feature
    plan: object
    mode: object
    addresses: object  # where the operands of a step stand, see `vector_loops.each`
    work: int  # addresses of memory: blocks of what is known, x and g of many samples
    tile: int
    g_tile: int


class _Block(NamedTuple):
    """A block of a step."""

    stage: int  # the step
    lanes: int  # numbers of the block
    lane: int  # which stride leads from lane to lane
    own: int  # address of our own memory for it


@scalar
def _nothing(work):
    pass


@functools.cache
def _transposing(letter):
    """Transpose rows, so many bytes apart, to columns; the last fills up those that have room.

    mode: any integer that can be read.
    """
    width, typed = ACCESS[letter].width, ACCESS[letter].pointer

    @scalar
    def transpose(rows, row_stride, n_columns, n_rows, out, out_stride, room, mode):
        source, target = typed(rows), typed(out)
        for first in range(0, room, vector_lanes(source)):
            transpose_vectors(
                source, row_stride // width, n_columns, mode, -1 - first, n_rows - 1,
                target, out_stride // width, first, room,
            )  # fmt: skip

    return transpose


# The compiler must know how many lanes a step of folding takes, to take them at once.


@functools.cache
def _folded_maxima(letter, half):
    """Function: the largest of the lanes, in the first."""
    rest = _folded_maxima(letter, half // 2) if half > 1 else _nothing
    read_block, write_block = ACCESS[letter].read_block, ACCESS[letter].write_block

    @scalar
    def fold(work):
        top = work + _TOP
        for i in range(half):
            write_block(top, maximum(read_block(top, i), read_block(top, i + half)), i)
        rest(work)

    return fold


@functools.cache
def _folded_sums(letter, half):
    """Function: sums over the lanes, in the first."""
    rest = _folded_sums(letter, half // 2) if half > 1 else _nothing
    read_block, write_block = ACCESS[letter].read_block, ACCESS[letter].write_block

    @scalar
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

    return fold


@functools.cache
def _joining(letter):
    """Functions: the largest of the lanes, in all of them; and sums over them, in all."""
    fill, _, _ = copying(letter)
    read_block, half = ACCESS[letter].read_block, BLOCK // ACCESS[letter].width // 2
    fold_maxima, fold_sums = _folded_maxima(letter, half), _folded_sums(letter, half)

    @scalar
    def join_maxima(work):
        fold_maxima(work)
        fill(work + _TOP, read_block(work + _TOP))

    @scalar
    def join_sums(work):
        fold_sums(work)
        for offset in (_OTHERS, _LOW, _DOT):
            fill(work + offset, read_block(work + offset))

    return join_maxima, join_sums


@functools.cache
def _choosing(letter):
    """Function: how samples of so many features are worked on, by the operands' strides."""
    size, copies = ACCESS[letter].size, letter == "e"

    @scalar
    def choose_mode(call, n_samples, n_features):
        mode, strides = call.mode, call.strides
        x = call.plan[_IS_VJP]
        out = x + 1
        mode[_TRANSPOSED] = n_features <= (_TRANSPOSED_SHORT if n_samples >= _SAMPLES else _SHORT)
        for k in range(out + 1):
            rows = strides[out + 1 + k] == size and strides[k] % size == 0 and not copies
            mode[_TRANSPOSED] = mode[_TRANSPOSED] and rows
        mode[_SHORT_ROWS] = n_features <= _SHORT or mode[_TRANSPOSED]
        mode[_ACROSS] = not mode[_SHORT_ROWS] and strides[x] != size
        mode[_PLAIN] = mode[_ACROSS] and not copies
        for k in range(out + 1):
            mode[_PLAIN] = mode[_PLAIN] and strides[out + 1 + k] == size

    return choose_mode


@functools.cache
def _beginning(letter):
    """Function: nothing is known of some samples; their rows are transposed, if they are to be."""
    fill, _, _ = copying(letter)
    write_block, length = ACCESS[letter].write_block, BLOCK // ACCESS[letter].width
    transpose = _transposing(letter)

    @scalar
    def begin(call, first, n_samples, n_features):
        args, strides, mode, work = call.args, call.strides, call.mode, call.work
        fill(work + _TOP, -np.inf)
        fill(work + _OTHERS, 0.0 if mode[_ACROSS] else -1.0)
        write_block(work + _OTHERS, -1.0)  # of the sum over a row, less one once
        fill(work + _LOW, 0.0)
        fill(work + _DOT, 0.0)
        if mode[_TRANSPOSED]:
            x = call.plan[_IS_VJP]
            at = args[x] + first * strides[x]
            transpose(at, strides[x], n_features, n_samples, call.tile, BLOCK, length, mode)
            if x:
                at = args[0] + first * strides[0]
                transpose(at, strides[0], n_features, n_samples, call.g_tile, BLOCK, length, mode)

    return begin


@functools.cache
def _getting(letter):
    """Function: the address of a block: its own if it has this stride, or of a copy.

    The copy goes to the address `copy`, and is filled up with `rest`.
    """
    copies, length = letter == "e", BLOCK // ACCESS[letter].width
    _, take, _ = copying(letter)

    @scalar
    def get(at, stride, lanes, copy, stays, rest):
        if stride == stays and lanes == length and not copies:
            return at
        take(copy, at, stride, lanes, rest)
        return copy

    return get


@functools.cache
def _reading(letter):
    """Function: set the addresses of what a block reads; returns how many operands these are."""
    size, get = ACCESS[letter].size, _getting(letter)

    @scalar
    def read(call, block):
        plan, mode, strides = call.plan, call.mode, call.strides
        addresses, work = call.addresses, call.work
        stage, lane, lanes = block.stage, block.lane, block.lanes
        x = plan[_IS_VJP]
        rest = 0.0
        if mode[_ACROSS] and not plan[_KNOWN]:
            rest = np.inf if plan[_MINUS] else -np.inf
        addresses[0] = block.own
        if not (mode[_TRANSPOSED] or (stage > plan[_KNOWN] and mode[_SHORT_ROWS])):
            k = x + 1 if stage == 2 and plan[_KEEPS] else x
            stays = size if mode[_SHORT_ROWS] == 0 else 0  # or is copied in any case
            addresses[0] = get(mode[_AT + k], strides[lane + k], lanes, block.own, stays, rest)
        last = stage + 3 if stage else 1
        if stage and x:
            addresses[last] = call.g_tile
            if not mode[_TRANSPOSED]:
                addresses[last] = get(mode[_AT], strides[lane], lanes, work + _G, size, 0.0)
            addresses[last + 1] = work + _DOT
            last += 2
        addresses[1], addresses[2] = work + _TOP, work + _OTHERS
        if stage == 1:
            addresses[3] = work + _LOW
        elif stage == 2:
            addresses[3], addresses[4] = work + _TOTAL, work + _LOG
        return last

    return read


@functools.cache
def _writing(letter):
    """Function: set the addresses of what a block writes, from the last on; returns its target."""
    size, copies, length = ACCESS[letter].size, letter == "e", BLOCK // ACCESS[letter].width

    @scalar
    def write(call, block, last):
        mode, addresses, work = call.mode, call.addresses, call.work
        out, keeps = call.plan[_IS_VJP] + 1, call.plan[_KEEPS]
        target = work + _OUT
        if mode[_TRANSPOSED]:
            target = block.own
        elif call.strides[block.lane + out] == size and block.lanes == length and not copies:
            target = mode[_AT + out]
        if block.stage == 1 and (mode[_SHORT_ROWS] or not keeps):
            target = block.own if keeps else work + _E
        if block.stage == 0:
            addresses[2] = work + _TOP
        else:
            addresses[last] = target
        if block.stage == 1:
            addresses[last + 1], addresses[last + 2] = work + _OTHERS, work + _LOW
            addresses[last + 3] = work + _DOT
        return target

    return write


@functools.cache
def _running(letter):
    """Function: a step for as many blocks as stand side by side; returns the features done."""
    length, typed = BLOCK // ACCESS[letter].width, ACCESS[letter].pointer
    read, write, (_, _, give) = _reading(letter), _writing(letter), copying(letter)

    @scalar
    def run(call, stage, first, n_samples, done, n_features):
        plan, mode, addresses, work = call.plan, call.mode, call.addresses, call.work
        strides, out = call.strides, plan[_IS_VJP] + 1
        many = n_features if mode[_TRANSPOSED] else 1
        if mode[_PLAIN] and n_features - done >= length:
            many = (n_features - done) // length
        for k in range(out + 1):
            mode[_AT + k] = call.args[k] + first * strides[k] + done * strides[out + 1 + k]
        block = _Block(
            stage, min(length, n_features - done) if mode[_ACROSS] else n_samples,
            out + 1 if mode[_ACROSS] else 0,
            call.tile + done * BLOCK if mode[_SHORT_ROWS] else work + _X,
        )  # fmt: skip
        target = write(call, block, read(call, block))
        for k in range(plan[_OPERANDS + stage] if many > 1 else 0):
            # what is ours is the same for all
            ours = work <= addresses[k] < work + _WORK
            addresses[plan[_OPERANDS + stage] + k] = 0 if ours else BLOCK
        call_blocks(plan[_LARGEST + stage], addresses, many, typed(0))
        if stage and target == work + _OUT:
            give(target, mode[_AT + out], strides[block.lane + out], block.lanes)
        return done + (many * length if mode[_ACROSS] else many)

    return run


@functools.cache
def _finishing_sums(letter):
    """Function: Σ and log Σ from what is known of the sums."""
    typed = ACCESS[letter].pointer

    @scalar
    def finish_sums(call):
        addresses, work = call.addresses, call.work
        addresses[0] = addresses[2] = work + _OTHERS
        addresses[1], addresses[3], addresses[4] = work + _LOW, work + _TOTAL, work + _LOG
        call_blocks(call.plan[_SUMS], addresses, 1, typed(0))

    return finish_sums


SOFTMAX_LOOP = Signature("softmax loop", args=INTS, dims=INTS, steps=INTS, plan=INTS)


@functools.cache
def loop(letter):
    """C function: the loop of a ufunc with the signature (n)->(n), or (n),(n)->(n) of a product.

    A product takes g first, then x. plan: see `plan`.
    """
    length, transpose = BLOCK // ACCESS[letter].width, _transposing(letter)
    choose_mode, begin, run = _choosing(letter), _beginning(letter), _running(letter)
    (join_maxima, join_sums), finish_sums = _joining(letter), _finishing_sums(letter)

    def softmax_loop(args, dims, steps, plan):
        state, work, tile, g_tile = stack(LINE_BYTES), stack(_WORK), stack(_TILE), stack(_TILE)
        addresses, mode = integers(stack(_TABLE)), integers(stack(LINE_BYTES))
        flags(state)
        call = _Call(args, steps, plan, mode, addresses, work, tile, g_tile)
        n_features, out = dims[1], plan[_IS_VJP] + 1
        choose_mode(call, dims[0], n_features)
        for first in range(0, dims[0], 1 if mode[_ACROSS] else length):
            n_samples = min(1 if mode[_ACROSS] else length, dims[0] - first)
            begin(call, first, n_samples, n_features)
            for stage in range(plan[_KNOWN], 3):
                done = 0
                while done < n_features:
                    done = run(call, stage, first, n_samples, done, n_features)
                if stage == 0 and mode[_ACROSS]:
                    join_maxima(work)
                if stage == 1 and mode[_ACROSS]:
                    join_sums(work)
                if stage == 1 and not plan[_KNOWN]:
                    finish_sums(call)
            if mode[_TRANSPOSED]:
                at = args[out] + first * steps[out]
                transpose(tile, BLOCK, n_samples, n_features, at, steps[out], n_features, mode)
        restore(state)
        return 0.0

    return softmax_loop
