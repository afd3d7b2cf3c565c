"""What targets of costs are: their forms, and labels as one-hot rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, convert
from .._core.foreign import item

__all__ = ["FORMS", "Form", "as_column", "one_hot"]


@dataclass(frozen=True)
class Form:
    """What targets of a cost are."""

    words: str
    least: float = -math.inf
    most: float = math.inf
    whole: bool = False  # only whole numbers within these
    labels: bool = False  # classes may be given by their numbers

    def check(self, name: str, t: Array) -> None:
        """Refuse targets out of their range; NaN passes."""
        if not t.size or self.least == -math.inf:
            return
        # passes that take no time beside those below; comparisons with NaN are false
        within = not (t.min() < self.least or t.max() > self.most)
        if within and (not self.whole or (t == np.floor(t)).all()):
            return
        bad = (t < self.least) | (t > self.most)
        if self.whole:
            bad |= (t != np.floor(t)) & (t == t)
        if bad.any():
            index = tuple(int(k) for k in np.argwhere(bad)[0])
            raise ValueError(f"{item(name, index)} is {t[index]}, expected {self.words}")


FORMS = {
    "numbers": Form("numbers"),
    "probabilities": Form("a probability, from 0 to 1", 0.0, 1.0),
    "classes": Form("a probability, from 0 to 1", 0.0, 1.0, labels=True),
    "counts": Form("a number, at least 0", 0.0),
    "signs": Form("-1 or 1, or 0 for -1", -1.0, 1.0, whole=True),
}


def one_hot(name: str, value: npt.ArrayLike, classes: int, dtype: np.dtype[Any]) -> Array:
    """Labels, 0 … classes - 1, as rows of zeros and a one.

    >>> one_hot("t", [1, 0], 3, np.dtype("f4"))
    array([[0., 1., 0.],
           [1., 0., 0.]], dtype=float32)
    """
    labels = convert(name, value, np.dtype(np.float64))
    bad = ~((labels >= 0) & (labels < classes) & (labels == np.floor(labels)))
    if bad.any():
        index = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(
            f"{item(name, index)} is {labels[index]:g}, expected a class, from 0 to {classes - 1}"
        )
    rows: Array = np.zeros((*labels.shape, classes), dtype)
    np.put_along_axis(rows, labels[..., np.newaxis].astype(np.intp), 1.0, axis=-1)
    return rows


def as_column(value: npt.NDArray[Any], columns: int) -> npt.NDArray[Any]:
    """Targets of samples; a vector of them is taken for one column, where there is one.

    >>> as_column(np.array([1.0, 2.0]), 1).shape, as_column(np.array([1.0, 2.0]), 2).shape
    ((2, 1), (2,))
    """
    return value[:, np.newaxis] if value.ndim == 1 and columns == 1 else value
