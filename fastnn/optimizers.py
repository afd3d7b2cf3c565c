"""The table of update rules, which turn gradients into new parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .kernels import optimizers as formulas
from .kernels.jit import address

__all__ = ["RULES", "Rule"]


@dataclass(frozen=True, eq=False)
class Rule:
    """One row of the table: the name, the formula for people, and the scalar formula."""

    name: str
    formula: str
    update: Callable[..., Any]

    def address(self, dtype: np.dtype[Any]) -> int:
        """Address of the row kernel that the engine runs."""
        return int(address(formulas.stateless(self.update), dtype))


_ROWS = (Rule("SGD", "p - learning_rate g", formulas.sgd),)

RULES: dict[str, Rule] = {row.name: row for row in _ROWS}
