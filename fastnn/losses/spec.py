"""What the library knows of a cost: an entry of `table`."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, convert, count, number, weights
from .._core.foreign import item
from .._core.table import Spec
from ..kernels.losses import tile_kernels

__all__ = ["FORMS", "Form", "Loss", "one_hot"]


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
            place = tuple(int(k) for k in np.argwhere(bad)[0])
            raise ValueError(f"{item(name, place)} is {t[place]}, expected {self.words}")


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
        place = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(
            f"{item(name, place)} is {labels[place]:g}, expected a class, from 0 to {classes - 1}"
        )
    found: Array = np.zeros((*labels.shape, classes), dtype)
    np.put_along_axis(found, labels[..., np.newaxis].astype(np.intp), 1.0, axis=-1)
    return found


@dataclass(frozen=True, eq=False)  # an entry is itself: hashable, compared by identity
class Loss(Spec):
    """One entry of the table.

    Attributes
    ----------
    name : str
        Of its class in `fastnn.losses`.
    kernel : str
        The name of its formulas in ``kernels/losses/elementwise.py``, or of its kernels in
        ``kernels/losses/tile_kernels.py``.
    formula : str
        The cost of a sample, in words: of activities a (outputs y) and targets t.
    targets : str
        What targets are: a key of `FORMS`.
    activation : str
        What makes outputs of activities: a key of ``ACTIVATIONS`` of
        ``kernels/losses/tile_kernels.py``; an activation that layers have too has the name of their
        entry's kernel.
    limits : mapping
        What parameters must be, beyond finite numbers.
    reduction : str
        The default.
    averaged : bool
        Whether the cost of a sample is a mean over its outputs; else their sum.
    per_target : int
        Outputs for a column of the targets.
    notes : str
        More about it.
    peers : str
        How other libraries differ.
    example : str
        A doctest.
    reference : str
        Where it comes from.

    """

    name: str
    kernel: str
    formula: str
    targets: str = "numbers"
    activation: str = "identity"
    limits: Mapping[str, str] = field(default_factory=dict)
    reduction: str = "sum"
    averaged: bool = False
    per_target: int = 1
    notes: str = ""
    peers: str = ""
    example: str = ""
    reference: str = ""

    @functools.cached_property
    def cost(self) -> tile_kernels.Cost:
        """Its tile kernels."""
        return tile_kernels.COSTS.get(self.kernel) or tile_kernels.elementwise(
            self.kernel, self.averaged
        )

    @property
    def is_elementwise(self) -> bool:
        """Whether it is a sum over the outputs, of a formula of each."""
        return self.kernel not in tile_kernels.COSTS

    @property
    def form(self) -> Form:
        """What targets are."""
        return FORMS[self.targets]

    @property
    def parameters(self) -> dict[str, Any]:
        """Names and defaults of the parameters; None stands for a vector left out."""
        return dict(tile_kernels.parameters(self.kernel))

    def converted(self, name: str, default: Any, value: Any) -> Any:
        """A number; where the default is None, a vector or None; where it is an int, an int."""
        if default is None:
            if value is None:
                return None
            vector = weights(name, value, np.dtype(np.float64))
            if not vector.size:
                raise ValueError(f"{name} is empty, expected one number a class, or None")
            if vector.ndim != 1:
                raise ValueError(f"{name} has shape {vector.shape}, expected one number a class")
            return tuple(vector.tolist())
        return count(name, value, least=1) if isinstance(default, int) else number(name, value)
