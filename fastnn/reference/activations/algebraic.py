"""Roots and quotients, without squares that overflow and differences that cancel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def _finite(x: Array) -> Any:
    """x, an infinity as the largest number."""
    largest = np.finfo(np.float64).max
    return np.clip(x, -largest, largest)


def _root(x: Array, b: float) -> Any:
    """sqrt(x² + b), without a square that overflows."""
    return np.hypot(x, np.sqrt(b))


def bent_identity(x: Array) -> Any:
    """(sqrt(x² + 1) - 1) / 2 + x, the difference being x² / (sqrt(x² + 1) + 1)."""
    x = _finite(x)
    return x + x * (x / (_root(x, 1.0) + 1)) / 2


def bent_identity_derivative(x: Array) -> Any:
    """x / (2 sqrt(x² + 1)) + 1."""
    x = _finite(x)
    return x / _root(x, 1.0) / 2 + 1


def bent_identity_second_derivative(x: Array) -> Any:
    """1 / (2 (x² + 1)^(3/2))."""
    root = _root(x, 1.0)
    return 0.5 / root / root / root


def bent_identity_third_derivative(x: Array) -> Any:
    """-3 x / (2 (x² + 1)^(5/2))."""
    root = _root(x, 1.0)
    return -1.5 * (_finite(x) / root) / root / root / root / root


def softsign(x: Array) -> Any:
    """x / (1 + |x|)."""
    x = _finite(x)
    return x / (1 + np.abs(x))


def softsign_derivative(x: Array) -> Any:
    """1 / (1 + |x|)²."""
    size = 1 + np.abs(x)
    return 1 / size / size


def softsign_second_derivative(x: Array) -> Any:
    """-2 / (1 + |x|)³ with the sign of x; 0 at the kink."""
    size = 1 + np.abs(x)
    return -2 * np.sign(x) / size / size / size


def softsign_third_derivative(x: Array) -> Any:
    """6 / (1 + |x|)⁴."""
    size = 1 + np.abs(x)
    return 6 / size / size / size / size


def squareplus(x: Array, b: float = 4.0) -> Any:
    """(x + sqrt(x² + b)) / 2, for x < 0 as b / 2 / (sqrt(x² + b) - x)."""
    root = _root(x, b)
    return np.where(x < 0, b / 2 / (root + np.abs(x)), (root + x) / 2)


def squareplus_derivative(x: Array, b: float = 4.0) -> Any:
    """(1 + x / sqrt(x² + b)) / 2, the quotient of `squareplus` and of the root."""
    x = _finite(x)
    return squareplus(x / 2, b / 4) / (_root(x, b) / 2)


def squareplus_second_derivative(x: Array, b: float = 4.0) -> Any:
    """b / (2 (x² + b)^(3/2))."""
    root = _root(x, b)
    return b / 2 / root / root / root


def squareplus_third_derivative(x: Array, b: float = 4.0) -> Any:
    """-3 b x / (2 (x² + b)^(5/2))."""
    root = _root(x, b)
    return -1.5 * (_finite(x) / root) * (b / root) / root / root / root
