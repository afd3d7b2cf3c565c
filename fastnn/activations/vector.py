"""Activations of several numbers at once, as objects: softmax family, GLU, maxout and PReLU."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from .. import kernels
from .._core.arrays import check_out, convert, count, number
from .._core.foreign import complete, shown
from .._core.random import RNG, uniform_source
from .._core.threads import get_num_threads
from .base import PARALLEL, Activator, as_floats, is_lazy, rebuilt, same_shapes

__all__ = ["AlongAxis", "GatedUnit", "Maxout", "ParametricReLU"]


class _WithRow(Activator):
    """What the classes here share: an entry of the table, and parameters to be rebuilt from."""

    spec: ClassVar[Any]

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt, (type(self), self.parameters)


def _axis(value: Any, what: str = "an int") -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"axis must be {what}, not {shown(value)}")
    return int(value)


class AlongAxis(_WithRow):
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
            self.axis = tuple(_axis(k, what) for k in axis)
        elif axis is not None:
            self.axis = _axis(axis, what)

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
        kernel = getattr(kernels, self.spec.kernel + suffix)
        given = tuple(map(complete, names, given))
        if any(map(is_lazy, given)):
            return kernel(*given, axis=self.axis)
        arrays = [as_floats(name, value) for name, value in zip(names, given, strict=True)]
        same_shapes(names, arrays)
        shape, dtype = arrays[0].shape, np.result_type(*arrays)
        if out is not None:
            check_out(out, shape, dtype)
        if not shape:  # a number is all there is along its axis
            found = kernel(*(a.reshape(1) for a in arrays), axis=-1).reshape(())
            if out is None:
                return found[()]
            out[...] = found
            return out
        axes = (self.axis,) if isinstance(self.axis, int) else self.axis or ()
        for k in axes:
            if not -len(shape) <= k < len(shape):
                raise ValueError(f"x has shape {shape}, and so no axis {k}")
        threads = min(get_num_threads(), arrays[0].size // (PARALLEL // 2), shape[0])
        along_first = self.axis is None or 0 in axes or -len(shape) in axes
        if threads < 2 or along_first or not all(type(a) is np.ndarray for a in arrays):
            return kernel(*arrays, axis=self.axis, out=out)
        target = np.empty(shape, dtype) if out is None else out
        if any(np.may_share_memory(a, target) for a in arrays):
            return kernel(*arrays, axis=self.axis, out=out)

        def piece(k: int) -> None:
            part = slice(shape[0] * k // threads, shape[0] * (k + 1) // threads)
            kernel(*(a[part] for a in arrays), axis=self.axis, out=target[part])

        with ThreadPoolExecutor(threads - 1) as pool:
            others = [pool.submit(piece, k) for k in range(1, threads)]
            piece(0)
            for other in others:
                other.result()
        return target


class GatedUnit(_WithRow):
    """The first half of x along an axis, times the sigmoid of the second: the width is halved.

    `backward` gives the derivatives of the result by each number of x, in the shape of x.

    Parameters
    ----------
    axis : int, default -1

    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = _axis(axis)

    @property
    def parameters(self) -> dict[str, Any]:
        """The axis."""
        return {"axis": self.axis}

    def forward(self, x: Any, out: Any = None) -> Any:
        """The activation of x, half as wide."""
        a, b = self._halves(_whole("x", x))
        if out is not None:
            check_out(out, a.shape, a.dtype)
        return kernels.glu(a, b, out)

    def backward(self, x: Any, y: Any = None, out: Any = None) -> Any:
        """σ(b) for the first half of x and a σ(b) σ(-b) for the second."""
        return self._by_halves(x, out, kernels.glu_by_value, kernels.glu_by_gate)

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """The gradient with respect to x, where g is that to the result."""
        given = _whole("x", x)
        half = self._halves(given)[0]
        slope = _whole("g", g)
        if slope.shape != half.shape:
            raise ValueError(f"g has shape {slope.shape}, expected {half.shape}, half of x's")
        if out is not None:
            check_out(out, given.shape, np.result_type(slope, given))
        found = np.empty(given.shape, np.result_type(slope, given)) if out is None else out
        if np.may_share_memory(found, slope):
            slope = slope.copy()
        self._by_halves(given, found, kernels.glu_by_value, kernels.glu_by_gate)
        for part in self._halves(found):
            np.multiply(part, slope, out=part)
        return found

    def d2y(self, x: Any, out: Any = None) -> Any:
        """The second derivatives by each number of x: zero for the first half."""
        return self._by_halves(x, out, _nothing, _gate_curvature)

    def _by_halves(self, x: Any, out: Any, first: Any, second: Any) -> Any:
        given = _whole("x", x)
        a, b = self._halves(given)
        if out is not None:
            check_out(out, given.shape, given.dtype)
        found = np.empty(given.shape, given.dtype) if out is None else out
        if np.may_share_memory(found, given):
            a, b = a.copy(), b.copy()
        to_a, to_b = self._halves(found)
        first(a, b, to_a)
        second(a, b, to_b)
        return found

    def _halves(self, x: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        if not -x.ndim <= self.axis < x.ndim or x.shape[self.axis] % 2:
            raise ValueError(f"x has shape {x.shape}, expected an even number along {self.axis}")
        middle, before = x.shape[self.axis] // 2, (slice(None),) * (self.axis % x.ndim)
        return x[(*before, slice(middle))], x[(*before, slice(middle, None))]


def _whole(name: str, value: Any) -> npt.NDArray[Any]:
    """Floats, none of them masked: results of several numbers have no place for the mask."""
    return as_floats(name, complete(name, value))


def _nothing(a: Any, b: Any, out: Any) -> None:
    out[...] = 0


def _gate_curvature(a: Any, b: Any, out: Any) -> None:
    kernels.sigmoid_second_derivative(b, out)
    np.multiply(out, a, out=out)


class ParametricReLU(_WithRow):
    """A leaky ReLU whose slope below zero is trained, one for all numbers or one for each feature.

    Parameters
    ----------
    alpha : float or array, default 0.25
        The slope, or one for each number along the last axis.

    Attributes
    ----------
    alpha : array
    dalpha : array
        Gradient by alpha, summed over the samples; of the last `vjp`.

    """

    def __init__(self, alpha: Any = 0.25) -> None:
        if np.ndim(alpha) > 1:
            raise ValueError(f"alpha has shape {np.shape(alpha)}, expected a number or a vector")
        found = convert("alpha", alpha, np.dtype(np.float64))
        if not np.isfinite(found).all():
            raise ValueError("alpha must be finite")
        self.alpha = found.copy()
        self.dalpha = np.zeros_like(self.alpha)

    @property
    def parameters(self) -> dict[str, Any]:
        """The slope, a number or a vector."""
        return {"alpha": float(self.alpha) if self.alpha.ndim == 0 else self.alpha.tolist()}

    def __hash__(self) -> int:
        return hash((type(self), repr(self.parameters)))

    def forward(self, x: Any, out: Any = None) -> Any:
        """x for x >= 0, else alpha x."""
        return self._apply(kernels.prelu, x, out)

    def backward(self, x: Any, y: Any = None, out: Any = None) -> Any:
        """1 for x >= 0, else alpha."""
        return self._apply(kernels.prelu_derivative, x, out)

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """The gradient with respect to x; the one to alpha is left in `dalpha`."""
        slope, given = _whole("g", g), _whole("x", x)
        same_shapes(("g", "x"), [slope, given])
        with np.errstate(all="ignore"):
            below = np.multiply(slope, np.minimum(given, 0.0), dtype=np.float64)
        axes = tuple(range(below.ndim - self.alpha.ndim))
        self.dalpha = np.asarray(below.sum(axis=axes))
        return self._apply(kernels.prelu_vjp, given, out, slope)

    def d2y(self, x: Any, out: Any = None) -> Any:
        """Zero."""
        return self._apply(kernels.prelu_second_derivative, x, out)

    def update(self, learning_rate: float = 1e-2) -> None:
        """``alpha -= learning_rate * dalpha``."""
        self.alpha -= number("learning_rate", learning_rate) * self.dalpha

    def _apply(self, kernel: Any, x: Any, out: Any, *first: Any) -> Any:
        given = as_floats("x", x)
        if self.alpha.ndim and given.shape[-1:] != self.alpha.shape:
            raise ValueError(f"x has shape {given.shape}, expected (…, {self.alpha.size})")
        dtype = np.result_type(given, *first)
        if out is not None:
            check_out(out, given.shape, dtype)
        return kernel(*first, given, self.alpha.astype(dtype), out)


class Maxout(_WithRow):
    """Weights and biases of its own, and of each k linear features the largest.

    Parameters
    ----------
    n_prev : int
        Features of a sample.
    n : int
        Features of the result.
    k : int
        Linear features for each of those.
    wb_width : float
        Weights and biases begin evenly spread from 0 to this.
    rng : None, int, numpy.random.Generator or RandomState
        Source of the initial weights; None takes the global ``np.random``.

    Attributes
    ----------
    w : array (n_prev, n k)
    b : array (n k,)
    dw, db : arrays
        Gradients, of the last `vjp` or `backward`.

    References
    ----------
    Goodfellow et al., Maxout networks, 2013, arXiv:1302.4389

    Examples
    --------
    >>> act = Maxout(2, 1, 2, rng=0)
    >>> act.w, act.b = np.array([[1.0, -1.0], [0.0, 0.0]]), np.zeros(2)
    >>> act.forward([[3.0, 0.0], [-2.0, 0.0]])
    array([[3.],
           [2.]])

    """

    name = "maxout"

    def __init__(
        self, n_prev: int, n: int, k: int, wb_width: float = 5e-2, *, rng: RNG = None
    ) -> None:
        self.n_prev, self.n = count("n_prev", n_prev, least=1), count("n", n, least=1)
        self.k, self.wb_width = count("k", k, least=1), number("wb_width", wb_width)
        source = uniform_source(rng)
        self.w = self.wb_width * source.uniform(size=(self.n_prev, self.n * self.k))
        self.b = self.wb_width * source.uniform(size=self.n * self.k)
        self.dw, self.db = np.zeros_like(self.w), np.zeros_like(self.b)
        self.x: npt.NDArray[Any] | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        """Sizes."""
        return {"n_prev": self.n_prev, "n": self.n, "k": self.k, "wb_width": self.wb_width}

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuilt, (type(self), self.parameters), self.__dict__

    def forward(self, x: Any, out: Any = None) -> Any:
        """The largest of each k linear features of a sample (n_prev,) or of samples (rows, n_prev).

        The samples are remembered for `backward`.
        """
        self.x = self._samples(x).copy()
        groups, _ = self._groups(self.x)
        found = groups.max(axis=-1)
        if out is None:
            return found
        check_out(out, found.shape, found.dtype)
        out[...] = found
        return out

    def backward(self, g: Any, y: Any = None, out: Any = None) -> tuple[Any, Any, Any]:
        """Gradients by the samples of the last `forward`, by w and by b; g: that by the result."""
        if self.x is None:
            raise ValueError("backward needs forward first")
        return self.vjp(g, self.x, out=out), self.dw, self.db

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """The gradient with respect to x; those to w and b are left in `dw` and `db`."""
        given = self._samples(x)
        groups, chosen = self._groups(given)
        slope = convert("g", g, np.dtype(np.float64))
        if slope.shape != groups.shape[:-1]:
            raise ValueError(f"g has shape {slope.shape}, expected {groups.shape[:-1]}")
        delta = np.where(chosen, slope[..., None], 0.0).reshape(*given.shape[:-1], -1)
        found = delta @ self.w.T
        if out is not None:
            check_out(out, found.shape, found.dtype)
            out[...] = found
        rows = delta.reshape(-1, self.n * self.k)
        self.dw = given.reshape(-1, self.n_prev).T @ rows
        self.db = rows.sum(axis=0)
        return found if out is None else out

    def d2y(self, x: Any, out: Any = None) -> Any:
        """Zero."""
        given = self._samples(x)
        if out is None:
            return np.zeros_like(given)
        check_out(out, given.shape, given.dtype)
        out[...] = 0.0
        return out

    def update(self, learning_rate: float = 1e-2) -> None:
        """``w -= learning_rate * dw``, and b likewise."""
        rate = number("learning_rate", learning_rate)
        self.w = self.w - rate * self.dw
        self.b = self.b - rate * self.db

    def _samples(self, x: Any) -> npt.NDArray[Any]:
        found = convert("x", x, np.dtype(np.float64))
        if found.ndim not in (1, 2) or found.shape[-1] != self.n_prev:
            raise ValueError(
                f"x has shape {found.shape}, expected ({self.n_prev},) or (rows, {self.n_prev})"
            )
        return found

    def _groups(self, x: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Linear features by groups, and which of each is the first of the largest."""
        z = (x @ self.w + self.b).reshape(*x.shape[:-1], self.n, self.k)
        return z, np.arange(self.k) == z.argmax(axis=-1)[..., None]
