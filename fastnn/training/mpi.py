"""Trainings by several processes, the ranks of an MPI communicator: one sum of gradients a step.

Every rank has all parameters and the optimizer's whole state. It computes the gradient of its share
of the batch; then all add up gradients, costs and weights, and each takes the same step. Rank 0
leads: it has the callbacks, the validation data and the schedule, and tells the others how many
epochs come next, at which learning rates.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array
from ..callbacks import Callback
from ..history import History
from ..kernels.codegen.compiler import clock
from ..kernels.engine import layout
from ..kernels.engine import ranks as engine_ranks
from ..kernels.engine import team as engine_team
from ..kernels.engine import train as engine
from ..layers.base import check_trainable
from ..model.data import Samples
from ..model.draws import Draws
from ..model.evaluation import check_parameters, evaluate
from ..model.snapshot import Snapshot
from ..model.stack import Stack
from ..optimizers import Optimizer
from ..schedules import Schedule
from . import methods
from .card import Card, card_of, first_difference
from .compiled import CompiledTrainer, tiles_stay
from .epochs import Training, drive, first_rate
from .fit import Task, optimizer_for, task_of
from .ranks import Plan, Ranks, Sum
from .settings import Settings
from .trainer import Trained, diverged

__all__ = ["RankTrainer", "fit_by_ranks", "load"]

# Multiplications and additions of a step beyond which it runs on a thread of its own, so that
# Ctrl-C reaches it: some 100 ms. Between shorter steps it comes soon enough, and each way to
# another core, away from the caches of this one, costs a tenth of a millisecond and more.
_LONG_STEP = 2e9

_ANOTHER_SEED = 0x9E3779B97F4A7  # from the shuffle of one rank's rows to the next one's
_SEEDS = 2**53


def fit_by_ranks(network: Stack, X: npt.ArrayLike, t: npt.ArrayLike, settings: Settings) -> History:
    """See `NeuralNetwork.fit`; validation data, callbacks and reports are those of rank 0."""
    ranks = Ranks(settings.comm)
    with ranks.in_training():
        try:
            return _fit(ranks, network, X, t, settings)
        except BaseException as error:
            ranks.tell(error)
            raise


def _fit(
    ranks: Ranks, network: Stack, X: npt.ArrayLike, t: npt.ArrayLike, settings: Settings
) -> History:
    """The same, with errors that the other ranks are yet to be told."""
    if not ranks.leads:
        settings = replace(settings, validation_data=None, callbacks=(), verbose=0)
    settings = settings.checked()
    task = task_of(network, X, t, settings, least=0)
    opt, given = _optimizer(task)
    plan = _agreed_plan(ranks, task, card_of(task.now, task.data, opt, settings))
    samples = _samples(ranks, task, plan, opt)
    threads = min(settings.n_threads or 1, max(1, plan.batch // ranks.size))  # alike on each rank
    with closing(RankTrainer(network, task.now, samples, opt, threads, ranks, plan)) as trainer:
        trainer.start(samples)
        if settings.optimizer is not None:
            network.optimizer = opt
        return _train(trainer, task, opt, given, samples.draws)


def _optimizer(task: Task) -> tuple[Optimizer, Schedule | None]:
    """The optimizer and the schedule, of a network that ranks can train."""
    check_trainable(task.now.layers)
    if not task.now.compiled:
        raise TypeError(
            "comm needs a network of DenseLayers and a cost of fastnn, without own code"
        )
    if (method := methods.find(task.settings.optimizer)) is not None:
        raise TypeError(f"comm needs an optimizer that goes by single steps, not {method.name}")
    return optimizer_for(task.network, task.settings)


def _agreed_plan(ranks: Ranks, task: Task, card: Card) -> Plan:
    """How the samples are shared, once all ranks have the same card."""
    x, _, weights = task.data
    counted = float(weights.sum(dtype=np.float64)) if weights.size else float(len(x))
    found = ranks.exchange((card, len(x), counted))
    cards, rows, sums = zip(*found, strict=True)
    try:
        if error := first_difference(cards):
            raise error
        if card.shard:
            own = rows[0], *(0 for _ in rows[1:])
            return Plan(own, ranks.rank, card.batch_size, True, sums[0])
        return Plan(rows, ranks.rank, card.batch_size, False, sum(sums))
    except ValueError:
        ranks.finish()  # all of them come to this
        raise


def _samples(ranks: Ranks, task: Task, plan: Plan, opt: Optimizer) -> Samples:
    """Samples of this rank; random numbers and the optimizer's state are those of rank 0."""
    shuffled = task.settings.shuffle and plan.batch < plan.total
    draws = None
    if shuffled or any(layer.dropout for layer in task.now.layers):
        draws = Draws.begin(task.settings.rng, plan.total if shuffled else 0, opt.steps)
    draws, state = ranks.exchange((draws, opt.state_dict()) if ranks.leads else None)[0]
    if not ranks.leads:
        opt.load_state_dict(state)
        opt.serve(task.network.layers)
    return Samples(*task.data, plan.most, shuffled, draws)


