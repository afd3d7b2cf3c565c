"""What the loop over epochs asks of a trainer, and the error of a training that diverges."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from ..kernels.engine import team as engine_team
from ..optimizers import Optimizer

__all__ = ["Trainer", "diverged"]


class Trainer(Protocol):
    """Trains for some epochs at a time."""

    control: npt.NDArray[np.int64]  # where it stands, see ``kernels/engine/team.py``

    def train(self, epochs: int, rates: Array) -> tuple[Array, Array, ValueError | None]:
        """Costs and seconds of the epochs that were completed, and why it was not all of them."""

    def evaluate(self, X: Array, t: Array, weights: Array) -> float:
        """Cost of other samples."""

    def close(self) -> None:
        """End what runs in the background."""


def diverged(
    optimizer: Optimizer, rate: float, control: npt.NDArray[np.int64], block: int | None = None
) -> ValueError:
    """The error of a training whose next step would leave the finite numbers.

    block: number of that at hand, of data in blocks.
    """
    epoch, start = int(control[engine_team.EPOCH]), int(control[engine_team.START])
    where = "" if block is None else f"block {block}, "
    return ValueError(
        f"learning_rate={rate!r} makes the training diverge: in step "
        f"{int(control[engine_team.STEPS])} (epoch {epoch}, {where}batch from sample {start} on) a "
        f"parameter would become infinite or NaN with {optimizer.rule.name}, expected finite; "
        "the parameters are those before that step"
    )
