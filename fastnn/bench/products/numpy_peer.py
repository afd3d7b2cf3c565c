"""NumPy's BLAS, with one sample a row and with one sample a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..timing import Calls, Competitor
from .cases import Array, Case, operands

__all__ = ["competitors"]

_ROWS: dict[str, Callable[[Array, Array, Array], tuple[Array, Array]]] = {
    "forward": lambda w, x, d: (x, w),
    "backward": lambda w, x, d: (d, w.T),
    "gradient": lambda w, x, d: (x.T, d),
}
_COLUMNS: dict[str, Callable[[Array, Array, Array], tuple[Array, Array]]] = {
    "forward": lambda w, x, d: (w.T, x),
    "backward": lambda w, x, d: (w, d),
    "gradient": lambda w, x, d: (x, d.T),
}


def competitors(case: Case) -> list[Competitor]:
    """Into an array that is there; on as many threads as BLAS has."""
    w, x, d = operands(case)
    rows = _ROWS[case.kind](w, x, d)
    columns = _COLUMNS[case.kind](w, *(np.ascontiguousarray(array.T) for array in (x, d)))
    turned = case.kind != "gradient"
    return [_calls("NumPy", *rows, False), _calls("NumPy, columns", *columns, turned)]


def _calls(name: str, a: Array, b: Array, turned: bool) -> Calls:
    out = np.empty((a.shape[0], b.shape[1]), a.dtype)

    def call() -> Any:
        return np.matmul(a, b, out=out)

    return Calls(name, call, lambda: call().T if turned else call())
