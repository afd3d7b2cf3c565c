"""The parametric ReLU as an object, with slopes that are trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from .._core.arrays import check_out, convert, number
from ..kernels.activations.vector import prelu_alpha_gradient
from .arguments import as_floats, same_shapes, whole
from .base import Tabulated

__all__ = ["ParametricReLU"]


class ParametricReLU(Tabulated):
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
        slopes = convert("alpha", alpha, np.dtype(np.float64))
        if not np.isfinite(slopes).all():
            raise ValueError("alpha must be finite")
        self.alpha = slopes.copy()
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
        slope, given = whole("g", g), whole("x", x)
        same_shapes(("g", "x"), [slope, given])
        result = self._apply(kernels.prelu_vjp, given, out, slope)
        self.dalpha = self._by_alpha(slope, given)
        return result

    def _by_alpha(self, g: Any, x: Any) -> npt.NDArray[Any]:
        """Σ g min(x, 0) over the samples."""
        total = np.zeros(self.alpha.size)
        if x.size:
            dtype = np.result_type(x, g, np.float32)
            rows = (1, -1) if self.alpha.size == 1 else (-1, self.alpha.size)
            pair = (np.ascontiguousarray(a, dtype).reshape(rows) for a in (g, x))
            prelu_alpha_gradient(*pair, total)
        return total.reshape(self.alpha.shape)

    def d2y(self, x: Any, out: Any = None) -> Any:
        """Zero."""
        return self._apply(kernels.prelu_second_derivative, x, out)

    def d3y(self, x: Any, out: Any = None) -> Any:
        """Zero."""
        return self._apply(kernels.prelu_third_derivative, x, out)

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
