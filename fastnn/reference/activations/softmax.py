"""Functions along an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Axis = int | tuple[int, ...] | None


def _joined(x: Array, axis: Axis) -> tuple[Array, Callable[[Array], Any]]:
    """X with these axes as one, the last, and what takes such an array back."""
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    last = tuple(range(-len(axes), 0))
    moved = np.moveaxis(x, axes, last)
    flat = moved.reshape(*moved.shape[: moved.ndim - len(axes)], -1)
    return flat, lambda result: np.moveaxis(result.reshape(moved.shape), last, axes)


def softmax(x: Array, axis: Axis = -1) -> Any:
    """exp(x) / Σ exp(x), the largest number taken off first."""
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def _others(x: Array, axis: Axis) -> Any:
    """1 - softmax(x): the exponentials of all others, so that nothing cancels."""
    y, back = _joined(softmax(x, axis), axis)
    return back(np.stack([np.delete(y, i, axis=-1).sum(axis=-1) for i in range(y.shape[-1])], -1))


def softmax_derivative(x: Array, axis: Axis = -1) -> Any:
    """y (1 - y), the diagonal of the Jacobian diag(y) - y yᵀ."""
    return softmax(x, axis) * _others(x, axis)


def softmax_second_derivative(x: Array, axis: Axis = -1) -> Any:
    """y (1 - y) (1 - 2 y), by the same number twice."""
    y, rest = softmax(x, axis), _others(x, axis)
    return y * rest * (rest - y)


def softmax_vjp(g: Array, x: Array, axis: Axis = -1) -> Any:
    """y (g - Σ g y), the product of g and the Jacobian."""
    return softmax_vjp_from_output(g, softmax(x, axis), axis)


def softmax_vjp_from_output(g: Array, y: Array, axis: Axis = -1) -> Any:
    """y (g - Σ g y), of y = softmax(x)."""
    return y * (g - np.sum(g * y, axis=axis, keepdims=True))


def softmin(x: Array, axis: Axis = -1) -> Any:
    """softmax(-x)."""
    return softmax(-x, axis)


def softmin_derivative(x: Array, axis: Axis = -1) -> Any:
    """-y (1 - y)."""
    return -softmax_derivative(-x, axis)


def softmin_second_derivative(x: Array, axis: Axis = -1) -> Any:
    """y (1 - y) (1 - 2 y)."""
    return softmax_second_derivative(-x, axis)


def softmin_vjp(g: Array, x: Array, axis: Axis = -1) -> Any:
    """-y (g - Σ g y)."""
    return -softmax_vjp(g, -x, axis)


def softmin_vjp_from_output(g: Array, y: Array, axis: Axis = -1) -> Any:
    """-y (g - Σ g y), of y = softmin(x)."""
    return -softmax_vjp_from_output(g, y, axis)


def log_softmax(x: Array, axis: Axis = -1) -> Any:
    """x - log Σ exp(x), where the sum is 1 and the others' share as log1p(that share).

    So that a result near 0 keeps its digits.
    """
    flat, back = _joined(x, axis)
    shifted = flat - np.max(flat, axis=-1, keepdims=True)
    e = np.exp(shifted)
    np.put_along_axis(e, np.argmax(flat, axis=-1, keepdims=True), 0.0, axis=-1)
    return back(shifted - np.log1p(e.sum(axis=-1, keepdims=True)))


def log_softmax_derivative(x: Array, axis: Axis = -1) -> Any:
    """1 - y, the diagonal of the Jacobian 1 - 1 yᵀ, y = softmax(x)."""
    return _others(x, axis)


def log_softmax_second_derivative(x: Array, axis: Axis = -1) -> Any:
    """-y (1 - y)."""
    return -softmax_derivative(x, axis)


def log_softmax_vjp(g: Array, x: Array, axis: Axis = -1) -> Any:
    """g - y Σ g."""
    return g - softmax(x, axis) * np.sum(g, axis=axis, keepdims=True)


def log_softmax_vjp_from_output(g: Array, y: Array, axis: Axis = -1) -> Any:
    """g - exp(y) Σ g, of y = log softmax(x)."""
    return g - np.exp(y) * np.sum(g, axis=axis, keepdims=True)


def maxout(x: Array, k: int = 2, axis: int = -1) -> Any:
    """The largest of each k successive numbers along the axis."""
    return np.max(_groups(x, k, axis), axis=-1).swapaxes(axis, -1)


def maxout_derivative(x: Array, k: int = 2, axis: int = -1) -> Any:
    """1 at the largest of each k numbers, at the first of equals, else 0."""
    groups = _groups(x, k, axis)
    largest = np.arange(k) == np.argmax(groups, axis=-1)[..., np.newaxis]
    flat = largest.astype(np.float64).reshape(*groups.shape[:-2], -1)
    return flat.swapaxes(axis, -1)


def maxout_second_derivative(x: Array, k: int = 2, axis: int = -1) -> Any:
    """0."""
    return np.zeros_like(x)


def maxout_vjp(g: Array, x: Array, k: int = 2, axis: int = -1) -> Any:
    """g at the largest of each k numbers, else 0."""
    return np.repeat(g, k, axis=axis) * maxout_derivative(x, k, axis)


def _groups(x: Array, k: int, axis: int) -> Any:
    """Groups of k numbers in the last axis, what was the axis before it."""
    last = np.swapaxes(x, axis, -1)
    return last.reshape(*last.shape[:-1], -1, k)