def _train(
    trainer: RankTrainer, task: Task, opt: Optimizer, given: Schedule | None, draws: Draws | None
) -> History:
    """Train as rank 0, with callbacks and all; or do what it says."""
    if not trainer.ranks.leads:
        return trainer.follow()
    pinned = task.pinned()
    run = task.run(
        steps_per_epoch=trainer.steps_per_epoch,
        optimizer=opt,
        learning_rate=first_rate(opt, given, task.settings.epochs),
        training_cost=trainer.training_cost,
        draws=draws,
    )
    pinned.check()
    hooks = task.settings.hooks
    trainer.watched = any(map(_may_change, hooks))
    drive(Training(run, trainer, pinned, given, hooks, task.validation))
    trainer.end(run.history, bool(hooks))
    return run.history


def load(trainer: CompiledTrainer) -> None:
    """Compile or load what a rank calls at each step, by no step."""
    common = trainer.model, trainer.batches, trainer.team, trainer.work
    engine_ranks.shared_gradient(*common, 0, 0, 0, 1.0, True, 0, 0)
    engine_ranks.shared_update(*common, np.zeros(0), 0, 0, 0, 0.0, 1.0, False, 0, 0)


def _may_change(hook: Callback) -> bool:
    """Whether it is code of the caller's, which may write parameters between epochs."""
    room = "fastnn.callbacks."
    module = type(hook).__module__
    return not module.startswith(room) or module == f"{room}base"


