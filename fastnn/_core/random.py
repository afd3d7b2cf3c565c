"""The one way in which random numbers come in: a Generator, a seed, or the global np.random."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from .foreign import shown

__all__ = ["RNG", "uniform_source"]

RNG: TypeAlias = int | np.random.Generator | np.random.RandomState | None


def uniform_source(rng: RNG) -> Any:
    """Something with ``uniform(size=…)``; None is ``np.random``, which ``np.random.seed`` fixes.

    An int is the seed of a Generator; a Generator or an older RandomState is taken as it is.

    >>> float(uniform_source(3).uniform()) == float(np.random.default_rng(3).uniform())
    True
    """
    if rng is None:
        return np.random
    if isinstance(rng, (np.random.Generator, np.random.RandomState)):
        return rng
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, (bool, np.timedelta64)):
        if rng >= 0:
            return np.random.default_rng(rng)
        raise ValueError(f"rng must not be negative, but is {rng}")
    raise TypeError(
        f"rng must be None, an int or a numpy.random.Generator or RandomState, not {shown(rng)}"
    )
