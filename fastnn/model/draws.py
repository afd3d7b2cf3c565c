"""Where the random numbers of a training stand: its shuffles and its dropout."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import count
from .._core.random import RNG, uniform_source
from ..kernels.engine import train as engine

__all__ = ["BLOCKS", "Draws"]

BLOCKS = 1  # in the place of the rows: each block is shuffled by a number of its own

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
        Samples that were shuffled; 0 if they were not, and 1 for data in blocks.
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

        rows: samples to shuffle, `BLOCKS`, or 0 for none; steps: those that its optimizer took.
        """
        if not isinstance(rng, Draws):
            seed = int(uniform_source(rng).uniform() * _SEEDS)
            return cls(seed, 0, rows, seed % _DROPOUT_SEEDS + steps)
        if rows and rng.rows not in (0, rows):
            before = "blocks" if rng.rows == BLOCKS else f"{rng.rows} samples"
            now = "the data comes in blocks" if rows == BLOCKS else f"X has {rows} rows"
            raise ValueError(f"rng goes on with shuffles of {before}, but {now}")
        return rng if rng.rows == rows else replace(rng, epochs=0, rows=rows)

    def shuffle(self, order: npt.NDArray[np.int64], state: npt.NDArray[Any]) -> None:
        """Shuffle an order of samples as the epochs so far did, and leave the state they left."""
        order[:1], order[1:] = 0, 1  # 0, 1, 2 …, without another array as long
        np.cumsum(order, out=order)
        state[0] = self.seed
        for _ in range(self.epochs if order.size else 0):
            engine.shuffle(order, state)

    def order_of_blocks(self, epoch: int, count: int) -> npt.NDArray[np.int64]:
        """The order of so many blocks in an epoch from these on."""
        order, state = np.arange(count), np.array([self._mixed(epoch)], np.uint64)
        engine.shuffle(order, state)
        return order

    def of_block(self, epoch: int, number: int, rows: int, key: int) -> Draws:
        """Those of a block's samples in an epoch from these on.

        They follow from the seed, the epoch and the block's number alone, so that a training goes
        on without repeating the shuffles of all epochs before.
        """
        return Draws(self._mixed(epoch, number), 0, rows, key)

    def _mixed(self, epoch: int, *number: int) -> int:
        mixed = np.random.SeedSequence(self.seed, spawn_key=(self.epochs + epoch, *number))
        return int(mixed.generate_state(1, np.uint64)[0]) % _SEEDS

    def after(self, epochs: int, key: int) -> Draws:
        """After more epochs, with the key of the dropout then."""
        return replace(self, epochs=self.epochs + epochs, key=key)
