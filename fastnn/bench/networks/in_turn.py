"""Several networks, trained by a loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = ["InTurn"]


class InTurn:
    """Trainers of one network each, one after the other.

    Parameters
    ----------
    name : str
    trainers : sequence
        Their steps together are those of a run.

    """

    def __init__(self, name: str, trainers: Sequence[Any]) -> None:
        self.name, self.steps = name, sum(trainer.steps for trainer in trainers)
        self._trainers = trainers

    def start(self) -> None:
        """Begin again."""
        for trainer in self._trainers:
            trainer.start()

    def run(self) -> None:
        """All steps of all."""
        for trainer in self._trainers:
            trainer.run()

    def result(self) -> np.ndarray:
        """What they arrived at, (networks, parameters)."""
        return np.stack([trainer.result() for trainer in self._trainers])
