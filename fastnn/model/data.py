"""The data of a training: samples, targets and weights, checked before anything changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, as_samples, convert, number, read
from .._core.arrays import weights as checked_weights
from .._core.foreign import item
from ..kernels.codegen import run
from ..layers import Layer
from ..losses.base import CostFunction, check_total
from ..losses.targets import as_column
from .draws import Draws

__all__ = ["Samples", "finite_samples", "rows_of", "sample_weights", "validation_pair"]


@dataclass(frozen=True)
class Samples:
    """What a training reads."""

    X: Array
    t: Array
    weights: Array  # (rows,), or empty: all one
    batch: int
    shuffled: bool
    draws: Draws | None  # None: nothing is random
    chosen: npt.NDArray[np.int64] | None = None  # rows of the arrays that are meant; None: all

    @property
    def rows(self) -> int:
        """Number of samples."""
        return int(self.X.shape[0]) if self.chosen is None else self.chosen.size

    def arrays(self) -> tuple[Array, Array, Array]:
        """Samples, targets and weights: the arrays as they are, or copies of the rows meant."""
        data = self.X, self.t, self.weights
        return data if self.chosen is None else rows_of(data, self.chosen)


def rows_of(
    data: tuple[Array, Array, Array], chosen: npt.NDArray[np.int64]
) -> tuple[Array, Array, Array]:
    """Copies of these rows of samples, targets and weights, which are none where they are empty."""
    x, t, weights = data
    return x.take(chosen, 0), t.take(chosen, 0), weights.take(chosen) if weights.size else weights


def finite_samples(
    layers: list[Any],
    cost: Any,
    X: npt.ArrayLike,
    t: npt.ArrayLike,
    names: tuple[str, str] = ("X", "t"),
    least: int = 1,
) -> tuple[Array, Array]:
    """X and t as finite matrices of so many rows that fit layers, cost and one another."""
    check_total(cost)
    if not layers:
        raise ValueError("layers is empty, expected at least one layer")
    first, last = layers[0], layers[-1]
    dtype = first.dtype if isinstance(first, Layer) else np.dtype(np.float64)
    x = as_samples(names[0], X, first.w.shape[0], dtype)
    if x.shape[0] < least:
        raise ValueError(f"{names[0]} is empty, shape {x.shape}, expected at least one row")
    width = last.dim_output if isinstance(last, Layer) else last.w.shape[1]
    if isinstance(cost, CostFunction):
        targets = cost.samples_of_targets(names[1], t, width, dtype)
    else:
        targets = as_samples(names[1], as_column(read(names[1], t), width), width, dtype)
    if targets.shape[0] != x.shape[0]:
        raise ValueError(
            f"{names[1]} has {targets.shape[0]} rows, expected as many as {names[0]}, {x.shape[0]}"
        )
    for name, given, array in ((names[0], X, x), (names[1], t, targets)):
        if not run.all_finite(array.reshape(-1)):
            raise ValueError(_not_finite(name, given, array))
    return x, targets


def _not_finite(name: str, given: npt.ArrayLike, array: Array) -> str:
    values = convert(name, given, np.dtype(np.float64))
    index = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])[: values.ndim]
    value = values[index]
    return (
        f"{item(name, index)} is {value}, expected a finite number"
        f"{' of ' + array.dtype.name if math.isfinite(value) else ''}"
    )


def validation_pair(
    layers: list[Any], cost: Any, data: tuple[Any, ...] | None
) -> tuple[Array, Array, Array] | None:
    """Samples, targets and weights to judge by."""
    if data is None:
        return None
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise TypeError("validation_data must be (X, t) or (X, t, sample_weight)")
    names = ("validation_data[0]", "validation_data[1]")
    x, targets = finite_samples(layers, cost, data[0], data[1], names)
    given = data[2] if len(data) == 3 else None
    return x, targets, sample_weights(given, None, targets, "validation_data[2]")


def sample_weights(
    weights: npt.ArrayLike | None, classes: Any, targets: Array, name: str = "sample_weight"
) -> Array:
    """One weight for each sample; empty where all are one."""
    rows_ = targets.shape[0]
    result = np.empty(0, targets.dtype)
    if weights is not None:
        result = checked_weights(name, weights, targets.dtype)
        if result.shape != (rows_,):
            raise ValueError(f"{name} has shape {result.shape}, expected ({rows_},)")
    if classes is not None:
        of_class = _class_weights(classes, targets)
        result = of_class * result if result.size else of_class
    return result


def _class_weights(classes: Any, targets: Array) -> Array:
    """The weight of each sample's class: of its largest target, or of 0 and 1 for one output."""
    count = max(2, targets.shape[1])
    if isinstance(classes, Mapping):
        table = np.ones(count)
        for key, value in classes.items():
            if not isinstance(key, (int, np.integer)) or not 0 <= key < count:
                raise ValueError(f"class_weight names the class {key!r}, expected 0 to {count - 1}")
            table[key] = number(f"class_weight[{key}]", value, least=0.0)
    else:
        table = checked_weights("class_weight", classes, np.dtype(np.float64))
        if table.shape != (count,):
            raise ValueError(f"class_weight has shape {table.shape}, expected ({count},)")
    chosen = targets[:, 0] > 0.5 if targets.shape[1] == 1 else targets.argmax(axis=1)
    return table.astype(targets.dtype)[chosen.astype(np.intp)]
