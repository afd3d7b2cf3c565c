"""What ranks that train together must have alike, and the error of those that do not."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .._core.arrays import Array
from ..model.snapshot import Snapshot
from ..optimizers import Optimizer
from .settings import Settings

__all__ = ["Card", "card_of", "first_difference"]


class Card(NamedTuple):
    """What all ranks must have alike before the first step; the names are those of messages."""

    dtype: str
    network: tuple[str, ...]
    cost: str
    optimizer: str
    epochs: int
    batch_size: int | None
    shuffle: bool
    shard: bool
    n_threads: int
    data: str  # of ranks that pass the same arrays: shapes and a digest of some rows


def card_of(
    now: Snapshot, data: tuple[Array, Array, Array], opt: Optimizer, settings: Settings
) -> Card:
    """The card of a training; data: samples, targets and weights."""
    cost = f"{now.cost_function!r}, {now.cost_function.reduction}"
    layers = tuple(f"{layer!r}, trainable={layer.trainable}" for layer in now.layers)
    return Card(
        now.theta.dtype.name, layers, cost, _numbers(opt), settings.epochs, settings.batch_size,
        settings.shuffle, settings.shard, settings.n_threads or 1,
        _digest(data) if settings.shard else "",
    )  # fmt: skip


def _numbers(opt: Optimizer) -> str:
    """A rule with its numbers, without the learning rate, which is rank 0's."""
    numbers = {name: value for name, value in opt.hyper.items() if not callable(value)}
    for name in ("weight_decay", "clip_norm", "clip_value", "on_nonfinite"):
        numbers[name] = getattr(opt, name)
    return f"{opt.rule.name}({', '.join(f'{name}={value}' for name, value in numbers.items())})"


def _digest(data: tuple[Array, Array, Array]) -> str:
    """Shapes, and a checksum of the first, the middle and the last row."""
    shapes, rows = [array.shape for array in data], len(data[0])
    seen = 0
    for array in data:
        for row in sorted({0, rows // 2, rows - 1}) if array.size else ():
            seen = zlib.crc32(np.ascontiguousarray(array[row : row + 1]).tobytes(), seen)
    return f"X {shapes[0]}, t {shapes[1]}, weights {shapes[2]}, checksum {seen:08x}"


def first_difference(cards: Sequence[Card]) -> ValueError | None:
    """The error of ranks that were given different things."""
    for name in Card._fields:
        values = [getattr(card, name) for card in cards]
        for rank, value in enumerate(values):
            if value != values[0]:
                one, other = _apart(values[0], value)
                return ValueError(
                    f"the ranks differ in {name}: it is {one} on rank 0, but {other} on rank {rank}"
                )
    return None


def _apart(one: Any, other: Any) -> tuple[Any, Any]:
    """The same, of long lists only what differs."""
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return next(pair for pair in zip(one, other, strict=True) if pair[0] != pair[1])
    if isinstance(one, tuple):
        return f"{len(one)} layers", f"{len(other)} layers"
    return one, other
