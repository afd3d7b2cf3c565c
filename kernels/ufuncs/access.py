"""Numbers at addresses, by dtype; float16 by its bits: not every CPU has instructions for it."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..codegen.declare import scalar
from ..codegen.intrinsics import bits_of, from_bits, numbers, singles
from ..codegen.vector_loops import BLOCK, halves

__all__ = ["ACCESS", "Access", "copying"]

_INFINITY = 0x7F800000  # float32


@scalar
def to_single(half):
    """The float32 equal to a float16, given by its bits."""
    h = np.int32(half)
    size = np.int32((h & np.int32(0x7FFF)) << np.int32(13))
    # both exponents count from another zero; a product makes subnormal numbers normal
    scaled = np.int32(bits_of(np.float32(from_bits(size) * np.float32(2.0**112))))
    beyond = np.int32(size | np.int32(_INFINITY))
    bits = beyond if size >= np.int32(0x7C00 << 13) else scaled
    sign = np.int32((h & np.int32(0x8000)) << np.int32(16))
    return from_bits(np.int32(bits | sign))


@scalar
def to_half(x):
    """The bits of the float16 nearest to a float32, ties to even."""
    bits = bits_of(x)
    size = np.int32(bits & np.int32(0x7FFFFFFF))
    odd = np.int32((size >> np.int32(13)) & np.int32(1))
    normal = np.int32(np.int32(size - np.int32(112 << 23)) + np.int32(0xFFF) + odd) >> np.int32(13)
    # adding 1/2 leaves so many bits as a subnormal float16 has, rounded
    half = np.float32(0.5)
    small = np.int32(bits_of(np.float32(abs(x) + half)) - bits_of(half))
    rounded = small if abs(x) < np.float32(2.0**-14) else normal
    rounded = np.int32(0x7C00) if abs(x) >= np.float32(65520.0) else rounded
    rounded = rounded if x == x else np.int32(0x7E00)
    return np.uint16(rounded | np.int32((bits >> np.int32(16)) & np.int32(0x8000)))


# With an index, and not at an address for each number, the compiler sees that numbers stand side by
# side, and takes many at once.


@scalar
def _single(address, i=0):
    return singles(address)[i]


@scalar
def _set_single(address, value, i=0):
    singles(address)[i] = value


@scalar
def _double(address, i=0):
    return numbers(address)[i]


@scalar
def _set_double(address, value, i=0):
    numbers(address)[i] = value


@scalar
def _half(address, i=0):
    return to_single(halves(address)[i])


@scalar
def _set_half(address, value, i=0):
    halves(address)[i] = to_half(value)


@scalar
def _singles(address):
    return singles(address)


@scalar
def _doubles(address):
    return numbers(address)


class Access(NamedTuple):
    """How numbers of a dtype are read and written, and those of the blocks that are worked on.

    ``read(address, i=0)``, ``write(address, value, i=0)``: the number i places further on.
    """

    read: Callable[..., Any]
    write: Callable[..., Any]
    read_block: Callable[..., Any]
    write_block: Callable[..., Any]
    pointer: Callable[..., Any]  # to the numbers of a block at an address
    size: int  # bytes of a number
    width: int  # and of a number of a block


ACCESS = {
    "e": Access(_half, _set_half, _single, _set_single, _singles, 2, 4),
    "f": Access(_single, _set_single, _single, _set_single, _singles, 4, 4),
    "d": Access(_double, _set_double, _double, _set_double, _doubles, 8, 8),
}


@functools.cache
def copying(letter):
    """Functions that fill a block with one number, and copy a piece of an array to it and back."""
    read, write, read_block, write_block, _, size, width = ACCESS[letter]
    length = BLOCK // width

    @scalar
    def fill(block, value):
        for i in range(length):
            write_block(block, value, i)

    @scalar
    def take(block, at, stride, count, rest):
        """So many numbers, `stride` bytes apart, to a block; the rest of it is that number."""
        for i in range(count, length):
            write_block(block, rest, i)
        if stride == size:
            for i in range(count):
                write_block(block, read(at, i), i)
            return
        for i in range(count):
            write_block(block, read(at + i * stride), i)

    @scalar
    def give(block, at, stride, count):
        """The first numbers of a block to where they belong."""
        if stride == size:
            for i in range(count):
                write(at, read_block(block, i), i)
            return
        for i in range(count):
            write(at + i * stride, read_block(block, i))

    return fill, take, give
