"""What a training is told beside its data: the arguments of `fit`, checked in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import count
from .._core.random import RNG
from ..callbacks import Callback, Callbacks, Progress, as_callbacks
from ..callbacks.base import flag
from ..model.draws import Draws

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """The arguments of `NeuralNetwork.fit` beside X and t, with its names and its defaults.

    What belongs to the samples, such as their weights, is checked with them. An optimizer and a
    learning rate are looked up where their state is, see `fit.optimizer_for`.

    Attributes
    ----------
    hooks : tuple of Callback
        What is called between epochs, with the reports of `verbose`: once all is `checked`.

    """

    learning_rate: Any = None
    optimizer: Any = None
    epochs: int = 1
    batch_size: int | None = None
    shuffle: bool = True
    validation_data: tuple[Any, ...] | None = None
    sample_weight: npt.ArrayLike | None = None
    class_weight: Any = None
    callbacks: Callbacks = ()
    verbose: int = 0
    rng: RNG | Draws = None
    n_threads: int | None = None
    comm: Any = None
    shard: bool = False
    hooks: tuple[Callback, ...] = ()

    def checked(self) -> Settings:
        """The same with numbers of type int, and with hooks.

        Raises
        ------
        TypeError, ValueError
            For what is wrong whatever the network and the data are, naming it.

        """
        found: dict[str, Any] = {
            "epochs": count("epochs", self.epochs, least=0),
            "batch_size": _at_least_one("batch_size", self.batch_size),
            "n_threads": _at_least_one("n_threads", self.n_threads),
            "shuffle": flag("shuffle", self.shuffle),
            "shard": flag("shard", self.shard),
            "hooks": _hooks(self.callbacks, self.verbose),
        }
        as_given = all(value is getattr(self, name) for name, value in found.items())
        return self if as_given else replace(self, **found)  # a copy takes twice as long


def _at_least_one(name: str, value: int | None) -> int | None:
    return None if value is None else count(name, value, least=1)


def _hooks(callbacks: Callbacks, verbose: Any) -> tuple[Callback, ...]:
    """What a training calls between its epochs; verbose: epochs from one report to the next."""
    if isinstance(verbose, (bool, np.bool_)):
        every = int(verbose)
    else:
        every = count("verbose", verbose, least=0)
    return (*as_callbacks(callbacks), *([Progress(every)] if every else []))
