"""Activations of each number alone: checks, then a ufunc, on several threads if x is large."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from .._core.arrays import check_out
from .._core.prepared import DTYPES
from .._core.threads import get_num_threads
from ..kernels.calls.elementwise import activation
from .arguments import PARALLEL, as_floats, is_lazy, on_threads, same_shapes
from .base import Tabulated

__all__ = ["Elementwise"]


class Elementwise(Tabulated):
    """An activation of each number alone, made from its entry of the table.

    Parameters
    ----------
    *args, **parameters
        The entry's parameters, in its order or by name.

    """

    def __init__(self, *args: Any, **parameters: Any) -> None:
        chosen = {
            name: parameters.get(name, next(iter(v))) for name, v in self.spec.variants.items()
        }
        spec, rest = self.spec.variant(parameters)
        if spec is not self.spec:
            self.spec = spec  # type: ignore[misc]  # of this one only
        self._parameters: dict[str, Any] = spec.checked(rest, args)
        self._chosen = chosen
        self._scalars = {
            letter: tuple(np.array(value, letter) for value in self._parameters.values())
            for letter in "efd"
        }
        self._kernels: dict[str, Callable[..., Any]] = {}
        self._calls: dict[str, tuple[Callable[..., Any], ...]] = {}

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters by name."""
        return {**self._chosen, **self._parameters}

    def forward(self, x: Any, out: Any = None) -> Any:
        """The activation of x."""
        return self._of_one("", x, out)

    def backward(self, x: Any, y: Any = None, out: Any = None) -> Any:
        """The derivative at x, from x alone: from y it could not be as accurate."""
        return self._of_one("_derivative", x, out)

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """g times the derivative: the gradient with respect to x, where g is that to y."""
        for call in self._calls.get("_vjp") or self._prepared("_vjp"):
            result = call(g, x) if out is None else call(g, x, out)
            if result is not None:
                return result
        return self._apply("_vjp", (g, x), ("g", "x"), out)

    def forward_and_vjp(
        self, g: Any, x: Any, out: tuple[Any, Any] = (None, None)
    ) -> tuple[Any, Any]:
        """`forward` of x and `vjp` of g in one pass; out: arrays for both."""
        if is_lazy(g) or is_lazy(x):  # dask has no ufuncs of two results
            return self.forward(x, out[0]), self.vjp(g, x, out=out[1])
        both: tuple[Any, Any] = self._apply("_and_vjp", (g, x), ("g", "x"), *out)
        return both

    def d2y(self, x: Any, out: Any = None) -> Any:
        """The second derivative at x."""
        return self._of_one("_second_derivative", x, out)

    def d3y(self, x: Any, out: Any = None) -> Any:
        """The third derivative at x."""
        self.spec.derivative(3)
        return self._of_one("_third_derivative", x, out)

    def _of_one(self, suffix: str, x: Any, out: Any) -> Any:
        for call in self._calls.get(suffix) or self._prepared(suffix):
            result = call(x) if out is None else call(x, out)
            if result is not None:
                return result
        return self._apply(suffix, (x,), ("x",), out)

    def _prepared(self, suffix: str) -> tuple[Callable[..., Any], ...]:
        """Calls that are worked out once, for the dtypes; None where something does not fit."""
        if suffix not in self._calls:
            name, values = self.spec.kernel + suffix, tuple(self._parameters.values())
            self._calls[suffix] = tuple(
                activation(name, dtype, values, PARALLEL) for dtype in DTYPES
            )
        return self._calls[suffix]

    def _kernel(self, suffix: str) -> Any:
        if suffix not in self._kernels:
            self._kernels[suffix] = _ufunc(getattr(kernels, self.spec.kernel + suffix))
        return self._kernels[suffix]

    def _apply(self, suffix: str, given: tuple[Any, ...], names: tuple[str, ...], *out: Any) -> Any:
        kernel = self._kernel(suffix)
        if any(map(is_lazy, given)):
            scalars = tuple(self._parameters.values())  # dask, xarray and others
            return kernel(*given, *scalars, **({"out": out} if out[0] is not None else {}))
        arrays = [as_floats(name, value) for name, value in zip(names, given, strict=True)]
        dtype = np.result_type(*arrays)
        shape = arrays[0].shape
        same_shapes(names, arrays)
        for target in out:
            if target is not None:  # whose mask is NumPy's affair, as that of x
                whole = np.asarray(target) if isinstance(target, np.ndarray) else target
                check_out(whole, shape, dtype)
        return _run(kernel, arrays, self._scalars[dtype.char], out, shape, dtype)


def _ufunc(kernel: Any) -> Any:
    """The ufunc without defaults of parameters."""
    return getattr(kernel, "ufunc", kernel)


def _run(
    kernel: Any,
    arrays: list[npt.NDArray[Any]],
    scalars: tuple[Any, ...],
    out: tuple[Any, ...],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Any:
    """Call the ufunc; for large contiguous arrays in pieces, on as many threads as allowed."""
    size = arrays[0].size
    threads = min(get_num_threads(), size // (PARALLEL // 2))
    plain = [*arrays, *(o for o in out if o is not None)]
    if threads < 2 or not all(type(a) is np.ndarray and a.flags.c_contiguous for a in plain):
        return kernel(*arrays, *scalars, *out)
    for a in arrays:
        for o in out:
            if o is not None and o is not a and np.may_share_memory(a, o):
                return kernel(*arrays, *scalars, *out)
    results = tuple(np.empty(shape, dtype) if o is None else o for o in out)
    flat, targets = ([a.reshape(-1) for a in group] for group in (arrays, results))
    on_threads(lambda *parts, out: kernel(*parts, *scalars, out=out), flat, targets, threads)
    return results if len(results) > 1 else results[0]
