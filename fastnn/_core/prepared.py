"""What the calls that are worked out once have in common, of networks, layers, costs and others."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["DTYPES", "never"]

DTYPES = np.dtype(np.float64), np.dtype(np.float32)
"""Those that such calls are made for, the usual one first."""


def never(*arguments: Any) -> None:
    """The call where none can be worked out: whoever asks goes the careful way."""
