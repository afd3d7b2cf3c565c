"""Arguments of activations: arrays of floats, of the same shape, shared by threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.foreign import complete, not_numbers, shown
from .._core.threads import side_by_side

__all__ = [
    "PARALLEL",
    "as_floats",
    "checked_axis",
    "is_lazy",
    "on_threads",
    "same_shapes",
    "whole",
]

# From this number of elements on, several threads are faster: some 0.1 ms of work.
PARALLEL = 2**18


def is_lazy(value: Any) -> bool:
    """Whether it takes ufuncs into its own hands, as arrays of dask and xarray do."""
    return hasattr(value, "__array_ufunc__") and not isinstance(value, (np.ndarray, np.generic))


def as_floats(name: str, value: Any) -> npt.NDArray[Any]:
    """An array of a float dtype that ufuncs have a loop for; subclasses stay."""
    try:
        array: npt.NDArray[Any] = np.asanyarray(value)
    except ValueError as error:  # ragged lists
        raise ValueError(f"{name} is not an array of numbers: {error}") from error
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind not in "fiub" or (kind == "f" and size > 8):
        raise not_numbers(name, value, array, " of at most 64 bits")
    return array if kind == "f" else array.astype(np.float64)


def same_shapes(names: Sequence[str], arrays: Sequence[npt.NDArray[Any]]) -> None:
    """Refuse arrays of different shapes."""
    if any(array.shape != arrays[0].shape for array in arrays[1:]):
        shapes = " and ".join(f"{n} {a.shape}" for n, a in zip(names, arrays, strict=True))
        raise ValueError(f"{' and '.join(names)} must have the same shape, not {shapes}")


def whole(name: str, value: Any) -> npt.NDArray[Any]:
    """Floats, none of them masked: results of several numbers have no place for the mask."""
    return as_floats(name, complete(name, value))


def checked_axis(value: Any, what: str = "an int") -> int:
    """An axis, which is a whole number."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"axis must be {what}, not {shown(value)}")
    return int(value)


def on_threads(
    kernel: Callable[..., Any],
    arrays: Sequence[npt.NDArray[Any]],
    results: Sequence[npt.NDArray[Any]],
    threads: int,
) -> None:
    """``kernel(*arrays, out=results)``, by so many threads, each on its part of the first axis."""
    total = len(arrays[0])

    def part(thread: int) -> None:
        rows = slice(total * thread // threads, total * (thread + 1) // threads)
        kernel(*(a[rows] for a in arrays), out=tuple(a[rows] for a in results))

    side_by_side(threads, threads, lambda: part)
