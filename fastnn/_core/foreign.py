"""What other libraries keep numbers in: masked arrays, columns that may miss values, text."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..kernels.ufuncs.arguments import refuse_masked

__all__ = ["complete", "item", "not_numbers", "shown"]

_LONGEST = 60  # characters of a value in a message


def complete(name: str, value: Any) -> Any:
    """The value, if nothing in it is masked or missing; nullable columns as an array.

    Those are columns with a dtype of pandas, such as Int64, Float64, boolean or one of pyarrow,
    which NumPy would take for objects. pandas is never imported.
    """
    if type(value) is np.ndarray:
        return value
    refuse_masked(name, value)
    columns = _columns(value)
    if not any(_is_nullable(column) for _, column in columns):
        return value
    for label, column in columns:
        if _is_nullable(column) and (missing := np.asarray(column.isna())).any():
            index = int(missing.argmax())
            where = item(name, (index,))
            if label is not None:
                where = f"row {index} of column {label!r} of {name}"
            raise ValueError(
                f"{where} is missing, expected a number: fill missing values, as with "
                f"{name}.fillna(0.0), or leave their samples out"
            )
    if not all(_is_numeric(column) for _, column in columns):
        return value
    arrays = [
        np.asarray(column, dtype=getattr(column.dtype, "numpy_dtype", None))
        for _, column in columns
    ]
    return arrays[0] if hasattr(value, "dtype") else np.column_stack(arrays)


def _columns(value: Any) -> list[tuple[Any, Any]]:
    """Names and columns of a table; of a single column with a dtype it alone, without a name."""
    if hasattr(value, "dtype"):
        return [(None, value)]
    if hasattr(value, "dtypes") and hasattr(value, "items"):
        return list(value.items())
    return []


def _is_numeric(column: Any) -> bool:
    return getattr(column.dtype, "kind", "O") in "fiub"


def _is_nullable(column: Any) -> bool:
    own = not isinstance(column.dtype, np.dtype)
    return own and _is_numeric(column) and hasattr(column, "isna")


def not_numbers(name: str, value: Any, array: npt.NDArray[Any], what: str = "") -> TypeError:
    """The error for an array of no real numbers, which names the first that is none."""
    told = (
        f"{name} must hold real numbers{what}, not {array.dtype} (of type {type(value).__name__})"
    )
    if array.dtype.kind not in "OUST" or not array.ndim or not array.size:
        return TypeError(told)
    table = array.ndim == 2 and not hasattr(value, "dtype")
    labels = [label for label, _ in _columns(value)] if table else []
    for index in np.ndindex(array.shape):
        if not _reads_as_number(array[index]):
            column = f" in column {labels[index[1]]!r}" if labels else ""
            return TypeError(f"{told}: {item(name, index)} is {shown(array[index])}{column}")
    return TypeError(f"{told}; numpy.asarray({name}, dtype=float) makes numbers of it")


def _reads_as_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def item(name: str, index: tuple[int, ...]) -> str:
    """One number of an array, for messages.

    >>> item("X", (3, 1))
    'X[3, 1]'
    """
    return f"{name}[{', '.join(map(str, index))}]" if index else name


def shown(value: Any) -> str:
    """A value for a message: on one line, and not all of a long one.

    >>> shown("abc"), shown(list(range(100)))
    ("'abc'", '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 1… (a list)')
    """
    plain = value.item() if isinstance(value, np.generic) else value
    text = " ".join(repr(plain).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… (a {type(value).__name__})"
