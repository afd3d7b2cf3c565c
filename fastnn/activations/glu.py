"""The gated linear unit as an object."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import kernels
from .._core.arrays import check_out
from .arguments import checked_axis, whole
from .base import Tabulated

__all__ = ["GatedUnit"]


class GatedUnit(Tabulated):
    """The first half of x along an axis, times the sigmoid of the second: the width is halved.

    `backward` gives the derivatives of the result by each number of x, in the shape of x.

    Parameters
    ----------
    axis : int, default -1

    """

    def __init__(self, axis: int = -1) -> None:
        self.axis = checked_axis(axis)

    @property
    def parameters(self) -> dict[str, Any]:
        """The axis."""
        return {"axis": self.axis}

    def forward(self, x: Any, out: Any = None) -> Any:
        """The activation of x, half as wide."""
        a, b = self._halves(whole("x", x))
        if out is not None:
            check_out(out, a.shape, a.dtype)
        return kernels.glu(a, b, out)

    def backward(self, x: Any, y: Any = None, out: Any = None) -> Any:
        """σ(b) for the first half of x and a σ(b) σ(-b) for the second."""
        return self._by_halves(x, out, kernels.glu_by_value, kernels.glu_by_gate)

    def vjp(self, g: Any, x: Any, y: Any = None, out: Any = None) -> Any:
        """The gradient with respect to x, where g is that to the result."""
        given = whole("x", x)
        half = self._halves(given)[0]
        slope = whole("g", g)
        if slope.shape != half.shape:
            raise ValueError(f"g has shape {slope.shape}, expected {half.shape}, half of x's")
        if out is not None:
            check_out(out, given.shape, np.result_type(slope, given))
        result = np.empty(given.shape, np.result_type(slope, given)) if out is None else out
        if np.may_share_memory(result, slope):
            slope = slope.copy()
        self._by_halves(given, result, kernels.glu_by_value, kernels.glu_by_gate)
        for part in self._halves(result):
            np.multiply(part, slope, out=part)
        return result

    def d2y(self, x: Any, out: Any = None) -> Any:
        """The second derivatives by each number of x: zero for the first half."""
        return self._by_halves(x, out, _nothing, _gate_curvature)

    def _by_halves(self, x: Any, out: Any, first: Any, second: Any) -> Any:
        given = whole("x", x)
        a, b = self._halves(given)
        if out is not None:
            check_out(out, given.shape, given.dtype)
        result = np.empty(given.shape, given.dtype) if out is None else out
        if np.may_share_memory(result, given):
            a, b = a.copy(), b.copy()
        to_a, to_b = self._halves(result)
        first(a, b, to_a)
        second(a, b, to_b)
        return result

    def _halves(self, x: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        if not -x.ndim <= self.axis < x.ndim or x.shape[self.axis] % 2:
            raise ValueError(f"x has shape {x.shape}, expected an even number along {self.axis}")
        middle, before = x.shape[self.axis] // 2, (slice(None),) * (self.axis % x.ndim)
        return x[(*before, slice(middle))], x[(*before, slice(middle, None))]


def _nothing(a: Any, b: Any, out: Any) -> None:
    out[...] = 0


def _gate_curvature(a: Any, b: Any, out: Any) -> None:
    kernels.sigmoid_second_derivative(b, out)
    np.multiply(out, a, out=out)
