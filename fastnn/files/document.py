"""The text of a file that says what its arrays are: JSON, with a version and a checksum."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

__all__ = ["VERSION", "entry", "read", "written"]

VERSION = 1

Arrays = Mapping[str, npt.NDArray[Any]]


def written(description: Mapping[str, Any], arrays: Arrays) -> str:
    """A description as text, with the version and a checksum of it and the arrays."""
    return _json({"version": VERSION, "crc32": _checksum(description, arrays), **description})


def read(text: str, arrays: Arrays) -> dict[str, Any]:
    """The description that `written` made a text of.

    Raises
    ------
    ValueError
        If it is another text, of a later version, or if text or arrays are damaged.

    """
    try:
        found = json.loads(text, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise ValueError(f"its description is no JSON: {error}") from error
    except RecursionError as error:
        raise ValueError("its description is nested too deeply") from error
    version = entry(found, "version", int)
    if version != VERSION:
        raise ValueError(
            f"it is of version {version} of the format, and this fastnn knows {VERSION} only"
        )
    known = entry(found, "crc32", int)
    description = {key: value for key, value in found.items() if key not in ("version", "crc32")}
    if _checksum(description, arrays) != known:
        raise ValueError("its checksum is that of other contents: it was damaged, or changed")
    return description


def entry(mapping: Any, name: str, kind: type[Any] | tuple[type[Any], ...]) -> Any:
    """An entry of a mapping in JSON, which must be of a type."""
    if not isinstance(mapping, dict) or name not in mapping:
        raise ValueError(f"its description has no {name!r}")
    value = mapping[name]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        kinds = kind if isinstance(kind, tuple) else (kind,)
        expected = " or ".join(one.__name__ for one in kinds)
        raise ValueError(f"its description has {name}: {str(value)[:60]!r}, expected {expected}")
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"its description holds {name}, expected finite numbers")


def _json(value: Any) -> str:
    return json.dumps(value, sort_keys=True, allow_nan=False)


def _checksum(description: Mapping[str, Any], arrays: Arrays) -> int:
    """CRC-32 of the description, and of names, types, shapes and bytes of the arrays."""
    found = zlib.crc32(_json(description).encode())
    for name in sorted(arrays):
        array = arrays[name]
        plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        found = zlib.crc32(f"{name} {plain.dtype.str} {array.shape}".encode(), found)
        found = zlib.crc32(plain.reshape(-1).view(np.uint8).data, found)
    return found
