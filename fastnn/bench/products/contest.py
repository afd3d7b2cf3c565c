"""Build all competitors of a case and check them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..field import Field, warm
from ..timing import REST, Competitor
from . import numpy_peer, ours
from .cases import Case, bound, oracle

__all__ = ["Contest"]


class Contest:
    """Products on so many threads: ours cut among them, NumPy's as BLAS does it.

    Parameters
    ----------
    threads : int
        Of ours; BLAS has as many by the environment of the process.
    seconds : float
        Of a measurement.
    peers : bool
        There are none but NumPy.

    """

    def __init__(self, threads: int, seconds: float, *, peers: bool) -> None:
        self._threads, self._seconds = threads, seconds
        self.rest = REST if threads > 1 else 0.0
        self.missing: dict[str, str] = {}

    def field(self, given: dict[str, Any]) -> tuple[Case, Field]:
        """The case, and who takes part in it."""
        case = Case(**given)
        known, field = oracle(case), Field()
        entries: list[Competitor] = [ours.Products(case, self._threads)]
        for one in entries + numpy_peer.competitors(case):
            warm(one, self._seconds)
            error = float(np.abs(one.result() - known).max())
            if error <= bound(case):
                field.competitors.append(one)
            elif one.name == "fastnn":
                raise ValueError(f"{case}: fastnn computes something else, off by {error:.1e}")
            else:
                field.left_out[one.name] = f"computes something else, off by {error:.1e}"
        return case, field
