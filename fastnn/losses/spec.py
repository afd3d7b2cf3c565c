"""What the library knows of a cost: an entry of `table`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .._core.arrays import count, number, weights
from .._core.table import Spec
from ..kernels.losses import tile_kernels
from .targets import FORMS, Form

__all__ = ["Loss"]


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
        What targets are: a key of `FORMS` in ``targets.py``.
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
