"""Activations as objects: checks of arguments, then a ufunc, on several threads if x is large."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import kernels
from .._core.arrays import check_out, overlaps_itself
from .._core.foreign import not_numbers
from .._core.threads import get_num_threads

__all__ = ["Activator", "Elementwise"]

# From this number of elements on, several threads are faster: some 0.1 ms of work.
PARALLEL = 2**18


class Activator:
    """An activation function, its derivatives and its vector-Jacobian product.

    What ``fastnn.get_act`` returns. To write one of your own, define `forward` and `backward`.

    In all methods x is an array of any shape, a list or a number. float16, float32 and float64 stay
    what they are, integers become float64; no method changes x. `out`, if given, must be an array
    of the result's shape and dtype, and may be x itself; it is what is returned then, and where an
    argument is refused it is untouched.
    """

    name: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters by name."""
        return {}

    def forward(self, x: Any, out: Any = None) -> Any:
        """The activation of x."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def backward(self, x: Any, y: Any = None, out: Any = None) -> Any:
        """The derivative at x; y, the activation of x, only saves work."""
        raise NotImplementedError(f"{type(self).__name__} must define backward")

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """The product of g with the Jacobian at x.

        The gradient with respect to x, where g is that with respect to y.
        """
        found = np.multiply(g, self.backward(x, y))
        if out is None:
            return found
        check_out(out, found.shape, found.dtype)
        out[...] = found
        return out

    def forward_and_vjp(self, g: Any, x: Any) -> tuple[Any, Any]:
        """`forward` of x and `vjp` of g together, in one pass where there is a kernel for it."""
        return self.forward(x), self.vjp(g, x)

    def d2y(self, x: Any, out: Any = None) -> Any:
        """The second derivative at x."""
        raise NotImplementedError(f"{type(self).__name__} has no second derivative")

    def update(self, *args: Any, **keywords: Any) -> None:
        """Change what is trained; most activations have nothing of that kind."""

    def __call__(self, x: Any, out: Any = None) -> Any:
        """The activation of x."""
        return self.forward(x, out)

    def __repr__(self) -> str:
        inside = ", ".join(f"{key}={value!r}" for key, value in self.parameters.items())
        return f"{type(self).__name__}({inside})"

    def __eq__(self, other: object) -> bool:
        """Activations are equal if their names and parameters are."""
        if not isinstance(other, Activator):
            return NotImplemented
        return type(self) is type(other) and self.parameters == other.parameters

    def __hash__(self) -> int:
        return hash((type(self), *self.parameters))


class Elementwise(Activator):
    """An activation of each number alone, made from its entry of the table.

    Parameters
    ----------
    *args, **parameters
        The entry's parameters, in its order or by name.

    """

    spec: ClassVar[Any]

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

    @property
    def parameters(self) -> dict[str, Any]:
        """Its parameters by name."""
        return {**self._chosen, **self._parameters}

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt, (type(self), self.parameters)

    def forward(self, x: Any, out: Any = None) -> Any:
        """The activation of x."""
        return self._of_one("", x, out)

    def backward(self, x: Any, y: Any = None, out: Any = None) -> Any:
        """The derivative at x, from x alone: from y it could not be as accurate."""
        return self._of_one("_derivative", x, out)

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """g times the derivative: the gradient with respect to x, where g is that to y."""
        if (
            type(x) is type(g) is np.ndarray
            and g.shape == x.shape
            and g.dtype is x.dtype
            and self._is_usual("_vjp", x, out)
        ):
            return self._kernels["_vjp"](g, x, *self._scalars[x.dtype.char], out)
        return self._apply("_vjp", (g, x), ("g", "x"), out)

    def forward_and_vjp(
        self, g: Any, x: Any, out: tuple[Any, Any] = (None, None)
    ) -> tuple[Any, Any]:
        """`forward` of x and `vjp` of g in one pass; out: arrays for both."""
        if is_lazy(g) or is_lazy(x):  # dask has no ufuncs of two results
            return self.forward(x, out[0]), self.vjp(g, x, out=out[1])
        found: tuple[Any, Any] = self._apply("_and_vjp", (g, x), ("g", "x"), *out)
        return found

    def d2y(self, x: Any, out: Any = None) -> Any:
        """The second derivative at x."""
        return self._of_one("_second_derivative", x, out)

    def _of_one(self, suffix: str, x: Any, out: Any) -> Any:
        if type(x) is np.ndarray and self._is_usual(suffix, x, out):
            return self._kernels[suffix](x, *self._scalars[x.dtype.char], out)
        return self._apply(suffix, (x,), ("x",), out)

    def _is_usual(self, suffix: str, x: npt.NDArray[Any], out: Any) -> bool:
        """Whether the short way does: a small array of floats, an `out` like it or none."""
        return (
            x.size < PARALLEL
            and x.dtype.char in self._scalars
            and suffix in self._kernels
            and (
                out is None
                or (
                    type(out) is np.ndarray
                    and out.dtype is x.dtype
                    and out.shape == x.shape
                    and (out.flags.carray or (out.flags.writeable and not overlaps_itself(out)))
                )
            )
        )

    def _kernel(self, suffix: str) -> Any:
        if suffix not in self._kernels:
            self._kernels[suffix] = real(getattr(kernels, self.spec.kernel + suffix))
        return self._kernels[suffix]

    def _apply(self, suffix: str, given: tuple[Any, ...], names: tuple[str, ...], *out: Any) -> Any:
        kernel = self._kernel(suffix)
        if any(map(is_lazy, given)):
            numbers: tuple[Any, ...] = tuple(self._parameters.values())  # dask, xarray and others
            return kernel(*given, *numbers, **({"out": out} if out[0] is not None else {}))
        arrays = [as_floats(name, value) for name, value in zip(names, given, strict=True)]
        dtype = np.result_type(*arrays)
        shape = arrays[0].shape
        same_shapes(names, arrays)
        for target in out:
            if target is not None:  # whose mask is NumPy's affair, as that of x
                whole = np.asarray(target) if isinstance(target, np.ndarray) else target
                check_out(whole, shape, dtype)
        return run(kernel, arrays, self._scalars[dtype.char], out, shape, dtype)


def rebuilt(kind: type[Activator], parameters: Mapping[str, Any]) -> Activator:
    """What a pickle says how to make."""
    return kind(**parameters)


def real(kernel: Any) -> Any:
    """The ufunc without defaults of parameters."""
    return getattr(kernel, "ufunc", kernel)


def is_lazy(value: Any) -> bool:
    """Whether it takes ufuncs into its own hands, as arrays of dask and xarray do."""
    return hasattr(value, "__array_ufunc__") and not isinstance(value, (np.ndarray, np.generic))


def as_floats(name: str, value: Any) -> npt.NDArray[Any]:
    """An array of a float dtype that ufuncs have a loop for; subclasses stay."""
    try:
        found: npt.NDArray[Any] = np.asanyarray(value)
    except ValueError as error:  # ragged lists
        raise ValueError(f"{name} is not an array of numbers: {error}") from error
    kind, size = found.dtype.kind, found.dtype.itemsize
    if kind not in "fiub" or (kind == "f" and size > 8):
        raise not_numbers(name, value, found, " of at most 64 bits")
    return found if kind == "f" else found.astype(np.float64)


def same_shapes(names: tuple[str, ...], arrays: list[npt.NDArray[Any]]) -> None:
    """Refuse arrays of different shapes."""
    if any(array.shape != arrays[0].shape for array in arrays[1:]):
        shapes = " and ".join(f"{n} {a.shape}" for n, a in zip(names, arrays, strict=True))
        raise ValueError(f"{' and '.join(names)} must have the same shape, not {shapes}")


def run(
    kernel: Any,
    arrays: list[npt.NDArray[Any]],
    numbers: tuple[Any, ...],
    out: tuple[Any, ...],
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
) -> Any:
    """Call the ufunc; for large contiguous arrays in pieces, on as many threads as allowed."""
    size = arrays[0].size
    threads = min(get_num_threads(), size // (PARALLEL // 2))
    plain = [*arrays, *(o for o in out if o is not None)]
    if threads < 2 or not all(type(a) is np.ndarray and a.flags.c_contiguous for a in plain):
        return kernel(*arrays, *numbers, *out)
    for a in arrays:
        for o in out:
            if o is not None and o is not a and np.may_share_memory(a, o):
                return kernel(*arrays, *numbers, *out)
    results = tuple(np.empty(shape, dtype) if o is None else o for o in out)
    flat = [a.reshape(-1) for a in arrays]
    targets = [a.reshape(-1) for a in results]

    def piece(k: int) -> None:
        part = slice(size * k // threads, size * (k + 1) // threads)
        kernel(*(a[part] for a in flat), *numbers, out=tuple(a[part] for a in targets))

    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(piece, k) for k in range(1, threads)]
        piece(0)
        for other in others:
            other.result()
    return results if len(results) > 1 else results[0]
