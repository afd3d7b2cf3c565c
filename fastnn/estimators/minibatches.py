"""Trainings in scikit-learn's way: its order of the samples, its penalties and its loss.

A step there has the mean over its batch, by the batch's weights if there are any, and the whole
penalty divided by the number of its samples, or by those weights. `fit` of a network has neither:
its mean divides by the number of samples, and its penalties are the same in each step. So a
training of an estimator cuts an epoch into runs of steps that have all such numbers in common, and
sets them in between.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from ..kernels.codegen.compiler import clock
from ..kernels.engine import layout
from ..kernels.engine import team as engine_team
from ..model.data import Samples
from ..network import NeuralNetwork
from ..training.autotune import SPEED, Autotuner
from ..training.compiled import CompiledTrainer
from ..training.trainer import Trained, diverged

__all__ = ["BatchTrainer", "EstimatorNetwork", "Minibatches"]

_MEETING = 2e-3  # seconds of a run, from which on a team pays: to begin and end it takes 0.3 ms
_SPEED = SPEED / 4  # of one thread; a guess for the first run
_BYTES = 1 << 22  # of the samples that are gathered at once, unless a single batch is larger

Order = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Minibatches:
    """What a training of an estimator does otherwise.

    Attributes
    ----------
    random : RandomState, optional
        Draws the order of the samples, once an epoch; without it they are taken as they come.
    rate_scale : float
        By which the learning rate is multiplied for the rule.
    outputs : int
        The reported loss is the mean over so many outputs, while the gradient is that of their sum.
    offsets : array (rows,), optional
        Terms of the samples' losses that no parameter changes.

    """

    random: Any = None
    rate_scale: float = 1.0
    outputs: int = 1
    offsets: Array | None = None


class BatchTrainer(CompiledTrainer):
    """Trains an `EstimatorNetwork` by the compiled engine."""

    def begin(self, samples: Samples, epochs: int, fixed: bool) -> None:
        """See `CompiledTrainer`."""
        super().begin(samples, epochs, fixed)
        self._samples, self._way = samples, self.network.minibatches  # type: ignore[attr-defined]
        order = np.arange(samples.rows) if samples.chosen is None else samples.chosen
        self._order, self._alone = order, Autotuner(1)
        self._step = samples.batch * self._work / _SPEED  # seconds, by one thread
        kept = self.model.descriptor.base.kept
        self._layer_numbers = kept[layout.LAYER_HYPER]
        self._penalties = [
            (int(line[layout.HYPER_OFFSET]) + layout.L2, layer.l2)
            for line, layer in zip(kept[layout.LAYERS], self._now.layers, strict=True)
            if layer.l2
        ]

    def train(self, epochs: int, rates: Array) -> Trained:
        """See `Trainer`."""
        numbers, control = self.optimizer.numbers(), self.team.control
        scaled = rates * self._way.rate_scale
        self.team.hyper[:, : numbers.size] = numbers
        control[engine_team.SKIPPED] = done = 0
        losses, seconds, error = np.zeros(epochs), np.zeros(epochs), None
        try:
            while done < epochs and error is None:
                begin, count = clock(), self._epochs_at_once(epochs - done)
                if count > 1:
                    ended = self._whole_epochs(losses[done : done + count], scaled, done)
                else:
                    losses[done], ended = self._epoch(scaled, done), 1
                if control[engine_team.STATUS]:
                    ended = ended if count > 1 else 0
                    control[engine_team.EPOCH] = self._before + done + ended
                    step = min((done + ended) * self.steps_per_epoch, rates.size - 1)
                    error = diverged(self.optimizer, float(rates[step]), control)
                seconds[done : done + ended] = (clock() - begin) / max(1, ended)
                done += ended
        finally:
            self.optimizer.remember(self.team.hyper[0])
        self._before += done
        return Trained(losses[:done], seconds[:done], error)

    def _epochs_at_once(self, most: int) -> int:
        """How many epochs go in one run: several, if each is a step on all samples."""
        if self.steps_per_epoch > 1 or self._is_alone():
            return 1
        return min(most, self._autotuner.steps())

    def _is_alone(self) -> bool:
        """Whether each step has numbers of its own."""
        return bool(self._samples.weights.size) or self._way.outputs > 1

    def _whole_epochs(self, losses: Array, rates: Array, done: int) -> int:
        """Train for as many epochs as losses, each a step; how many were completed."""
        control, chosen = self.team.control, self._samples.chosen
        rows = slice(0, self.rows) if chosen is None else chosen
        before = int(control[engine_team.EPOCH])
        weights, weight = self._gather(rows, self.rows)
        self._set_penalties(weight)
        run = rates[done : done + losses.size] if rates.size > 1 else rates
        self._take(run, losses, losses.size)
        losses += self._offset(rows, weights)
        return int(control[engine_team.EPOCH]) - before

    def _epoch(self, rates: Array, done: int) -> float:
        """Train for an epoch; its loss, which is NaN if all steps were left out."""
        control, batch, total, seen = self.team.control, self._samples.batch, 0.0, 0
        order, place, cost = self._drawn(), done * self.steps_per_epoch, np.zeros(1)
        for first, last in self._runs():
            rows = slice(first * batch, min(last * batch, self.rows))
            chosen = rows if order is None else order[rows]
            weights, weight = self._gather(chosen, rows.stop - rows.start)
            penalty = self._set_penalties(weight)
            run = rates[place + first : place + last] if rates.size > 1 else rates
            self._take(run, cost, last - first)
            if control[engine_team.STATUS]:
                control[engine_team.START] += rows.start
                break
            if count := int(control[engine_team.SEEN]):  # others were left out
                loss = (float(cost[0]) - penalty) / self._way.outputs + penalty
                total += (loss + self._offset(chosen, weights)) * count
                seen += count
        return total / seen if seen else np.nan

    def _take(self, rates: Array, costs: Array, steps: int) -> None:
        """Take steps on the batches at hand; by the team, if they are long enough for it to meet.

        One thread comes to the same bits.
        """
        tuner, begin = self._autotuner, clock()
        meets = steps * self._step >= _MEETING
        self._autotuner = tuner if meets else self._alone
        try:
            self._piece(rates, costs, np.zeros(costs.size, np.int64), 0, steps)
        finally:
            self._autotuner = tuner
        if meets:
            tuner.learn(steps, clock() - begin)
        else:
            self._step = (clock() - begin) / steps

    def _drawn(self) -> Order | None:
        """The order of the samples in an epoch, as scikit-learn draws it; None: as they come."""
        random = self._way.random
        if random is None or self.steps_per_epoch == 1:
            return self._samples.chosen
        places = np.arange(self.rows)
        random.shuffle(places)
        self._order = self._order[places]
        return self._order

    def _runs(self) -> Iterator[tuple[int, int]]:
        """First and last step of each run of an epoch: full batches, and the rest."""
        samples, first = self._samples, 0
        bytes_ = samples.batch * (samples.X.shape[1] + samples.t.shape[1]) * samples.X.itemsize
        most, full = max(1, _BYTES // bytes_), self.rows // samples.batch
        while first < self.steps_per_epoch:
            longest = 1 if self._is_alone() else min(most, self._autotuner.steps())
            last = first + max(1, min(longest, full - first))
            yield first, last
            first = last

    def _gather(self, chosen: slice | Order, rows: int) -> tuple[Array, float]:
        """Let the engine read these samples next; their weights, of mean one, and their sum."""
        samples = self._samples
        if isinstance(chosen, slice):
            X, t = samples.X[chosen], samples.t[chosen]
        else:
            X, t = samples.X.take(chosen, axis=0), samples.t.take(chosen, axis=0)
        weights, weight = samples.weights, float(min(rows, samples.batch))
        if weights.size:
            weights = weights[chosen]
            weight = float(weights.sum(dtype=np.float64))
            weights = weights * weights.dtype.type(rows / weight if weight > 0.0 else 0.0)
        self.batches = engine_team.Batches(X, t, weights, *self._batches[3:])
        return weights, weight

    def _set_penalties(self, weight: float) -> float:
        """Divide the penalties by the weight of a batch; their sum, if the loss is to be scaled."""
        factor = self.rows / weight if weight > 0.0 else 0.0
        for place, l2 in self._penalties:
            self._layer_numbers[place] = l2 * factor
        if self._way.outputs == 1:
            return 0.0
        return factor * float(sum(layer.penalty() for layer in self._now.layers))

    def _offset(self, chosen: slice | Order, weights: Array) -> float:
        """The mean of what is added to the losses of these samples."""
        offsets = self._way.offsets
        if offsets is None:
            return 0.0
        terms = offsets[chosen]
        return float((terms * weights).mean() if weights.size else terms.mean())


class EstimatorNetwork(NeuralNetwork):
    """A network whose trainings go as its `minibatches` say."""

    _data_names = "X", "y"
    trainer_class = BatchTrainer
    minibatches = Minibatches()
