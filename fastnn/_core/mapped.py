"""Memory maps and ``.npy`` files, read so that a file does not come to stay in memory."""

from __future__ import annotations

import mmap
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from .arrays import aligned

__all__ = ["Room", "in_memory", "load_npy", "mapped_npy", "release"]


def release(array: Any) -> None:
    """Let the system take back the pages of a memory map: the file has what is in them.

    Those of ``mode="c"`` stay, for no file has them. What is no memory map is left alone.
    """
    held = getattr(array, "_mmap", None)
    if held is None or array.mode == "c" or not hasattr(held, "madvise") or not array.size:
        return
    begin = np.frombuffer(held, np.uint8).__array_interface__["data"][0]
    low, high = np.lib.array_utils.byte_bounds(array)
    first = max(0, low - begin) // mmap.PAGESIZE * mmap.PAGESIZE
    held.madvise(mmap.MADV_DONTNEED, first, min(high - begin, len(held)) - first)


class Room:
    """Memory that one array after the other is read into.

    New memory costs the system's clearing of its pages, which takes longer than to read into them.
    """

    def __init__(self) -> None:
        self._memory = np.empty(0, np.uint8)

    def bytes(self, size: int) -> npt.NDArray[np.uint8]:
        """So many bytes; what was here before is gone."""
        if self._memory.size < size:
            self._memory = np.empty(0, np.uint8)  # before there is more
            self._memory = aligned(size, np.uint8)  # type: ignore[assignment]
        return self._memory[:size]


def in_memory(array: Any, room: Room) -> Any:
    """A memory map as an array in this room; anything else as it is."""
    if not isinstance(array, np.memmap) or array.dtype.hasobject:
        return array
    copy = room.bytes(array.nbytes).view(array.dtype).reshape(array.shape)
    np.copyto(copy, array)
    release(array)
    return copy


def mapped_npy(name: str, path: str | os.PathLike[str]) -> Any:
    """The map of an ``.npy`` file, of which nothing is read but its header.

    Raises
    ------
    OSError
        If there is no such file, or it cannot be read.
    ValueError
        If it is no ``.npy`` file, one of Python objects, or cut off.

    """
    try:
        return np.lib.format.open_memmap(os.fspath(path), mode="r")
    except ValueError as error:
        raise ValueError(f"{name} is {os.fspath(path)!r}, expected an .npy file: {error}") from None


def load_npy(name: str, path: str | os.PathLike[str], room: Room) -> npt.NDArray[Any]:
    """The array in an ``.npy`` file, read into this room; see `mapped_npy`."""
    # not from the map, whose pages would be in memory a second time
    found = mapped_npy(name, path)
    memory = room.bytes(found.nbytes)
    left = memory.data
    with open(path, "rb") as file:
        file.seek(found.offset)
        while left and (count := file.readinto(left)):
            left = left[count:]
    if left:
        raise ValueError(f"{name} is {os.fspath(path)!r}, which is being cut off as it is read")
    array = memory.view(found.dtype)
    order: Any = "C" if found.flags.c_contiguous else "F"
    shaped: npt.NDArray[Any] = array.reshape(found.shape, order=order)
    return shaped
