"""Trainings in compiled code: the engine with its buffers and threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from .._core.arrays import Array, aligned
from .._core.threads import get_num_threads, start_threads
from ..kernels.codegen.cache_lines import LINE_BYTES
from ..kernels.engine import layout
from ..kernels.engine import team as engine_team
from ..kernels.engine import train as engine
from ..layers.base import forget
from ..model.compile import Use, form_of, model, model_like, work_of
from ..model.data import Samples
from ..model.draws import Draws
from ..model.evaluation import check_parameters, evaluate, make_team
from ..model.snapshot import Pinned, Snapshot
from ..model.stack import Stack
from ..optimizers import Optimizer
from .autotune import SHORTEST, SPEED, Autotuner
from .trainer import Trained, Trainer, diverged

__all__ = ["CompiledTrainer", "compiled_trainer", "tiles_stay", "trainer_of_block"]

# Elements between the gradients of two threads, at least: no shared cache lines, in any dtype.
_LINE = LINE_BYTES // 4

# Multiplications and additions beyond which a training runs on a thread of its own, so that Ctrl-C
# reaches it. A thread costs 0.1 ms; this is some 5 ms. A step costs as much as _STEP of them more.
_LONG = 1e8
_STEP = 4000.0

# Below these a step is not shared: multiplications and additions, see `work_of`. A meeting of two
# threads takes 0.3 µs and moves the parameters from core to core.
_SHARED = 4e4
_SHARED_LARGE = 4e5

# Below so many in the whole training, a number of them for each sample and parameter, starting
# threads costs more than it saves.
_SHORT, _EACH = 3e8, 33.0

_NO_DRAWS = Draws(0)

_SIZES = 4  # of batches in blocks, for which trainers are kept

_IDLE_BYTES = 1 << 24  # of a trainer that waits for the next `fit`

_CACHED_TILE_BYTES = 1 << 22  # of gathered samples that stay cached from step to step


class CompiledTrainer(Trainer):
    """The engine with its buffers.

    A network keeps its last one: many articles call `fit` once a step, on the same data.
    """

    busy = False  # from `begin` to `close`: a callback may train the same network

    def __init__(
        self,
        network: Stack,
        now: Snapshot,
        samples: Samples,
        optimizer: Optimizer,
        threads: int,
        like: CompiledTrainer | None = None,  # new, of a network of the same form
    ) -> None:
        self.network, self.optimizer = network, optimizer
        # Held, too: no new object may take the place in memory that it is known by.
        self._now, self._work = now, work_of(now.layers)
        self._samples, self.stopped = samples, False
        self.rows, self.steps_per_epoch = samples.rows, -(-samples.rows // samples.batch)
        theta = now.theta
        self.threads, self._pool = start_threads(threads)
        if like is None:
            self.model = model(now.layers, now.cost_function, theta, Use(training=True), optimizer)
            share = -(-samples.batch // self.threads)
            self._sizes = engine.tile_sizes(self.model, share, -1 if self._caches(samples) else 0)
        else:
            self.model, self._sizes = model_like(like.model, theta, optimizer), like._sizes
        *tiles, elements = self._sizes
        features = sum(sum(layer.w.shape) for layer in now.layers)
        own = self.threads == 1 or bool(theta.size <= features * tiles[0])
        self.grads = _gradients(theta, self.threads, own)
        if self.model.descriptor[layout.FROZEN]:
            self.grads[...] = 0.0
        self.batches = self._batches = _no_batches(samples, theta.dtype, tiles)
        self.team = make_team(self.grads, self.threads, own, optimizer)
        self.control = self.team.control
        self.work = aligned(self.threads * elements, theta.dtype)
        if like is None:
            self._load()
        self._all_threads = self._trials = self._autotuner = Autotuner(self.threads)
        if self.threads > 1:  # what it finds out holds for the next `fit`, too
            self._trials = Autotuner(self.threads, samples.batch * self._work / SPEED)

    def _caches(self, samples: Samples) -> bool:
        """Whether gathered samples stay from step to step: they are all in every batch, and few."""
        return samples.batch == samples.rows and tiles_stay(samples, samples.rows)

    def _load(self) -> None:
        """Compile or load the engine here, by no step, not in the time of the first one."""
        train = self.model, self.batches, self.team, np.ones(1), np.zeros(0), np.zeros(0, np.int64)
        engine.train(*train, self.work, 0, 0, 0, 1)

    def has_threads(self) -> bool:
        """Start the threads it was made for; False where the system refuses some."""
        if self.threads > 1 and self._pool is None:
            started, self._pool = start_threads(self.threads)
            if started < self.threads:
                self.close()
                return False
        return True

    def begin(self, samples: Samples, epochs: int, fixed: bool) -> None:
        """Take these samples: in batches as large as those that it was made for."""
        if samples.rows != self.rows:
            self.rows, self.steps_per_epoch = samples.rows, -(-samples.rows // samples.batch)
            order = np.empty(samples.rows if samples.shuffled else 0, np.int64)
            self.batches = self._batches = self._batches._replace(order=order)
        short = epochs * samples.rows * self._work / SPEED < SHORTEST
        self._autotuner = self._all_threads if fixed or short else self._trials
        check_parameters(self.model.theta)
        self.busy = True
        self.stopped, self._samples = False, samples
        draws = samples.draws or _NO_DRAWS
        draws.shuffle(self.batches.order, self.batches.rng)
        self.model.descriptor[layout.SEED] = draws.key - self.optimizer.steps
        self.team.control[...] = self._before = 0
        forget(self.network.layers)

    def train(self, epochs: int, rates: Array) -> Trained:
        """See `Trainer`."""
        control, costs, times = self.team.control, np.zeros(epochs), np.zeros(epochs, np.int64)
        numbers = self.optimizer.numbers()  # which callbacks may have changed
        self.team.hyper[:, : numbers.size] = numbers
        control[engine_team.SKIPPED] = 0
        # chosen rows are copied for this call only: many networks do not hold theirs all at once
        self.batches = engine_team.Batches(*self._samples.arrays(), *self._batches[3:])
        begin, step, steps = engine.clock(self.team.system), 0, epochs * self.steps_per_epoch
        try:
            while step < steps and not control[engine_team.STATUS]:
                piece = min(self._autotuner.steps(), steps - step)
                self._piece(rates, costs, times, step, step + piece)
                self._autotuner.learn(piece, float(control[engine_team.TOOK]) * 1e-9)
                step += piece
        finally:
            self.optimizer.remember(self.team.hyper[0])
            self.batches = self._batches
        done = int(control[engine_team.EPOCH]) - self._before
        self._before += done
        error = None
        if control[engine_team.STATUS]:
            step = int(control[engine_team.STEPS]) - (self._before - done) * self.steps_per_epoch
            error = diverged(self.optimizer, float(rates[min(step, rates.size - 1)]), control)
        return Trained(costs[:done], np.diff(times[:done], prepend=begin) * 1e-9, error)

    def _piece(
        self, rates: Array, costs: Array, times: npt.NDArray[np.int64], first: int, last: int
    ) -> None:
        """Some steps of the call of `train`, in one call of the engine.

        On its threads; if it may take long, so that Ctrl-C ends it.
        """
        threads = self._autotuner.threads
        self.team.control[: engine_team.STEPS] = 0
        if self.stopped:  # meanwhile, by another thread
            self.stop()
        self.team.hyper[1:] = self.team.hyper[0]  # what the rule remembers, for threads that rested

        def train(thread: int) -> None:
            engine.train(
                self.model, self.batches, self.team, rates, costs, times, self.work, first, last,
                thread, threads,
            )  # fmt: skip

        self._run(train, threads, self._long(last - first))

    def _run(self, work: Callable[[int], None], threads: int, long: bool) -> None:
        """Let so many threads work; long: so that Ctrl-C should reach it."""
        main = threading.current_thread() is threading.main_thread()
        if threads == 1 and not (main and long):
            work(0)
            return
        if self._pool is None:
            _, self._pool = start_threads(1, always=True)
        pool = self._pool
        if pool is None:
            work(0)
        else:
            pool.run(work, threads, self.stop)

    def stop(self) -> None:
        """End the training after the tile at hand; any thread may call it."""
        self.stopped = True
        self.team.control[engine_team.STOP] = 1

    def _long(self, steps: int) -> bool:
        operations = 6.0 * self.model.theta.size * self.rows / self.steps_per_epoch + _STEP
        return bool(operations * steps > _LONG)

    def share_penalties(self, part: float) -> None:
        """Let the penalties be this part of theirs: the samples to come are such a part of all."""
        kept = self.model.descriptor.base.kept
        numbers = kept[layout.LAYER_HYPER]
        for line, layer in zip(kept[layout.LAYERS], self._now.layers, strict=True):
            place = int(line[layout.HYPER_OFFSET])
            numbers[place + layout.L1] = part * layer.l1
            numbers[place + layout.L2] = part * layer.l2

    def evaluate(self, X: Array, t: Array, weights: Array) -> float:
        """See `Trainer`."""
        return evaluate(self._now, X, t, weights)

    def close(self) -> None:
        """See `Trainer`."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        self.batches = self._batches  # let go of the caller's data
        vars(self).pop("_samples", None)
        self.busy = False
        if self.grads.nbytes + self.work.nbytes > _IDLE_BYTES:
            self.network._trainer = None


