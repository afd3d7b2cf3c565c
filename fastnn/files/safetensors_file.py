"""Files of the `safetensors` package: a header in JSON, then the arrays."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from .._core.extras import needed

__all__ = ["read", "write"]

_ENTRY = "fastnn"  # of the header's __metadata__: one, since the package sorts several by chance


def _package(module: str) -> Any:
    message = (
        ".safetensors files need the package safetensors: pip install 'fastnn-numba[files]'; "
        ".npz files need nothing"
    )
    with needed(message, "safetensors", "safetensors.numpy"):
        return import_module(module)


def write(file: IO[bytes], arrays: Mapping[str, npt.NDArray[Any]], text: str) -> None:
    """Write arrays, and a text into the header."""
    save = _package("safetensors.numpy").save
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    file.write(save(contiguous, {_ENTRY: text}))


def read(path: str) -> tuple[str | None, dict[str, npt.NDArray[Any]]]:
    """The text, None if there is none, and the arrays by name.

    The package looks whether the arrays fill the file before it makes any.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no such file, or damaged.

    """
    package = _package("safetensors")
    with open(path, "rb"):  # which says best why not
        pass
    try:
        with package.safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(_ENTRY)
            return text, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # the package has errors of its own, beside those of NumPy
        raise ValueError(f"it is no .safetensors file, or damaged: {error}") from error
