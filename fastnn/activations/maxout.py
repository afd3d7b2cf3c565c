"""Maxout as an object, with weights and biases of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import check_out, convert, count, number
from .._core.random import RNG, uniform_source
from ..kernels.activations.vector import maxout_gradient
from .base import Tabulated, rebuilt

__all__ = ["Maxout"]


class Maxout(Tabulated):
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
        largest = _largest(self._groups(self.x))
        if out is None:
            return largest
        check_out(out, largest.shape, largest.dtype)
        out[...] = largest
        return out

    def backward(self, g: Any, y: Any = None, out: Any = None) -> tuple[Any, Any, Any]:
        """Gradients by the samples of the last `forward`, by w and by b; g: that by the result."""
        if self.x is None:
            raise ValueError("backward needs forward first")
        return self.vjp(g, self.x, out=out), self.dw, self.db

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """The gradient with respect to x; those to w and b are left in `dw` and `db`."""
        given = self._samples(x)
        groups = self._groups(given)
        slope = convert("g", g, np.dtype(np.float64))
        if slope.shape != groups.shape[:-1]:
            raise ValueError(f"g has shape {slope.shape}, expected {groups.shape[:-1]}")
        maxout_gradient(groups.reshape(-1, self.k), slope.reshape(-1))
        delta = groups.reshape(*given.shape[:-1], -1)
        gradient = delta @ self.w.T
        if out is not None:
            check_out(out, gradient.shape, gradient.dtype)
            out[...] = gradient
        rows = delta.reshape(-1, self.n * self.k)
        self.dw = given.reshape(-1, self.n_prev).T @ rows
        self.db = rows.sum(axis=0)
        return gradient if out is None else out

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
        samples = convert("x", x, np.dtype(np.float64))
        if samples.ndim not in (1, 2) or samples.shape[-1] != self.n_prev:
            raise ValueError(
                f"x has shape {samples.shape}, expected ({self.n_prev},) or (rows, {self.n_prev})"
            )
        return samples

    def _groups(self, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Linear features, by groups along the last axis."""
        z: npt.NDArray[Any] = x @ self.w
        z += self.b
        return z.reshape(*x.shape[:-1], self.n, self.k)


def _largest(groups: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Of each group; NaN if one is. NumPy's `max` takes ten times as long on so short an axis."""
    largest = groups[..., 0].copy()
    for i in range(1, groups.shape[-1]):
        np.maximum(largest, groups[..., i], out=largest)
    return largest
