"""The article's errors: `get_err` and its classes, of outputs y and targets t, element by element.

Those that networks train with are in `fastnn.losses`; of logits they are exact in the tails too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ._core.arrays import Array, convert
from ._core.foreign import item
from ._core.names import lookup
from ._core.prepared import DTYPES
from .kernels.calls import elementwise
from .kernels.ufuncs import errors as formulas

__all__ = ["ERRORS", "BinaryCrossEntropy", "CrossEntropy", "Error", "SquareError", "get_err"]


class Error:
    """An error of each element. To write one of your own, define `forward` and `backward`.

    y and t are arrays of any shape, lists or numbers; t is broadcast to y. float32 stays float32,
    everything else is worked on in float64.

    Attributes
    ----------
    y, t : arrays
        As given to the last `forward`.
    error : array
        Its result.

    """

    kernel: ClassVar[str] = ""
    probabilities: ClassVar[bool] = False

    y: Any = None
    t: Any = None
    error: Any = None
    _slope: Any = None  # the derivative for what was given then, whatever becomes of y and t

    def forward(self, y: npt.ArrayLike, t: npt.ArrayLike) -> Any:
        """The error of each element of y, and its derivative for `backward`."""
        for call in _prepared(self.kernel, self.probabilities):
            result = call(y, t)
            if result is not None:
                self.y, self.t = y, t
                self.error, self._slope = result
                return result[0]
        given = convert("y", y)
        target = convert("t", t, given.dtype)
        try:
            target = np.broadcast_to(target, given.shape)
        except ValueError:
            raise ValueError(
                f"t has shape {target.shape}, expected that of y, {given.shape}, or one that is "
                "broadcast to it"
            ) from None
        if self.probabilities:
            _check("y", given)
            _check("t", target)
        self.y, self.t = given[()], target[()]
        self.error = formulas.find(self.kernel)(self.y, self.t)
        self._slope = formulas.find(f"{self.kernel}_derivative")(self.y, self.t)
        return self.error

    def backward(self) -> Any:
        """The derivative of each element's error by y, a new array."""
        if self._slope is None:
            raise ValueError("backward needs forward first")
        return self._slope.copy() if isinstance(self._slope, np.ndarray) else self._slope

    def total_error(self) -> float:
        """The mean over all elements of the last `forward`."""
        if self.error is None:
            raise ValueError("total_error needs forward first")
        if not np.size(self.error):
            raise ValueError("y is empty, and so has no mean error")
        for mean in _means():
            result = mean(self.error)
            if result is not None:
                return result  # type: ignore[no-any-return]
        return float(np.mean(self.error, dtype=np.float64))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


# Numbers in an array that is worked on by a call that was worked out once.
_MOST = 1 << 22


@functools.cache
def _prepared(kernel: str, probabilities: bool) -> tuple[Callable[..., Any], ...]:
    """Calls of an error with its derivative, for the dtypes; None where something does not fit."""
    return tuple(elementwise.error(kernel, dtype, _MOST, _bounds(dtype) if probabilities else None)
                 for dtype in DTYPES)  # fmt: skip


@functools.cache
def _means() -> tuple[Callable[..., Any], ...]:
    return tuple(elementwise.mean(dtype, _MOST) for dtype in DTYPES)


def _bounds(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Between which probabilities are, up to roundings."""
    slack = float(np.sqrt(np.finfo(dtype).eps))
    return -slack, 1 + slack


def _check(name: str, p: Array) -> None:
    """Refuse what are no probabilities, up to roundings."""
    least, most = _bounds(p.dtype)
    bad = (p < least) | (p > most)
    if bad.any():
        index = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(f"{item(name, index)} is {p[index]}, expected a probability, from 0 to 1")


class SquareError(Error):
    """(y - t)² / 2.

    Examples
    --------
    >>> err = SquareError()
    >>> err.forward([1.0, 4.0], [0.0, 1.0]), err.backward(), err.total_error()
    (array([0.5, 4.5]), array([1., 3.]), 2.5)

    """

    kernel = "square_error"


class BinaryCrossEntropy(Error):  # noqa: N818  (the article's names; no exceptions)
    """-t log y - (1 - t) log(1 - y), of probabilities y.

    Finite at y = 0 and 1, and so is its derivative (y - t) / (y (1 - y)): there 0 log 0 = 0, and y
    and 1 - y are kept away from 0 by the smallest normal number.

    Examples
    --------
    >>> err = BinaryCrossEntropy()
    >>> err.forward([0.0, 0.5], [0.0, 1.0]).round(3), err.backward()
    (array([0.   , 0.693]), array([ 1., -2.]))

    """

    kernel, probabilities = "binary_cross_entropy", True


class CrossEntropy(Error):  # noqa: N818
    """-t log y, of probabilities y.

    Finite at y = 0, and so is its derivative -t / y: there 0 log 0 = 0, and y is kept away from 0
    by the smallest normal number.

    Examples
    --------
    >>> err = CrossEntropy()
    >>> err.forward([0.0, 0.5], [0.0, 1.0]).round(3), err.backward()
    (array([0.   , 0.693]), array([ 0., -2.]))

    """

    kernel, probabilities = "cross_entropy", True


ERRORS: dict[str, type[Error]] = {
    "Square": SquareError,
    "Binary": BinaryCrossEntropy,
    "Cross": CrossEntropy,
}
"""The article's names, and the classes."""


def get_err(name: str) -> Error:
    """An error by its name: "Square", "Binary" or "Cross".

    Raises
    ------
    ValueError
        For an unknown name; the message names the nearest.

    Examples
    --------
    >>> get_err("Square")
    SquareError()
    >>> get_err("binray")
    Traceback (most recent call last):
        ...
    ValueError: unknown error 'binray'; nearest: Binary

    """
    return lookup("error", name, ERRORS)()
