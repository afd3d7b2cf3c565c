"""The sine of a multiple."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def sin(x: Array, omega: float = 1.0) -> Any:
    """Sine of ω x."""
    return np.sin(omega * x)


def sin_derivative(x: Array, omega: float = 1.0) -> Any:
    """ω cos(ω x)."""
    return omega * np.cos(omega * x)


def sin_second_derivative(x: Array, omega: float = 1.0) -> Any:
    """-ω² sin(ω x)."""
    return -(omega**2) * np.sin(omega * x)


def sin_third_derivative(x: Array, omega: float = 1.0) -> Any:
    """-ω³ cos(ω x)."""
    return -(omega**3) * np.cos(omega * x)
