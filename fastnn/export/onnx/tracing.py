"""NumPy functions written down as nodes of ONNX, by calling them with arrays that only note it.

A `Traced` array stands for a value that a file's reader will have. What NumPy does with it, through
ufuncs, functions and operators, becomes nodes; `functions` says which.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .nodes import Nodes

__all__ = ["ROWS", "Traced", "UntraceableError", "join", "known", "result_of"]


class UntraceableError(ValueError):
    """What ONNX has no form for, as far as it is known here."""


class _Rows(int):
    """The number of samples, known to the reader only: 0 to ``Reshape``, which keeps it then."""


ROWS = _Rows(0)

_FUNCTIONS: dict[Any, Callable[..., Any]] = {}


def known(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Mark what writes down these functions of NumPy."""

    def mark(write: Callable[..., Any]) -> Callable[..., Any]:
        _FUNCTIONS.update(dict.fromkeys(functions, write))
        return write

    return mark


def _call(function: Any, args: Iterable[Any], keywords: dict[str, Any]) -> Any:
    write = _FUNCTIONS.get(function)
    if write is None:
        raise UntraceableError(
            f"{getattr(function, '__name__', function)} has no form in ONNX here"
        )
    return write(*map(_plain, args), **keywords)


def _plain(value: Any) -> Any:
    """The value that `numpy.asarray` may have wrapped."""
    boxed = isinstance(value, np.ndarray) and value.dtype == object and not value.ndim
    return value.item() if boxed else value


class Traced(np.lib.mixins.NDArrayOperatorsMixin):
    """A value that is known when the file is run.

    Parameters
    ----------
    nodes : Nodes
        Where to write.
    name : str
        Of the value there.
    shape : tuple of int
        With `ROWS` for the samples.
    truth : bool
        Whether it holds true and false.

    """

    def __init__(
        self, nodes: Nodes, name: str, shape: tuple[int, ...], truth: bool = False
    ) -> None:
        self.nodes, self.name, self.shape, self.truth = nodes, name, shape, truth

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        if method != "__call__" or keywords:
            raise UntraceableError(
                f"{ufunc.__name__}.{method} with {list(keywords)} has no form in ONNX"
            )
        return _call(ufunc, inputs, {})

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], keywords: dict[str, Any]
    ) -> Any:
        return _call(function, args, keywords)

    def __getitem__(self, key: Any) -> Any:
        return _call(Traced.__getitem__, (self, key), {})

    def __bool__(self) -> bool:
        raise UntraceableError(
            "a condition on values must be numpy.where: `if` has no form in ONNX"
        )

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Sum along an axis."""
        return np.sum(self, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Largest along an axis."""
        return np.max(self, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Smallest along an axis."""
        return np.min(self, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """Mean along an axis."""
        return np.mean(self, axis=axis, keepdims=keepdims)  # type: ignore[call-overload]

    def reshape(self, *shape: Any) -> Any:
        """The same numbers in another shape."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)  # type: ignore[call-overload]


def join(operator: str, *args: Any, truth: bool = False, **attributes: Any) -> Traced:
    """A node of arrays and numbers that are broadcast to one shape."""
    nodes = next(a.nodes for a in args if isinstance(a, Traced))
    names, shape = [_name(nodes, a) for a in args], _broadcast([np.shape(a) for a in args])
    return Traced(nodes, nodes.add(operator, *names, **attributes), shape, truth)


def _name(nodes: Nodes, value: Any) -> str:
    if isinstance(value, Traced):
        return value.name
    if np.asarray(value).dtype == np.bool_:
        return nodes.constant(np.asarray(value))
    return nodes.number(value)


def _broadcast(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    longest = max(map(len, shapes))
    padded = [(1,) * (longest - len(shape)) + tuple(shape) for shape in shapes]
    return tuple(
        ROWS if ROWS in axis else math.prod({*axis} - {1}) for axis in zip(*padded, strict=True)
    )


def result_of(function: Callable[..., Any], *args: Any, **keywords: Any) -> Traced:
    """What a function makes of traced arrays.

    Raises
    ------
    UntraceableError
        If it does what has no form in ONNX.

    """
    try:
        result = _plain(function(*args, **keywords))
    except (TypeError, AttributeError, IndexError) as error:
        raise UntraceableError(str(error)) from error
    if not isinstance(result, Traced) or result.truth:
        raise UntraceableError(f"the result is {result!r}, expected an array of numbers")
    return result
