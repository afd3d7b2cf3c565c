"""Data in blocks, of which a training has two in memory: the one at hand, and the next."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .._core.ahead import ahead
from .._core.arrays import Array
from .._core.mapped import Room
from .block_sources import Source, computed, numbered, opened, rooms
from .data import finite_samples, sample_weights

__all__ = ["Block", "Blocks"]


class Block(NamedTuple):
    """Some of the samples of a training, checked."""

    number: int  # in the list, or in the order of the function
    X: Array
    t: Array
    weights: Array  # (rows,), or empty: all one

    @property
    def rows(self) -> int:
        """Number of samples."""
        return int(self.X.shape[0])

    @property
    def weight(self) -> float:
        """What the samples count together: their number, or the sum of their weights."""
        return float(self.weights.sum(dtype=np.float64)) if self.weights.size else float(self.rows)


@dataclass(frozen=True)
class Blocks:
    """The blocks of a source, for a network and its cost."""

    source: Source
    layers: list[Any]
    cost_function: Any
    class_weight: Any
    # For files and maps, in turn; kept from epoch to epoch.
    memory: tuple[list[Room], list[Room]] = field(default_factory=lambda: (rooms(), rooms()))

    def read(self, epoch: int, order: Iterable[int] | None = None) -> Generator[Block, None, None]:
        """All blocks once, read ahead by a thread; close it where it is left before its end.

        order: numbers of the blocks, of a source that can be asked for them. An empty block is
        passed over.

        Raises
        ------
        TypeError, ValueError, OSError
            For a block that does not fit, naming it; and where there is no sample at all. What the
            caller's own code raises comes as it is.

        """
        return ahead(lambda: self._checked(epoch, order))

    def _checked(self, epoch: int, order: Iterable[int] | None) -> Generator[Block, None, None]:
        source, empty = self.source, True
        here, other = self.memory  # in turn: who asks for a block is done with the one before
        if source.each is None:
            numbers = range(len(source.rows)) if order is None else order
            given = ((k, source.one(k)) for k in numbers)
        else:
            given = _numbered(source.each())
        with contextlib.closing(given):
            for number, raw in given:
                block = self._block(epoch, number, raw, here)
                del raw  # which may be as large again
                if block is not None:
                    empty = False
                    here, other = other, here
                    yield block
                del block  # while the next one is read, the training has it alone
        if empty:
            raise ValueError(self._no_sample(epoch))

    def _block(self, epoch: int, number: int, raw: Any, memory: list[Room]) -> Block | None:
        """The block, if it is right; None: it is empty."""
        where = f"block {number} of epoch {epoch}"
        try:
            parts = opened(raw, memory)
        except (TypeError, ValueError, OSError) as error:
            raise numbered(error, where) from error
        X, t, weights = computed(parts)  # by code of the caller's, whose errors are its own
        del parts
        try:
            if np.shape(X)[:1] == (0,) and np.shape(t)[:1] == (0,):
                return None
            x, targets = finite_samples(self.layers, self.cost_function, X, t)
            return Block(number, x, targets, sample_weights(weights, self.class_weight, targets))
        except (TypeError, ValueError) as error:
            raise numbered(error, where) from error

    def _no_sample(self, epoch: int) -> str:
        if not self.source.is_ordered:
            return "all blocks are empty, expected at least one sample"
        hint = ""
        if epoch > 0:
            hint = (
                ": an iterator that has been gone through once has nothing left, so a function "
                "must return a new one for each epoch"
            )
        return f"the blocks of epoch {epoch} ended without a sample, expected at least one{hint}"


def _numbered(blocks: Iterator[Any]) -> Generator[tuple[int, Any], None, None]:
    """What `enumerate` gives, without keeping a block while the next one is made."""
    number = 0
    try:
        for block in blocks:
            yield number, block
            del block
            number += 1
    finally:
        if close := getattr(blocks, "close", None):  # a generator, in the thread that ran it
            close()
