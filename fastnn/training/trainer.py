"""What the loop over epochs asks of a trainer, and the error of a training that diverges."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from ..kernels.engine import team as engine_team
from ..optimizers import Optimizer
from ..schedules import Constant, Schedule

__all__ = ["MOST_EPOCHS", "Trained", "Trainer", "diverged", "rate_at"]

MOST_EPOCHS = 1 << 16  # in one call
_MOST_RATES = 1 << 16  # that are computed at once


class Trained(NamedTuple):
    """What came of a call of `Trainer.train`: of the epochs that were completed, (epochs,) each."""

    costs: Array
    seconds: Array
    error: ValueError | None  # why it was not all of them
    reduction_seconds: Array | None = None  # in sums over all ranks, of a training by several


class Trainer(Protocol):
    """Trains for some epochs at a time."""

    optimizer: Optimizer
    control: npt.NDArray[np.int64]  # where it stands, see ``kernels/engine/team.py``
    steps_per_epoch: int  # of the last epoch, or as known before the first; 0: not known

    def plan(self, schedule: Schedule, epochs: int) -> tuple[int, Array]:
        """How many of these epochs come next, and the rates of their steps, or one for all."""
        if isinstance(schedule, Constant):
            return epochs, np.array([schedule.rate])
        first, epochs = (
            self.optimizer.steps,
            min(epochs, max(1, _MOST_RATES // self.steps_per_epoch)),
        )
        return epochs, np.asarray(schedule(np.arange(first, first + epochs * self.steps_per_epoch)))

    def train(self, epochs: int, rates: Array) -> Trained:
        """Train for so many epochs, at these learning rates of their steps, or one for all."""

    def evaluate(self, X: Array, t: Array, weights: Array) -> float:
        """Cost of other samples."""

    def close(self) -> None:
        """End what runs in the background."""


def rate_at(schedule: Schedule, step: int) -> float:
    """The learning rate of a step."""
    return schedule.rate if isinstance(schedule, Constant) else float(schedule(step))


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