def tiles_stay(samples: Samples, rows: int) -> bool:
    """Whether so many gathered samples are few enough to stay in the caches."""
    width = samples.X.shape[1] + samples.t.shape[1]
    return bool(rows * width * samples.X.itemsize <= _CACHED_TILE_BYTES)


def _gradients(theta: Array, threads: int, own: bool) -> Array:
    """Memory for the gradient, or for one of each thread; threads share no cache lines."""
    stride = -(-theta.size // _LINE) * _LINE + (_LINE if threads > 1 else 0)
    return aligned((threads if own else 1) * stride, theta.dtype).reshape(-1, stride)


def _no_batches(samples: Samples, dtype: np.dtype[Any], tiles: list[int]) -> engine_team.Batches:
    """Batches of as many samples, yet to come; tiles: size, lanes, and how many stay."""
    order = np.empty(samples.rows if samples.shuffled else 0, np.int64)
    nothing, rng = np.empty((0, 1), dtype), np.zeros(1, np.uint64)
    return engine_team.Batches(
        nothing, nothing, nothing[:, 0], order, rng, samples.batch, *tiles
    )  # fmt: skip


def compiled_trainer(
    network: Stack,
    pinned: Pinned,
    samples: Samples,
    optimizer: Optimizer,
    epochs: int,
    threads: int | None,
    known: dict[Any, CompiledTrainer] | None = None,
) -> CompiledTrainer:
    """The network's last trainer, or a new one where that does not fit; ready to begin.

    known: new ones of other networks by their forms, and then this one, too.
    """
    now = pinned.now
    cost, state = now.cost_function, optimizer.state_for(now.theta)
    chosen = _threads(now, samples, epochs, threads)
    signature = (
        os.getpid(), id(now.known), id(cost), cost.reduction,
        id(optimizer), id(optimizer.counter), id(state) if optimizer.rule.states else 0,
        samples.rows, samples.batch, samples.shuffled, chosen,
    )  # fmt: skip
    last = network._trainer
    if last is None or last[0] != signature or last[1].busy or not last[1].has_threads():
        last = signature, _new(network, now, samples, optimizer, chosen, known)
        network._trainer = last
    trainer: CompiledTrainer = last[1]
    trainer.begin(samples, epochs, threads is not None)
    return trainer


def _new(
    network: Stack,
    now: Snapshot,
    samples: Samples,
    optimizer: Optimizer,
    threads: int,
    known: dict[Any, CompiledTrainer] | None,
) -> CompiledTrainer:
    """A new trainer, see `compiled_trainer`; networks of estimators have a kind of their own."""
    kind: type[CompiledTrainer] = getattr(network, "trainer_class", CompiledTrainer)
    if known is None:
        return kind(network, now, samples, optimizer, threads)
    form = (
        kind, form_of(now.layers, now.cost_function), optimizer.rule, threads,
        samples.X.shape, samples.t.shape, samples.rows, samples.batch, samples.shuffled,
    )  # fmt: skip
    trainer = kind(network, now, samples, optimizer, threads, known.get(form))
    known.setdefault(form, trainer)
    return trainer


def trainer_of_block(
    known: dict[Any, CompiledTrainer],
    network: Stack,
    pinned: Pinned,
    samples: Samples,
    optimizer: Optimizer,
    epochs: int,
    threads: int | None,
) -> CompiledTrainer:
    """A trainer of blocks before, or a new one where none fits; ready to begin.

    A block has one by what its own sizes ask for, whichever came before: so its bits are the same.
    """
    chosen = _threads(pinned.now, samples, epochs, threads)
    whole = samples.batch == samples.rows  # whose tiles may stay cached
    key = samples.batch, samples.shuffled, whole, chosen
    trainer = known.get(key)
    if trainer is None or not trainer.has_threads():
        if len(known) == _SIZES:
            del known[next(iter(known))]
        kind: type[CompiledTrainer] = getattr(network, "trainer_class", CompiledTrainer)
        trainer = known[key] = kind(network, pinned.now, samples, optimizer, chosen)
    trainer.begin(samples, epochs, threads is not None)
    return trainer


def _threads(now: Snapshot, samples: Samples, epochs: int, asked: int | None) -> int:
    """How many threads share a step: what was asked for, or what pays."""
    most = min(get_num_threads() if asked is None else asked, samples.batch)
    if asked is not None or most == 1:
        return most
    size = now.theta.size
    if samples.rows * epochs * _EACH * size < _SHORT:
        return 1
    least = _SHARED_LARGE if size > layout.SMALL else _SHARED
    pays = samples.batch * work_of(now.layers) / least
    return max(1, min(most, int(pays)))
