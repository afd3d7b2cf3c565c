"""Build both sides of a case and check them."""

from __future__ import annotations

from typing import Any

import numpy as np

import fastnn

from ..field import Field, warm
from ..timing import Calls
from .cases import Case, pair_of

__all__ = ["Contest"]

_TOLERANCE = {"float32": 1e-3, "float64": 1e-7}


class Contest:
    """The articles' calls on so many threads.

    Parameters
    ----------
    threads : int
    seconds : float
        Of a measurement.
    peers : bool
        There are none but NumPy.

    """

    rest = 0.0

    def __init__(self, threads: int, seconds: float, *, peers: bool) -> None:
        fastnn.set_num_threads(threads)
        self._seconds = seconds
        self.missing: dict[str, str] = {}

    def field(self, given: dict[str, Any]) -> tuple[Case, Field]:
        """The case, and both sides of it."""
        case = Case(**given)
        pair = pair_of(case)
        found, known = pair.ours(), pair.theirs()
        tolerance = _TOLERANCE[case.dtype]
        if pair.same and not np.allclose(found, known, rtol=tolerance, atol=tolerance):
            raise ValueError(f"{case}: fastnn computes something else than NumPy")
        calls = [("fastnn", pair.ours), ("NumPy", pair.theirs)]
        return case, Field([warm(Calls(name, call), self._seconds) for name, call in calls])
