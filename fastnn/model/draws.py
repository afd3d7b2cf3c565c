"""Where the random numbers of a training stand: its shuffles and its dropout."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import count
from .._core.random import RNG, uniform_source
from ..kernels.engine import train as engine

__all__ = ["Draws"]

_SEEDS = 2**53
_DROPOUT_SEEDS = 2**31
_KEYS = 2**62  # a sum with a number of steps stays an int64


@dataclass(frozen=True)
class Draws:
    """Where the random numbers of a training stand: ``network.draws``, for the `rng` of `fit`.

    All that the shuffles and the dropout of a training come from. A `fit` that is given them goes
    on with the numbers that the last one would have drawn next, so that trainings of 5 and of 5
    more epochs are one of 10, to the last bit. The order of the samples is found again by repeating
    the shuffles, which takes some nanoseconds for each sample and epoch.

    Parameters
    ----------
    seed : int
        Of the shuffles, below 2**53.
    epochs : int
        Shuffles since.
    rows : int
        Samples that were shuffled; 0 if they were not.
    key : int
        Of the dropout of the next step, below 2**62.

    """

    seed: int
    epochs: int = 0
    rows: int = 0
    key: int = 0

    def __post_init__(self) -> None:
        for entry in fields(self):
            count(entry.name, getattr(self, entry.name), least=0)
        for name, value, limit in (("seed", self.seed, _SEEDS), ("key", self.key, _KEYS)):
            if value >= limit:
                raise ValueError(f"{name} must be below {limit}, but is {value}")

    @classmethod
    def begin(cls, rng: RNG | Draws, rows: int, steps: int) -> Draws:
        """Those of a training: new ones, or given ones that go on.

        rows: samples to shuffle, 0 for none; steps: those that its optimizer has taken.
        """
        if not isinstance(rng, Draws):
            seed = int(uniform_source(rng).uniform() * _SEEDS)
            return cls(seed, 0, rows, seed % _DROPOUT_SEEDS + steps)
        if rows and rng.rows not in (0, rows):
            raise ValueError(
                f"rng goes on with shuffles of {rng.rows} samples, but X has {rows} rows"
            )
        return rng if rng.rows == rows else replace(rng, epochs=0, rows=rows)

    def shuffle(self, order: npt.NDArray[np.int64], state: npt.NDArray[Any]) -> None:
        """Shuffle an order of samples as the epochs so far did, and leave the state they left."""
        order[:1], order[1:] = 0, 1  # 0, 1, 2 …, without another array as long
        np.cumsum(order, out=order)
        state[0] = self.seed
        for _ in range(self.epochs if order.size else 0):
            engine.shuffle(order, state)

    def after(self, epochs: int, key: int) -> Draws:
        """After more epochs, with the key of the dropout then."""
        return replace(self, epochs=self.epochs + epochs, key=key)
