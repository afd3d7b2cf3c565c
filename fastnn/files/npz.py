"""NumPy's archives of arrays: written by NumPy, read without pickles and within the file's size."""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
import numpy.typing as npt

__all__ = ["is_one", "read", "write"]

_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_KINDS = "fiU"  # numbers and text: nothing that Python would have to make


def write(file: IO[bytes], arrays: Mapping[str, Any]) -> None:
    """Write arrays, as they are, without compression."""
    np.savez(file, **arrays)


def is_one(path: str) -> bool:
    """Whether a file begins as such an archive does."""
    with open(path, "rb") as file:
        return file.read(2) == b"PK"


def read(path: str) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file, by name.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no such file, or damaged.

    """
    with open(path, "rb") as file:
        if not zipfile.is_zipfile(file):
            raise ValueError("it is no .npz file")
        try:
            return _arrays(file, os.fstat(file.fileno()).st_size)
        except Exception as error:  # zipfile and NumPy raise a dozen kinds for damaged files
            raise ValueError(f"it is damaged: {error}") from error


def _arrays(file: IO[bytes], length: int) -> dict[str, npt.NDArray[Any]]:
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("its arrays are compressed, expected as numpy.savez writes them")
        claimed = sum(max(member.file_size, member.compress_size) for member in members)
        if claimed > length:
            raise ValueError(f"its arrays claim {claimed} bytes, more than the file's {length}")
        names = [member.filename.removesuffix(".npy") for member in members]
        if len(set(names)) < len(names):
            raise ValueError("it holds two arrays of one name")
        return {
            name: _array(name, archive.read(member))
            for name, member in zip(names, members, strict=True)
        }


def _array(name: str, data: bytes) -> npt.NDArray[Any]:
    """An array from the bytes of an .npy file, if its header tells as many as there are."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"{name} is written in version {version} of NumPy's format")
    shape, fortran_order, dtype = _HEADERS[version](stream)
    if dtype.kind not in _KINDS:
        raise ValueError(f"{name} has dtype {dtype}, expected numbers or text")
    size, begin = math.prod(shape), stream.tell()
    if size * dtype.itemsize != len(data) - begin:
        raise ValueError(f"{name} has shape {shape} of {dtype}, but {len(data) - begin} bytes")
    vector = np.frombuffer(data, dtype, size, begin)
    return vector.reshape(shape, order="F" if fortran_order else "C")
