"""Arrays at the border: whatever the caller has becomes what the kernels take, or a clear error.

Kernels take C-contiguous, aligned, native, writable float32 or float64 arrays, so that each is
compiled once a dtype.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..kernels.codegen import headers
from ..kernels.codegen.cache_lines import LINE_BYTES
from ..kernels.ufuncs.arguments import overlaps_itself, refuse_masked, refuse_self_overlap
from .foreign import complete, item, not_numbers, shown

__all__ = [
    "Array",
    "aligned",
    "as_samples",
    "check_out",
    "convert",
    "count",
    "float_dtype",
    "number",
    "overlaps_itself",
    "plain",
    "read",
    "weights",
]

Array: TypeAlias = npt.NDArray[np.floating[Any]]


_FLOATS = np.dtype(np.float32), np.dtype(np.float64)


def aligned(size: int, dtype: npt.DTypeLike) -> Array:
    """An uninitialised vector that begins with a cache line, where vector loads are fastest."""
    itemsize = np.dtype(dtype).itemsize
    space = np.empty(size * itemsize + LINE_BYTES, np.uint8)
    start = -headers.address(space) % LINE_BYTES
    vector: Array = space[start : start + size * itemsize].view(dtype)
    return vector


def float_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    """The dtype of a layer, float32 or float64.

    >>> float_dtype("f4")
    dtype('float32')
    """
    try:
        native = np.dtype(dtype).newbyteorder("=")
    except TypeError as error:
        raise TypeError(f"dtype must be float32 or float64, not {dtype!r}") from error
    for known in (np.dtype(np.float32), np.dtype(np.float64)):
        if native == known:
            return known  # the one object of that dtype, which is found by identity
    raise TypeError(f"dtype must be float32 or float64, not {native}")


def convert(name: str, value: npt.ArrayLike, dtype: np.dtype[Any] | None = None) -> Array:
    """`value` as a plain array of `dtype` (default: float32 stays, all else becomes float64).

    An array that already fits is returned itself, so it must not be written to.
    """
    if type(value) is np.ndarray:
        given = value.dtype
        if given == dtype or (dtype is None and given in _FLOATS and given.isnative):
            return plain(value)
    array = read(name, value)
    if dtype is None:
        single = array.dtype.kind == "f" and array.dtype.itemsize == 4
        dtype = np.dtype(np.float32 if single else np.float64)
    with np.errstate(over="ignore"):  # too large for float32: inf, refused where it matters
        return plain(np.asarray(array, dtype=dtype))


def read(name: str, value: npt.ArrayLike) -> npt.NDArray[Any]:
    """`value` as an array of real numbers of any dtype; no masked or missing ones."""
    given = complete(name, value)
    try:
        array = np.asarray(given)
    except ValueError as error:  # ragged lists
        raise ValueError(f"{name} is not an array of numbers: {error}") from error
    if array.dtype.kind not in "fiub":
        raise not_numbers(name, value, array)
    return array


def plain(array: Array) -> Array:
    """The array as kernels read it; a copy only where its layout asks for one."""
    flags = array.flags
    if not flags.c_contiguous:
        return np.ascontiguousarray(array)
    if not flags.aligned:
        return array.copy()
    if flags.writeable or not array.size:
        return array
    return np.asarray(_Writable(array))


class _Writable:
    """A read-only array offered as a writable one, without copying.

    numba compiles again for read-only arrays. No kernel writes to its inputs.
    """

    def __init__(self, array: Array) -> None:
        self.array = array  # keeps the memory alive
        self.__array_interface__ = {
            "version": 3,
            "shape": array.shape,
            "typestr": array.dtype.str,
            "data": (array.__array_interface__["data"][0], False),
        }


def check_out(out: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse what a result of this shape and dtype cannot be written to."""
    if not isinstance(out, np.ndarray):
        raise TypeError(f"out must be an array, not a {type(out).__name__}")
    if out.shape != shape:
        raise ValueError(f"out has shape {out.shape}, expected {shape}")
    if out.dtype != dtype:
        raise TypeError(f"out has dtype {out.dtype}, expected {dtype}")
    if not out.flags.writeable:
        raise ValueError("out is read-only, expected an array that can be written to")
    refuse_masked("out", out)
    refuse_self_overlap("out", out)


def number(name: str, value: Any, least: float = -math.inf) -> float:
    """A finite real number, at least `least`.

    >>> number("std", 1, least=0.0)
    1.0
    """
    # float() reads text, and drops what is imaginary, masked or a unit of time
    kind = getattr(getattr(value, "dtype", None), "kind", "O")
    if isinstance(value, (str, bytes, bytearray)) or kind not in "fiubO":
        raise TypeError(f"{name} must be a number, not {shown(value)}")
    refuse_masked(name, value)
    try:
        result = float(value)
    except OverflowError:  # an int beyond all floats
        result = math.inf
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name} must be a number, not {shown(value)}") from error
    if not math.isfinite(result):
        raise ValueError(f"{name} must be a finite number, not {result!r}")
    if result < least:
        raise ValueError(f"{name} must be at least {least:g}, but is {result!r}")
    return result


def positive(name: str, value: Any) -> float:
    """A finite real number above 0."""
    result = number(name, value, least=0.0)
    if result == 0.0:
        raise ValueError(f"{name} must be above 0, but is {result!r}")
    return result


def count(name: str, value: Any, least: int) -> int:
    """A whole number, at least `least`, that compiled code can count to.

    >>> count("epochs", 3, least=0)
    3
    """
    if isinstance(value, (bool, np.timedelta64)) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be an int, not {shown(value)}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, but is {value}")
    if value >= 2**63:
        raise ValueError(f"{name} must be at least {least} and below 2**63, but is {value}")
    return int(value)


def weights(name: str, value: npt.ArrayLike, dtype: np.dtype[Any]) -> Array:
    """Finite numbers, at least 0."""
    result = convert(name, value, dtype)
    bad = ~(np.isfinite(result) & (result >= 0))
    if bad.any():
        index = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(
            f"{item(name, index)} is {result[index]}, expected a finite number, at least 0"
        )
    return result


def as_samples(
    name: str, value: npt.ArrayLike, width: int, dtype: np.dtype[Any], labels: bool = False
) -> Array:
    """A matrix of one sample a row with `width` features; labels: a vector of them would do."""
    samples = convert(name, value, dtype)
    if samples.ndim != 2 or samples.shape[1] != width:
        hint = ""
        if samples.ndim == 1 and width == 1:
            hint = f"; {name}.reshape(-1, 1) makes a column of it"
        elif samples.ndim == 1 and samples.size == width:
            hint = f"; {name}.reshape(1, -1) makes one sample of it"
        elif labels and samples.ndim == 2 and samples.shape[1] == 1:
            hint = f"; labels go as (rows,): numpy.ravel({name}) makes them of it"
        raise ValueError(f"{name} has shape {samples.shape}, expected (rows, {width}){hint}")
    return samples
