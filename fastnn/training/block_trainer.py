"""Trainings on data in blocks: one after the other, by the trainers of data in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any

import numpy as np

from .._core.arrays import Array
from ..kernels.codegen.compiler import clock
from ..kernels.engine import team as engine_team
from ..layers.base import check_trainable
from ..model.blocks import Block, Blocks
from ..model.data import Samples
from ..model.draws import Draws
from ..model.evaluation import check_parameters, evaluate
from ..model.snapshot import Pinned
from ..model.stack import Stack
from ..optimizers import Optimizer
from ..schedules import Constant, Schedule
from .compiled import CompiledTrainer, trainer_of_block
from .layerwise import LayerTrainer, cost_layer_by_layer
from .trainer import Trained, Trainer, diverged, rate_at

__all__ = ["BlockTrainer"]


class BlockTrainer(Trainer):
    """Takes the steps of an epoch block by block; a batch is of one block.

    Parameters
    ----------
    network : Stack
    pinned : Pinned
        The network, which nobody may change.
    blocks : Blocks
    batch : int or None
        Samples a step; None: those of a block.
    shuffle : bool
    draws : Draws or None
        Where the random numbers stand before the first epoch.
    optimizer : Optimizer
    epochs : int
        Asked for.
    threads : int or None

    Attributes
    ----------
    steps_per_epoch : int
        Of the last epoch; before the first, where the sizes of the blocks are known, of that. Else
        0.

    """

    _schedule: Schedule = Constant(0.0)  # of the epoch that is planned

    def __init__(
        self,
        network: Stack,
        pinned: Pinned,
        blocks: Blocks,
        batch: int | None,
        shuffle: bool,
        draws: Draws | None,
        optimizer: Optimizer,
        epochs: int,
        threads: int | None,
    ) -> None:
        self.network, self._pinned, self._blocks = network, pinned, blocks
        self._batch, self._shuffle, self._draws = batch, shuffle, draws
        self.optimizer, self._epochs, self._threads = optimizer, epochs, threads
        self._check()
        self._mean = getattr(pinned.now.cost_function, "reduction", "sum") == "mean"
        self._distance = 0 if draws is None else draws.key - optimizer.steps
        self._trainers: dict[Any, CompiledTrainer] = {}
        self._epoch, self._steps = 0, 0
        self._sizes: tuple[float, int] | None = None  # weight and number of all samples
        self.control = np.zeros(engine_team.CONTROLS, np.int64)
        sizes = blocks.source.rows
        known = [0 if rows is None else -(-rows // (batch or max(rows, 1))) for rows in sizes]
        self.steps_per_epoch = 0 if None in sizes else sum(known)

    def _check(self) -> None:
        """Refuse what cannot be trained, and make the optimizer's state."""
        now, nothing = self._pinned.now, np.empty((0, 1))
        check_trainable(now.layers)
        if now.compiled:
            check_parameters(now.theta)
            self.optimizer.state_for(now.theta)
        else:
            none = Samples(nothing, nothing, nothing[:, 0], 1, False, None)
            LayerTrainer(self.network, self._pinned, none, self.optimizer)

    def plan(self, schedule: Schedule, epochs: int) -> tuple[int, Array]:
        """See `Trainer`: an epoch, with the rate of its first step; each block asks for its own."""
        self._schedule = schedule
        return 1, np.array([rate_at(schedule, self.optimizer.steps)])

    def train(self, epochs: int, rates: Array) -> Trained:
        """See `Trainer`."""
        costs: list[float] = []
        seconds: list[float] = []
        for _ in range(epochs):
            begin = clock()
            cost, error = self._train_epoch(float(rates[0]))
            if error is not None:
                return Trained(np.array(costs), np.array(seconds), error)
            costs.append(cost)
            seconds.append(clock() - begin)
        return Trained(np.array(costs), np.array(seconds), None)

    def _train_epoch(self, rate: float) -> tuple[float, ValueError | None]:
        """The cost of an epoch, of the steps that were taken; or why it was not completed."""
        if self._shares_penalties() and self._sizes is None:
            self._sizes = self._count()
        cost, seen, steps, weight, rows = math.nan, 0, 0, 0.0, 0
        with closing(self._read()) as blocks:
            for block in blocks:
                samples = self._samples(block)
                rates = self._rates(rate, -(-samples.rows // samples.batch))
                self._pinned.check()  # callables of the caller's have run
                found, counted, error = self._train_block(block, samples, rates)
                if error is not None:
                    return math.nan, error
                if counted:
                    cost, seen = self._added(cost, seen, found, counted)
                steps += -(-samples.rows // samples.batch)
                weight, rows = weight + block.weight, rows + block.rows
                del block, samples
        self._epoch += 1
        self.steps_per_epoch, self._sizes = steps, (weight, rows)
        return cost, None

    def _read(self) -> Generator[Block, None, None]:
        """The blocks of an epoch; in another order each time, where they can be asked for."""
        source, order = self._blocks.source, None
        if self._shuffle and self._draws is not None and not source.is_ordered:
            order = self._draws.order_of_blocks(self._epoch, len(source.rows)).tolist()
        return self._blocks.read(self._epoch, order)

    def _samples(self, block: Block) -> Samples:
        """A block in batches."""
        batch = block.rows if self._batch is None else min(self._batch, block.rows)
        draws, shuffled = self._draws, self._shuffle and batch < block.rows
        if draws is not None:
            key = self._distance + self.optimizer.steps
            draws = draws.of_block(self._epoch, block.number, block.rows if shuffled else 0, key)
        return Samples(block.X, block.t, block.weights, batch, shuffled, draws)

    def _rates(self, rate: float, steps: int) -> Array:
        """Learning rates of so many steps to come, or one for all of them."""
        schedule, first = self._schedule, self.optimizer.steps
        if isinstance(schedule, Constant):
            return np.array([rate])
        return np.asarray(schedule(np.arange(first, first + steps)))

    def _train_block(
        self, block: Block, samples: Samples, rates: Array
    ) -> tuple[float, int, ValueError | None]:
        """Cost of a block, and of how many samples that is; or why it was not completed."""
        trainer = self._trainer(block, samples)
        try:
            trained = trainer.train(1, rates)
            told = trainer.control.copy()
        finally:
            trainer.close()
        step = int(told[engine_team.STEPS])
        if trained.error is not None:
            told[engine_team.STEPS] += self._steps
            told[engine_team.EPOCH] = self._epoch
            rate = float(rates[min(step, rates.size - 1)])
            return math.nan, 0, diverged(self.optimizer, rate, told, block.number)
        self._steps += step
        return float(trained.costs[0]), int(told[engine_team.SEEN]), None

    def _trainer(self, block: Block, samples: Samples) -> Trainer:
        """What trains on a block, ready to begin."""
        network, pinned, optimizer = self.network, self._pinned, self.optimizer
        if not pinned.now.compiled:
            return LayerTrainer(network, pinned, samples, optimizer)
        trainer = trainer_of_block(
            self._trainers, network, pinned, samples, optimizer, self._epochs, self._threads
        )
        if self._shares_penalties():
            assert self._sizes is not None
            weight, rows = self._sizes
            trainer.share_penalties(block.weight / weight if weight > 0.0 else block.rows / rows)
        return trainer

    def _shares_penalties(self) -> bool:
        """Whether each block has a part of the penalties, which the cost of a sum has once."""
        layers = self._pinned.now.layers
        return not self._mean and any(
            getattr(layer, "l1", 0.0) or getattr(layer, "l2", 0.0) for layer in layers
        )

    def _count(self) -> tuple[float, int]:
        """Weight and number of all samples, by one reading of the blocks."""
        weight, rows = 0.0, 0
        with closing(self._blocks.read(self._epoch)) as blocks:
            for block in blocks:
                weight, rows = weight + block.weight, rows + block.rows
                del block
        return weight, rows

    def _added(self, cost: float, seen: int, more: float, counted: int) -> tuple[float, int]:
        """The cost of so many samples and more; that of the first ones is as it is."""
        if not seen:
            return more, counted
        both = seen + counted
        if self._mean:
            return cost + (more - cost) * (counted / both), both
        return cost + more, both

    def cost(self) -> float:
        """Cost of all samples, by one more reading of the blocks; with the penalties once."""
        penalties = sum(getattr(layer, "penalty", float)() for layer in self._pinned.now.layers)
        again = 0.0 if self._mean else float(penalties)
        cost, seen = math.nan, 0
        with closing(self._blocks.read(self._epoch)) as blocks:
            for block in blocks:
                found = self.evaluate(block.X, block.t, block.weights)
                cost, seen = self._added(cost, seen, found - (again if seen else 0.0), block.rows)
                del block
        return cost

    def evaluate(self, X: Array, t: Array, weights: Array) -> float:
        """See `Trainer`."""
        now = self._pinned.now
        by: Callable[..., float] = evaluate if now.compiled else cost_layer_by_layer
        return by(now, X, t, weights)

    def close(self) -> None:
        """See `Trainer`."""
        self._trainers.clear()