class RankTrainer(CompiledTrainer):
    """The engine with its buffers, for this rank's share of each step.

    Parameters
    ----------
    network, now, samples, optimizer, threads
        See `CompiledTrainer`; the samples of this rank, or of all where they are shared out.
    ranks : Ranks
    plan : Plan

    Attributes
    ----------
    watched : bool
        Whether others than `fit` may change parameters or state on rank 0 between epochs.

    """

    watched = False

    def __init__(
        self,
        network: Stack,
        now: Snapshot,
        samples: Samples,
        optimizer: Optimizer,
        threads: int,
        ranks: Ranks,
        plan: Plan,
    ) -> None:
        self.ranks, self._plan = ranks, plan
        super().__init__(network, now, samples, optimizer, threads)
        self.steps_per_epoch = plan.steps
        self._gradient = self.grads[0, : now.theta.size]
        self._alone = self.team._replace(own=False)  # of the update: there is one gradient then
        self._partial = self.team.sums[:, engine_team.PARTIAL]
        self._mean = bool(self.model.descriptor[layout.MEAN])
        self._weights = np.zeros(self.threads)
        ranks.sum = Sum(ranks.comm, now.theta.size, now.theta.dtype)

    def _caches(self, samples: Samples) -> bool:
        """See `CompiledTrainer`; of this rank's share of the only batch."""
        return self._plan.steps == 1 and tiles_stay(samples, self._plan.most)

    def _load(self) -> None:
        """See `CompiledTrainer`."""
        load(self)

    def start(self, samples: Samples) -> None:
        """Take the parameters of rank 0, and these samples."""
        theta = self.model.theta
        if self.ranks.leads:
            check_parameters(theta)
        self.ranks.agree()
        self.ranks.share(theta)
        draws = samples.draws
        if draws is not None and not self._plan.shard:  # each shuffles rows of its own
            seed = (draws.seed + self.ranks.rank * _ANOTHER_SEED) % _SEEDS
            draws = replace(draws, seed=seed, rows=samples.rows if draws.rows else 0)
        self.begin(replace(samples, draws=draws), 0, True)
        self.batches = engine_team.Batches(*samples.arrays(), *self._batches[3:])

    def train(self, epochs: int, rates: Array) -> Trained:
        """See `Trainer`; of rank 0, which lets the others do the same."""
        self.ranks.command("train", epochs, rates, self.watched)
        return self._train(epochs, rates, self.watched)

    def training_cost(self) -> float:
        """Cost of the samples of all ranks; of rank 0, as `train`."""
        self.ranks.command("cost")
        return self._cost()

    def end(self, history: History, changed: bool) -> None:
        """Let the others go, with what rank 0 has come to. changed: by callbacks, perhaps."""
        self.ranks.command("end", history, self.network.draws, changed)
        if changed:
            self._share_state()
        self.ranks.finish()

    def follow(self) -> History:
        """Do what rank 0 says until it ends; its history."""
        while True:
            what, *details = self.ranks.command()
            if what == "train":
                self._train(*details)
            elif what == "cost":
                self._cost()
            else:
                history, self.network.draws, changed = details
                if changed:
                    self._share_state()
                self.ranks.finish()
                return history  # type: ignore[no-any-return]

    def _share_state(self) -> None:
        """Make parameters, state and settings those of rank 0, where callbacks may write them."""
        opt, theta = self.optimizer, self._now.theta
        self.ranks.share(theta, opt.state_for(theta), opt.numbers(), opt.counter)

    def _train(self, epochs: int, rates: Array, changed: bool) -> Trained:
        """What all ranks do at the same time; see `Trainer`."""
        if changed:
            self._share_state()
        costs, numbers = np.zeros(epochs), self.optimizer.numbers()
        seconds, reduction, summed = np.zeros(epochs), np.zeros(epochs), self.ranks.sum
        self.team.hyper[:, : numbers.size] = numbers
        self.team.control[engine_team.SKIPPED] = 0
        self.ranks.steps_left = epochs * self.steps_per_epoch
        last = rates.size - 1
        try:
            for epoch in range(epochs):
                begin, done, summed.seconds = clock(), epoch * self.steps_per_epoch, 0.0
                if self.batches.order.size:
                    engine.shuffle(self.batches.order, self.batches.rng)
                for k in range(self.steps_per_epoch):
                    rate = float(rates[min(done + k, last)])
                    if not self._step(costs, epoch, k, rate):
                        self.ranks.steps_left = 0
                        error = diverged(self.optimizer, rate, self.team.control)
                        return Trained(costs[:epoch], seconds[:epoch], error, reduction[:epoch])
                seconds[epoch], reduction[epoch] = clock() - begin, summed.seconds
        finally:
            self.optimizer.remember(self.team.hyper[0])
        return Trained(costs, seconds, None, reduction)

    def _step(self, costs: Array, epoch: int, k: int, rate: float) -> bool:
        """One step of all ranks; whether it left the parameters finite."""
        start, n_rows, position, total = self._plan.step(k)
        control, partial = self.team.control, self._partial
        control[: engine_team.STEPS] = 0
        if n_rows:
            scale = 1.0 / total if self._mean else 1.0
            self._share_of_gradient(start, n_rows, position, scale, epoch == k == 0)
        else:
            self._gradient[:] = self._partial[:] = self._weights[:] = 0
        cost, weight = self.ranks.add_up(self._gradient, partial.sum(), self._weights[0])
        partial[:] = 0.0
        partial[0] = cost
        control[: engine_team.STEPS] = 0
        self._update(costs, epoch, k, rate, self._penalty_weight(total, weight), total)
        return not control[engine_team.STATUS]

    def _share_of_gradient(
        self, start: int, n_rows: int, position: int, scale: float, first: bool
    ) -> None:
        """The gradient of this rank's samples, on its threads."""
        weights, common = self._weights, (self.model, self.batches, self.team, self.work)
        regather = first or self.batches.cached_tiles == 0

        def work(thread: int) -> None:
            weights[thread] = engine_ranks.shared_gradient(
                *common, start, n_rows, position, scale, regather, thread, self.threads
            )

        self._run(work, self.threads, 6.0 * self._gradient.size * n_rows > _LONG_STEP)

    def _update(
        self, costs: Array, epoch: int, k: int, rate: float, weight: float, total: int
    ) -> None:
        """Take the step, on this rank's threads. weight: of the penalties."""
        common = self.model, self.batches, self._alone, self.work, costs, epoch
        start, last = k * self._plan.batch, k == self.steps_per_epoch - 1

        def work(thread: int) -> None:
            engine_ranks.shared_update(
                *common, start, total, rate, weight, last, thread, self.threads
            )

        self._run(work, self.threads, False)

    def _penalty_weight(self, total: int, weight: float) -> float:
        """What `step.penalty_weight` of the engine is, of a batch of all ranks."""
        plan = self._plan
        if not self.model.descriptor[layout.PENALISED] or self._mean or total == plan.total:
            return 1.0
        return weight / plan.weight if plan.weight > 0.0 else total / plan.total

    def _cost(self) -> float:
        """Cost of the samples of all ranks, with penalties once."""
        now, plan, data = self._now, self._plan, self.batches
        own = plan.stretch(len(data.X))
        x, t, weights = data.X[own], data.T[own], data.weights[own]
        penalty, total = float(sum(layer.penalty() for layer in now.layers)), 0.0
        cost = (
            (evaluate(now, x, t, weights) - penalty) * (len(x) if self._mean else 1)
            if len(x)
            else 0.0
        )
        for each in self.ranks.exchange(cost):
            total += each
        return total / (plan.total if self._mean else 1) + penalty
