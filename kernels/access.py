"""Numbers at addresses, by dtype; float16 by its bits: not every CPU has instructions for it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .jit import bits_of, from_bits, numbers, scalar, singles
from .loops import halves

__all__ = ["ACCESS", "Access"]

_INFINITY = 0x7F800000  # float32


@scalar
def to_single(half):
    """The float32 equal to a float16, given by its bits."""
    h = np.int32(half)
    size = np.int32((h & np.int32(0x7FFF)) << np.int32(13))
    # both exponents count from another zero; a product makes subnormal numbers normal
    scaled = np.int32(bits_of(np.float32(from_bits(size) * np.float32(2.0**112))))
    beyond = np.int32(size | np.int32(_INFINITY))
    found = beyond if size >= np.int32(0x7C00 << 13) else scaled
    sign = np.int32((h & np.int32(0x8000)) << np.int32(16))
    return from_bits(np.int32(found | sign))


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
    found = small if abs(x) < np.float32(2.0**-14) else normal
    found = np.int32(0x7C00) if abs(x) >= np.float32(65520.0) else found
    found = found if x == x else np.int32(0x7E00)
    return np.uint16(found | np.int32((bits >> np.int32(16)) & np.int32(0x8000)))


@scalar
def _single(address):
    return singles(address)[0]


@scalar
def _set_single(address, value):
    singles(address)[0] = value


@scalar
def _double(address):
    return numbers(address)[0]


@scalar
def _set_double(address, value):
    numbers(address)[0] = value


@scalar
def _half(address):
    return to_single(halves(address)[0])


@scalar
def _set_half(address, value):
    halves(address)[0] = to_half(value)


class Access(NamedTuple):
    """How numbers of a dtype are read and written, and those of the blocks that are worked on."""

    read: Callable[..., Any]
    write: Callable[..., Any]
    read_block: Callable[..., Any]
    write_block: Callable[..., Any]
    size: int  # bytes of a number
    width: int  # and of a number of a block


ACCESS = {
    "e": Access(_half, _set_half, _single, _set_single, 2, 4),
    "f": Access(_single, _set_single, _single, _set_single, 4, 4),
    "d": Access(_double, _set_double, _double, _set_double, 8, 8),
}
