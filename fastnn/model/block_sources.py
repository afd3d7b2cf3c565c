"""Where a training in blocks gets them: lists, files, functions, and arrays that have chunks."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .._core.arrays import read
from .._core.foreign import shown
from .._core.mapped import Room, in_memory, load_npy, mapped_npy

__all__ = [
    "Source",
    "computed",
    "is_chunked",
    "numbered",
    "opened",
    "rooms",
    "source_of_arrays",
    "source_of_blocks",
]

_PARTS = "X", "t", "sample_weight"
_EXPECTED = "expected (X, t) or (X, t, sample_weight)"


class Source(NamedTuple):
    """Blocks, each a tuple of X, t and perhaps weights; what is not read yet is a path or lazy."""

    each: Callable[[], Iterator[Any]] | None  # all, as they come; None where each can be asked for
    one: Callable[[int], Any]  # the block of a number
    rows: tuple[int | None, ...] = ()  # of each; None: known when it is read

    @property
    def is_ordered(self) -> bool:
        """Whether the blocks come in an order of their own."""
        return self.each is not None


def is_chunked(value: Any) -> bool:
    """Whether it is an array of dask or zarr, which is read by its chunks."""
    package = type(value).__module__.partition(".")[0]
    return package in ("dask", "zarr") and hasattr(value, "chunks") and hasattr(value, "shape")


def source_of_blocks(blocks: Any, epochs: int) -> Source:
    """What `fit` was given in the place of X, without t.

    Raises
    ------
    TypeError
        For anything but blocks, and for an iterator, which is exhausted after the first of several
        epochs.
    ValueError, OSError
        For a list whose entries are no blocks, or name files that are none.

    """
    if isinstance(blocks, (list, tuple)):
        return _of_list(blocks)
    if hasattr(blocks, "dtype") or isinstance(blocks, (str, bytes, os.PathLike, dict)):
        raise TypeError(
            f"t is missing: X is {_kind(blocks)}, expected fit(X, t, ...); or a function or list "
            "of blocks, each (X, t)"
        )
    if hasattr(blocks, "__next__"):
        if epochs > 1:
            raise TypeError(
                f"blocks is {_kind(blocks)}, which can be gone through once, but epochs is "
                f"{epochs}: give a function that returns a new one for each epoch, or a list"
            )
        return Source(lambda: blocks, _none)
    if hasattr(blocks, "__iter__"):
        return Source(lambda: iter(blocks), _none)
    if not callable(blocks):
        raise TypeError(
            f"t is missing, and X is {_kind(blocks)}, expected blocks: a function that returns an "
            "iterable of (X, t), or a list of these"
        )
    return Source(lambda: _begun(blocks), _none)


def _kind(value: Any) -> str:
    return f"of type {type(value).__name__}"


def _none(number: int) -> Any:
    raise IndexError(f"block {number} cannot be asked for")


def _begun(function: Callable[[], Iterable[Any]]) -> Iterator[Any]:
    """The blocks of an epoch."""
    found = function()
    try:
        return iter(found)
    except TypeError:
        raise TypeError(
            f"blocks() returned {shown(found)}, {_kind(found)}, expected an iterable of (X, t)"
        ) from None


def _of_list(blocks: list[Any] | tuple[Any, ...]) -> Source:
    if not blocks:
        raise ValueError("blocks is empty, expected at least one (X, t)")
    rows = []
    for number, block in enumerate(blocks):
        try:
            rows.append(_rows(_checked(block)[0]))
        except (TypeError, ValueError, OSError) as error:
            hint = "; one block alone is given as [(X, t)]" if hasattr(block, "dtype") else ""
            raise numbered(error, f"blocks[{number}]", hint) from error
    return Source(None, blocks.__getitem__, tuple(rows))


def numbered(error: Exception, where: str, hint: str = "") -> Exception:
    """The same error, which says of which block it is."""
    if isinstance(error, OSError):
        known = type(error) if type(error).__module__ == "builtins" else OSError
        return known(error.errno, f"{where}: {error.strerror or error}", error.filename)
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"{where}: {error}{hint}")


def _checked(block: Any) -> list[Any]:
    """The parts of a block, of which no array is read; files are there."""
    if not isinstance(block, (tuple, list)):
        raise TypeError(f"this is {_kind(block)}, {_EXPECTED}")
    if len(block) not in (2, 3):
        missing = "t is missing: " if len(block) == 1 else ""
        raise ValueError(f"{missing}this is a {type(block).__name__} of {len(block)}, {_EXPECTED}")
    return [
        mapped_npy(name, part) if _is_path(part) else part
        for name, part in zip(_PARTS, block, strict=False)
    ]


def _is_path(value: Any) -> bool:
    return isinstance(value, (str, os.PathLike))


def _rows(array: Any) -> int | None:
    """How many samples an array has, if it is known."""
    shape = getattr(array, "shape", None)
    if shape is None:
        return len(array) if isinstance(array, (list, tuple)) else None
    return int(shape[0]) if len(shape) and shape[0] == shape[0] else None  # dask's NaN: unknown


def rooms() -> list[Room]:
    """Memory for the files and maps of a block."""
    return [Room() for _ in _PARTS]


def opened(block: Any, memory: list[Room]) -> list[Any]:
    """X and t of a block, perhaps weights; files and maps are read into this memory."""
    return [
        load_npy(name, part, room) if _is_path(part) else in_memory(part, room)
        for name, part, room in zip(_PARTS, _as_block(block), memory, strict=False)
    ]


def computed(parts: list[Any]) -> tuple[Any, Any, Any]:
    """X, t and weights, or None for these, of which none is lazy any more."""
    if any(is_chunked(part) and hasattr(part, "dask") for part in parts):
        parts = list(sys.modules["dask"].compute(*parts))  # at once: they may have parts in common
    X, t, *weights = parts
    return X, t, weights[0] if weights else None


def _as_block(block: Any) -> Any:
    """The block, which must be one; its files are looked at when they are read."""
    if not isinstance(block, (tuple, list)) or len(block) not in (2, 3):
        _checked(block)
    return block


def source_of_arrays(X: Any, t: Any, sample_weight: Any) -> Source:
    """Arrays of which at least one has chunks: a block for each of its chunks of rows."""
    arrays = [X, t] if sample_weight is None else [X, t, sample_weight]
    arrays = [
        value if hasattr(value, "shape") else read(name, value)
        for name, value in zip(_PARTS, arrays, strict=False)
    ]
    for name, array in zip(_PARTS, arrays, strict=False):
        if not len(array.shape):
            raise ValueError(f"{name} has shape (), expected (rows, …)")
    leader = next(array for array in arrays if is_chunked(array))
    sizes = _sizes(leader)
    if None in sizes:
        return _of_unknown_sizes(arrays, len(sizes))
    for name, array in zip(_PARTS[1:], arrays[1:], strict=False):
        if (rows := _rows(array)) != arrays[0].shape[0]:
            raise ValueError(f"{name} has {rows} rows, expected as many as X, {arrays[0].shape[0]}")
    ends = list(itertools.accumulate(map(int, sizes)))  # type: ignore[arg-type]
    spans = list(zip([0, *ends], ends, strict=False))

    def one(number: int) -> tuple[Any, ...]:
        first, end = spans[number]
        return tuple(_cut(array, first, end) for array in arrays)

    return Source(None, one, sizes)


def _cut(array: Any, first: int, end: int) -> Any:
    """Some rows: lazy of dask, read from zarr, a view of others."""
    part = array[first:end]
    return part if is_chunked(array) or isinstance(array, np.ndarray) else np.asarray(part)


def _sizes(array: Any) -> tuple[int | None, ...]:
    """Rows of each chunk."""
    first = array.chunks[0]
    if isinstance(first, tuple):  # dask
        return tuple(int(size) if size == size else None for size in first)
    rows = int(array.shape[0])
    return tuple(min(first, rows - begin) for begin in range(0, rows, first))


def _of_unknown_sizes(arrays: list[Any], count: int) -> Source:
    """Of dask's arrays whose chunks have no sizes yet: chunk by chunk, where all have as many."""
    for name, array in zip(_PARTS, arrays, strict=False):
        if not (hasattr(array, "numblocks") and array.numblocks[0] == count):
            raise ValueError(
                f"the chunks of X or t have unknown sizes, and {name} is not in as many: call "
                "compute_chunk_sizes() of the dask arrays first"
            )
    return Source(
        None,
        lambda number: tuple(array.blocks[number] for array in arrays),
        (None,) * count,
    )
