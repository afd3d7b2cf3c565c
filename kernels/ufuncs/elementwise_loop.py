"""The loop of ufuncs that act on each number alone, on operands of any layout.

Whole blocks of contiguous operands are worked on where they are; a number that stays fills one
block for all of them; all else is copied to blocks and back.
"""

import functools
from typing import NamedTuple

import numpy as np

from ..codegen.cache_lines import LINE_BYTES
from ..codegen.compiler import once
from ..codegen.declare import address, scalar
from ..codegen.intrinsics import integers
from ..codegen.signature import INTS, Signature
from ..codegen.vector_loops import BLOCK, call_blocks, flags, flush, restore, stack, stream
from .access import ACCESS, copying

__all__ = ["UFUNC_LOOP", "loop_address", "plan"]

_ALIGNED = 2**15  # bytes of an output from which on blocks begin with a cache line
_STREAM = 2**24  # bytes of an output from which on it goes past the caches
_CHUNK = 16  # blocks that are worked on before they go past the caches
_OPERANDS = 6  # at most
_BLOCKS, _TABLE, _CHUNKS = _OPERANDS * BLOCK, _OPERANDS * 16, _CHUNK * BLOCK


class _Call(NamedTuple):
    """One call of a loop: pointers and addresses, which cost nothing to pass on."""

    args: object  # addresses of the operands
    steps: object  # bytes from number to number of each
    nin: int  # operands that are read
    operands: int  # and all
    target: int  # address of the function for blocks
    addresses: object  # where the operands of blocks stand, see `vector_loops.each`
    room: int  # address of a block for each operand
    chunk: int  # address of blocks of results on their way past the caches


@functools.cache
def _surveying(letter):
    """Function: whether operands are worked on where they are, and results go past the caches.

    Numbers that stay fill their blocks.
    """
    read, size, copies = ACCESS[letter].read, ACCESS[letter].size, letter == "e"
    fill, _, _ = copying(letter)

    @scalar
    def survey(call, n):
        args, steps, addresses = call.args, call.steps, call.addresses
        nin, operands, out = call.nin, call.operands, call.args[call.nin]
        plain = not copies
        streams = operands - nin == 1 and steps[nin] == size and n * size >= _STREAM and not copies
        for k in range(operands):
            stays = k < nin and steps[k] == 0
            plain = plain and (steps[k] == size or stays)
            streams = streams and (k == nin or args[k] != out)
            addresses[k], addresses[operands + k] = call.room + k * BLOCK, 0 if stays else BLOCK
            if stays and n:
                fill(call.room + k * BLOCK, read(args[k]))
        return plain, streams and out % size == 0  # else no number begins with a cache line

    return survey


@functools.cache
def _running_in_place(letter):
    """Function: whole blocks where they are, from a number on; returns how many numbers."""
    size, typed, length = ACCESS[letter].size, ACCESS[letter].pointer, BLOCK // ACCESS[letter].width

    @scalar
    def run_in_place(call, start, n, streams):
        addresses, many = call.addresses, (n - start) // length
        nin, operands = call.nin, call.operands
        for k in range(operands):
            if addresses[operands + k]:
                addresses[k] = call.args[k] + start * size
        if streams:
            many, addresses[nin] = min(many, _CHUNK), call.chunk
        call_blocks(call.target, addresses, many, typed(0))
        if streams:
            for b in range(many):
                stream(call.chunk + b * BLOCK, call.args[nin] + start * size + b * BLOCK)
        return many * length

    return run_in_place


@functools.cache
def _running_on_copies(letter):
    """Function: a block from a number on, of copies where it must be."""
    read, size, typed = ACCESS[letter].read, ACCESS[letter].size, ACCESS[letter].pointer
    _, take, give = copying(letter)
    length, copies = BLOCK // ACCESS[letter].width, letter == "e"

    @scalar
    def run_on_copies(call, start, count, streams):
        addresses, nin, operands = call.addresses, call.nin, call.operands
        for k in range(operands):
            block, stride = call.room + k * BLOCK, call.steps[k]
            at = call.args[k] + start * stride
            addresses[k] = block
            if k >= nin or stride == 0:
                continue
            if stride == size and count == length and not copies:
                addresses[k] = at
                continue
            take(block, at, stride, count, read(at))
        call_blocks(call.target, addresses, 1, typed(0))
        for k in range(nin, operands):
            at, stride = call.args[k] + start * call.steps[k], call.steps[k]
            if streams and count == length:
                stream(addresses[k], at)
                continue
            give(addresses[k], at, stride, count)

    return run_on_copies


UFUNC_LOOP = Signature("ufunc loop", args=INTS, dims=INTS, steps=INTS, plan=INTS)


@once
def plan(target, nin, nout):
    """What a loop wants to know of its ufunc; kept, since NumPy has its address only."""
    return np.array([target, nin, nin + nout], np.int64)


@functools.cache
def _loop(letter):
    """C function: the loop of all ufuncs for a dtype, by their `plan`."""
    size, length = ACCESS[letter].size, BLOCK // ACCESS[letter].width
    survey = _surveying(letter)
    run_in_place, run_on_copies = _running_in_place(letter), _running_on_copies(letter)

    def ufunc_loop(args, dims, steps, plan):
        state = stack(LINE_BYTES)
        flags(state)
        room, chunk, addresses = stack(_BLOCKS), stack(_CHUNKS), integers(stack(_TABLE))
        call = _Call(args, steps, plan[1], plan[2], plan[0], addresses, room, chunk)
        n, out = dims[0], args[plan[1]]
        plain, streams = survey(call, n)
        first = 0
        if streams or (plain and n * size >= _ALIGNED and out % size == 0):
            first = (-out % LINE_BYTES) // size  # up to where a cache line begins
        start = 0
        while start < n:
            count = min(first if first and not start else length, n - start)
            if plain and count == length:
                start += run_in_place(call, start, n, streams)
                continue
            run_on_copies(call, start, count, streams)
            start += count
        if streams:
            flush()
        restore(state)
        return 0.0

    return ufunc_loop


def loop_address(letter):
    """The address of the loop, which wants a `plan`."""
    return address(_loop(letter), np.float64, UFUNC_LOOP)
