"""The softmax family as objects: activations of all numbers along an axis."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from .._core.arrays import check_out
from .._core.foreign import complete
from .._core.prepared import DTYPES
from .._core.threads import get_num_threads
from ..kernels.calls.elementwise import softmax_function
from .arguments import PARALLEL, as_floats, checked_axis, is_lazy, on_threads, same_shapes
from .base import Tabulated

__all__ = ["AlongAxis"]


@functools.cache
def _calls(name: str) -> tuple[Callable[..., Any], ...]:
    """Calls that are worked out once, for the dtypes; None where something does not fit."""
    return tuple(softmax_function(name, dtype, PARALLEL) for dtype in DTYPES)


class AlongAxis(Tabulated):
    """A function of all numbers along an axis, shifted by the largest, so that nothing overflows.

    `backward` gives the diagonal of the Jacobian, as the articles do; `vjp` is the product with all
    of it. A NaN, or +∞ for the softmax, makes all results along the axis NaN. Masked and missing
    values are refused.

    Parameters
    ----------
    axis : int, tuple of int or None, default -1
        Several axes together; None for all.

    """

    def __init__(self, axis: int | tuple[int, ...] | None = -1) -> None:
        what = "an int, a tuple of ints or None"
        self.axis: int | tuple[int, ...] | None = None
        if isinstance(axis, (tuple, list)):
            self.axis = tuple(checked_axis(k, what) for k in axis)
        elif axis is not None:
            self.axis = checked_axis(axis, what)

    @property
    def parameters(self) -> dict[str, Any]:
        """The axis."""
        return {"axis": self.axis}

    def forward(self, x: Any, out: Any = None) -> Any:
        """The activation of x."""
        return self._apply("", (x,), ("x",), out)

    def backward(self, x: Any, y: Any = None, out: Any = None) -> Any:
        """The diagonal of the Jacobian at x."""
        return self._apply("_derivative", (x,), ("x",), out)

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """The product of g with the Jacobian at x; y, the activation of x, saves work."""
        if y is None:
            return self._apply("_vjp", (g, x), ("g", "x"), out)
        if np.shape(y) != np.shape(x):
            raise ValueError(f"y has shape {np.shape(y)}, expected that of x, {np.shape(x)}")
        return self._apply("_vjp_from_output", (g, y), ("g", "y"), out)

    def d2y(self, x: Any, out: Any = None) -> Any:
        """The second derivative of each result by the number in its place."""
        return self._apply("_second_derivative", (x,), ("x",), out)

    def _apply(self, suffix: str, given: tuple[Any, ...], names: tuple[str, ...], out: Any) -> Any:
        if self.axis == -1:
            for call in _calls(self.spec.kernel + suffix):
                result = call(*given) if out is None else call(*given, out)
                if result is not None:
                    return result
        kernel = functools.partial(getattr(kernels, self.spec.kernel + suffix), axis=self.axis)
        given = tuple(map(complete, names, given))
        if any(map(is_lazy, given)):
            return kernel(*given)
        arrays = [as_floats(name, value) for name, value in zip(names, given, strict=True)]
        same_shapes(names, arrays)
        if out is not None:
            check_out(out, arrays[0].shape, np.result_type(*arrays))
        if not arrays[0].shape:
            return _of_number(kernel, arrays, out)
        return self._run(kernel, arrays, out)

    def _run(self, kernel: Any, arrays: list[npt.NDArray[Any]], out: Any) -> Any:
        """Call the ufunc; of large arrays in parts of the first axis, if that is none of ours."""
        shape = arrays[0].shape
        axes = (self.axis,) if isinstance(self.axis, int) else self.axis or ()
        for k in axes:
            if not -len(shape) <= k < len(shape):
                raise ValueError(f"x has shape {shape}, and so no axis {k}")
        threads = min(get_num_threads(), arrays[0].size // (PARALLEL // 2), shape[0])
        along_first = self.axis is None or 0 in axes or -len(shape) in axes
        if threads < 2 or along_first or not all(type(a) is np.ndarray for a in arrays):
            return kernel(*arrays, out=out)
        target = np.empty(shape, np.result_type(*arrays)) if out is None else out
        if any(np.may_share_memory(a, target) for a in arrays):
            return kernel(*arrays, out=out)
        on_threads(kernel, arrays, [target], threads)
        return target


def _of_number(kernel: Any, arrays: list[npt.NDArray[Any]], out: Any) -> Any:
    """The same of a number, which is all there is along its axis."""
    result = kernel(*(a.reshape(1) for a in arrays), axis=-1).reshape(())
    if out is None:
        return result[()]
    out[...] = result
    return out
