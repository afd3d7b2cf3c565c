"""Scikit-learn's Adam by the rules of the table.

Its step is -rate sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + eps). The table's Adam has
eps sqrt(1 - beta2^t) in that place, so in the first steps its eps is divided by this root, which
takes a call for each step. Later ones of RAdam are scikit-learn's times r_t, a number that depends
on t and beta2 only: so there its kernel, with the rate divided by r_t, takes any number of steps in
one call.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from .._core.arrays import Array

__all__ = ["Adam"]

_LEAST = 5.0  # as in the kernel of RAdam: below, it takes other steps
_MOST = 4000  # steps, among which the first one is looked for
_DIGITS = 100  # r_t is used where no more than two digits of the length are lost


@dataclass(frozen=True)
class Adam:
    """Two of its numbers; beta1 is that of both rules."""

    beta2: float
    eps: float

    def factors(self, first: int, steps: int) -> Array:
        """r_t of steps from number `first` on, the first of all being 1; NaN where it is not used.

        Liu et al., 2020, arXiv:1908.03265.

        >>> Adam(0.999, 1e-8).factors(1, 1), Adam(0.999, 1e-8).factors(1000, 2).round(4)
        (array([nan]), array([0.6453, 0.6456]))
        """
        t = np.arange(first, first + steps, dtype=np.float64)
        decayed, longest = self.beta2**t, 2.0 / (1.0 - self.beta2) - 1.0
        length = longest - 2.0 * t * decayed / (1.0 - decayed)
        up = (length - 4.0) * (length - 2.0) * longest
        with np.errstate(invalid="ignore", divide="ignore"):
            down = (longest - 4.0) * (longest - 2.0) * length
            used = (length > _LEAST) & (length - 4.0 > longest / _DIGITS)
            return np.where(used, np.sqrt(up / down), np.nan)

    @functools.cache  # noqa: B019  (of a few numbers)
    def first_used(self) -> int | None:
        """The first step in which r_t is used; None if there is none.

        >>> Adam(0.999, 1e-8).first_used(), Adam(0.5, 1e-8).first_used()
        (25, None)
        """
        return next(iter((1 + np.flatnonzero(~np.isnan(self.factors(1, _MOST)))).tolist()), None)

    def eps_of(self, step: int) -> float:
        """Eps of the table's Adam in that step."""
        return float(self.eps / (1.0 - self.beta2**step) ** 0.5)
