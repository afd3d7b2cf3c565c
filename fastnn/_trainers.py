"""The two ways to train: in compiled code, or layer by layer where a layer or cost is your own."""

from __future__ import annotations

import math
import os
import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from ._arrays import Array, aligned
from ._cost import cost_of, delta_of
from ._data import Samples
from ._program import CURVE, Use, model
from ._snapshot import Pinned, Snapshot, logits
from ._threads import get_num_threads, start_threads
from .kernels import engine, program, rows, team
from .kernels.compiler import clock
from .layers import Layer, check_trainable, is_trainable, passing
from .optimizers import Optimizer

if TYPE_CHECKING:
    from .network import NeuralNetwork

__all__ = ["Trainer", "alone", "check_parameters", "evaluate", "make_team", "trainer_for"]

_LINE = 16  # elements between the gradients of two threads, at least: no shared cache lines

# Multiplications and additions beyond which a training runs on a thread of its own, so that Ctrl-C
# reaches it. A thread costs 0.1 ms; this is some 5 ms. A step costs as much as _STEP of them more.
_LONG = 1e8
_STEP = 4000.0

# Below these a step is not shared: multiplications and additions, counting an activation as CURVE
# of them. A meeting of two threads takes 0.3 µs and moves the parameters from core to core.
_SHARED = 4e4
_SHARED_LARGE = 4e5

_SHORT = 3e8  # below so many in the whole training: starting threads costs more than it saves

_CACHED_BYTES = 1 << 24  # of a trainer that waits for the next `fit`

_KEPT_BYTES = 1 << 22  # of gathered samples that are kept from step to step


class Trainer(Protocol):
    """Trains for some epochs at a time."""

    def train(self, epochs: int, rates: Array) -> tuple[Array, Array, ValueError | None]:
        """Costs and seconds of the epochs that were completed, and why it was not all of them."""

    def evaluate(self, X: Array, t: Array, weights: Array) -> float:
        """Cost of other samples."""

    def close(self) -> None:
        """End what runs in the background."""


def check_parameters(theta: Array) -> None:
    """Refuse parameters that are not finite."""
    if not rows.all_finite(theta):
        place = int(np.argmin(np.isfinite(theta)))
        raise ValueError(f"parameters[{place}] is {theta[place]}, expected a finite number")


def diverged(optimizer: Optimizer, rate: float, control: npt.NDArray[np.int64]) -> ValueError:
    """The error of a training whose next step would leave the finite numbers."""
    epoch, start = int(control[engine.EPOCH]), int(control[engine.START])
    return ValueError(
        f"learning_rate={rate!r} makes the training diverge: in step "
        f"{int(control[engine.STEPS])} (epoch {epoch}, batch from sample {start} on) a "
        f"parameter would become infinite or NaN with {optimizer.rule.name}, expected finite; "
        "the parameters are those before that step"
    )


_ALONE, _TEAM, _GO_ON = 0, 1, 2  # what a piece is for: to try one thread, the team, or neither
_TRIAL = 2e-3  # seconds of a trial
_SHORTEST, _LONGEST = 0.03, 0.5  # seconds until the next, which grow while nothing changes
_SPEED = 1e11  # multiplications and additions a second, to guess how long a trial is


class Pace:
    """How many of a team's threads really work, and for how many epochs until the next look.

    Threads that share a step wait for one another, so a team on a machine busy with other work can
    be slower than one thread. Where the number was not asked for, this tries both ways in short
    pieces of the training, goes on with the faster, and looks again now and then. The work is cut
    in the same parts either way, so the result is the same to the last bit.
    """

    def __init__(self, threads: int, fixed: bool, guess: float) -> None:
        self._team, self._fixed = threads, fixed or threads == 1
        self.threads, self._phase = (threads, _GO_ON) if self._fixed else (1, _ALONE)
        self._each = {threads: guess, 1: guess}  # seconds an epoch
        self._trial = max(1, int(_TRIAL / guess))  # epochs
        self._stretch = _SHORTEST

    def epochs(self) -> int:
        """Of the next piece."""
        if self._fixed:
            return 1 << 62
        if self._phase == _GO_ON:
            return max(1, int(self._stretch / self._each[self.threads]))
        return self._trial

    def learn(self, epochs: int, seconds: float) -> None:
        """Take note of what the last piece took."""
        if self._fixed:
            return
        each, before = max(seconds, 1e-9) / epochs, self._each[self.threads]
        self._each[self.threads] = each
        if self._phase == _GO_ON:
            steady = each < 1.2 * before
            self._stretch = min(2 * self._stretch, _LONGEST) if steady else _SHORTEST
        elif seconds < _TRIAL / 4:  # too short to tell
            self._trial = 4 * epochs
            return
        self._phase = (self._phase + 1) % 3
        self._trial = max(1, int(_TRIAL / 2 / self._each[1]))
        best = min(self._each, key=lambda n: self._each[n])
        self.threads = {_ALONE: 1, _TEAM: self._team, _GO_ON: best}[self._phase]


_ONE_THREAD = Pace(1, True, 1.0)


class CompiledTrainer:
    """The engine with its buffers.

    A network keeps its last one: many articles call `fit` once a step, on the same data.
    """

    busy = False  # from `begin` to `close`: a callback may train the same network

    def __init__(
        self,
        network: NeuralNetwork,
        now: Snapshot,
        samples: Samples,
        optimizer: Optimizer,
        threads: int,
    ) -> None:
        self.network, self.optimizer = network, optimizer
        # Held, too, so that no new object takes the place in memory that `trainer_for` knows it by.
        self._now, self._work = now, work_of(now.layers)
        self.rows, self.steps_per_epoch = samples.rows, -(-samples.rows // samples.batch)
        theta = now.theta
        self.threads, self._pool = start_threads(threads)
        stride = -(-theta.size // _LINE) * _LINE + (_LINE if self.threads > 1 else 0)
        share = -(-samples.batch // self.threads)
        use = Use(training=True)
        self.model = model(now.layers, now.cost_function, theta, use, optimizer)
        full = samples.batch == samples.rows
        width = samples.X.shape[1] + samples.t.shape[1]
        keeps = full and samples.rows * width * theta.itemsize <= _KEPT_BYTES
        tile, lanes, kept, elements = engine.layout(self.model, share, -1 if keeps else 0)
        features = sum(sum(layer.w.shape) for layer in now.layers)
        own = self.threads == 1 or bool(theta.size <= features * tile)
        self.grads = aligned((self.threads if own else 1) * stride, theta.dtype).reshape(-1, stride)
        if self.model.core[program.FROZEN]:
            self.grads[...] = 0.0
        order = np.empty(samples.rows if samples.shuffled else 0, np.int64)
        nothing = np.empty((0, 1), theta.dtype)
        self.batches = self._batches = engine.Batches(
            nothing, nothing, nothing[:, 0], order, np.zeros(1, np.uint64),
            samples.batch, tile, lanes, kept,
        )  # fmt: skip
        self.team = make_team(self.grads, self.threads, own, optimizer)
        self.work = aligned(self.threads * elements, theta.dtype)
        # no epoch: the engine is compiled or loaded here, not in the time of the first one
        train = self.model, self.batches, self.team, np.ones(1), np.zeros(0), np.zeros(0, np.int64)
        engine.train(*train, self.work, 0, 0, 1)

    def has_threads(self) -> bool:
        """Start the threads it was made for; False where the system refuses some."""
        if self.threads > 1 and self._pool is None:
            started, self._pool = start_threads(self.threads)
            if started < self.threads:
                self.close()
                return False
        return True

    def begin(self, samples: Samples, epochs: int, fixed: bool) -> None:
        """Take these samples, which are as many as those that it was made for."""
        self._pace = _ONE_THREAD
        if self.threads > 1:
            guess = samples.rows * self._work / _SPEED
            self._pace = Pace(self.threads, fixed or epochs * guess < _SHORTEST, guess)
        check_parameters(self.model.theta)
        self.busy = True
        if samples.shuffled:  # 0, 1, 2 …, without another array as long
            self.batches.order[0], self.batches.order[1:] = 0, 1
            np.cumsum(self.batches.order, out=self.batches.order)
        data = samples.X, samples.t, samples.weights
        self.batches = engine.Batches(*data, *self._batches[3:])
        self.batches.rng[0] = samples.seed
        self.model.core[engine.at.SEED] = samples.seed % 2**31
        self.team.control[...] = self._before = 0
        for layer in self.network.layers:
            layer.input = layer.output = None

    def train(self, epochs: int, rates: Array) -> tuple[Array, Array, ValueError | None]:
        """See `Trainer`."""
        control, costs, seconds = self.team.control, np.zeros(epochs), np.zeros(epochs)
        numbers = self.optimizer.numbers()  # which callbacks may have changed
        self.team.hyper[:, : numbers.size] = numbers
        done = 0
        while done < epochs and not control[engine.STATUS]:
            piece = min(self._pace.epochs(), epochs - done)
            found = slice(done, done + piece)
            first = done * self.steps_per_epoch if rates.size > 1 else 0
            self._piece(rates[first:], costs[found], seconds[found])
            self._pace.learn(piece, float(seconds[found].sum()))
            done += piece
        self.optimizer.remember(self.team.hyper[0])
        done = int(control[engine.EPOCH]) - self._before
        self._before += done
        error = None
        if control[engine.STATUS]:
            step = int(control[engine.STEPS]) - (self._before - done) * self.steps_per_epoch
            error = diverged(self.optimizer, float(rates[min(step, rates.size - 1)]), control)
        return costs[:done], seconds[:done], error

    def _piece(self, rates: Array, costs: Array, seconds: Array) -> None:
        """Epochs in one call of the engine; costs and seconds have the length of the piece."""
        control, times = self.team.control, np.zeros(costs.size, np.int64)
        control[: engine.STEPS] = control[engine.SKIPPED] = 0
        self.team.hyper[1:] = self.team.hyper[0]  # what the rule remembers, for threads that rested
        before, start = int(control[engine.EPOCH]), engine.clock(self.team.clock)
        self._start(rates, costs, times, costs.size, self._pace.threads)
        done = int(control[engine.EPOCH]) - before
        seconds[:done] = times[:done] * 1e-9
        if done > 1:
            seconds[1:done] -= seconds[: done - 1].copy()
        seconds[: min(done, 1)] -= start * 1e-9

    def _start(
        self, rates: Array, costs: Array, times: npt.NDArray[np.int64], epochs: int, threads: int
    ) -> None:
        """Run the engine on its threads; if it may take long, so that Ctrl-C ends it."""

        def train(thread: int) -> None:
            engine.train(
                self.model, self.batches, self.team, rates, costs, times, self.work, epochs,
                thread, threads,
            )  # fmt: skip

        main = threading.current_thread() is threading.main_thread()
        if threads == 1 and not (main and self._long(epochs)):
            train(0)
            return
        if self._pool is None:
            _, self._pool = start_threads(1, always=True)
        pool = self._pool
        if pool is None:
            train(0)
        else:
            pool.run(train, threads, self._stop)

    def _stop(self) -> None:
        """End the training after the tile at hand."""
        self.team.control[engine.STOP] = 1

    def _long(self, epochs: int) -> bool:
        operations = 6.0 * self.model.theta.size * self.rows + _STEP * self.steps_per_epoch
        return bool(operations * epochs > _LONG)

    def evaluate(self, X: Array, t: Array, weights: Array) -> float:
        """See `Trainer`."""
        return evaluate(self._now, X, t, weights)

    def close(self) -> None:
        """See `Trainer`."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        self.batches = self._batches  # let go of the caller's data
        self.busy = False
        if self.grads.nbytes + self.work.nbytes > _CACHED_BYTES:
            self.network._trainer = None


def make_team(
    grads: Array, threads: int = 1, own: bool = True, optimizer: Optimizer | None = None
) -> engine.Team:
    """What `threads` threads share; its arrays do not share cache lines."""
    control = aligned(engine.CONTROLS, np.int64)
    control[...] = 0
    sums = aligned(threads * engine.LINE, np.float64).reshape(threads, engine.LINE)
    sums[...] = 0.0
    numbers = optimizer.numbers() if optimizer else np.zeros(1)
    width = -(-numbers.size // engine.LINE) * engine.LINE
    hyper = aligned(threads * width, np.float64).reshape(threads, width)
    hyper[:, : numbers.size] = numbers
    addresses = team.yield_address(), team.clock_address()
    return engine.Team(control, sums, grads, hyper, threads, own, *addresses)


def alone(
    made: program.Model, grad: Array, x: Array, t: Array, weights: Array
) -> tuple[engine.Batches, engine.Team, Array]:
    """What the engine needs to run once, on one thread."""
    tile, lanes, kept, elements = engine.layout(made, x.shape[0], 0)
    batches = engine.Batches(
        x, t, weights, np.empty(0, np.int64), np.zeros(1, np.uint64), x.shape[0], tile, lanes, kept
    )
    return batches, make_team(grad.reshape(1, -1)), np.empty(elements, x.dtype)


def evaluate(now: Snapshot, X: Array, t: Array, weights: Array) -> float:
    """Cost of checked samples, in tiles."""
    made = model(now.layers, now.cost_function, now.theta, Use(evaluating=True))
    found = engine.evaluate(made, *alone(made, now.theta, X, t, weights))
    return float(found) + float(sum(layer.penalty() for layer in now.layers))


def trainer_for(
    network: NeuralNetwork,
    pinned: Pinned,
    samples: Samples,
    optimizer: Optimizer,
    epochs: int,
    threads: int | None,
) -> Trainer:
    """What trains this network, ready to begin."""
    now = pinned.now
    check_trainable(now.layers)
    if not now.compiled:
        return LayerTrainer(network, pinned, samples, optimizer)
    cost, state = now.cost_function, optimizer.state_for(now.theta)
    chosen = _threads(now, samples, epochs, threads)
    signature = (
        os.getpid(), id(now.known), id(cost), cost.reduction,
        id(optimizer), id(optimizer.counter), id(state) if optimizer.rule.states else 0,
        samples.rows, samples.batch, samples.shuffled, chosen,
    )  # fmt: skip
    last = network._trainer
    if last is None or last[0] != signature or last[1].busy or not last[1].has_threads():
        last = signature, CompiledTrainer(network, now, samples, optimizer, chosen)
        network._trainer = last
    trainer: CompiledTrainer = last[1]
    trainer.begin(samples, epochs, threads is not None)
    return trainer


def _threads(now: Snapshot, samples: Samples, epochs: int, asked: int | None) -> int:
    """How many threads share a step: what was asked for, or what pays."""
    most = min(get_num_threads() if asked is None else asked, samples.batch)
    if asked is not None or most == 1:
        return most
    size = now.theta.size
    if samples.rows * epochs * (3.0 + CURVE) * size < _SHORT:
        return 1
    least = _SHARED_LARGE if size > program.SMALL else _SHARED
    pays = samples.batch * work_of(now.layers) / least
    return max(1, min(most, int(pays)))


def work_of(layers: list[Any]) -> float:
    """Multiplications and additions for a sample, counting an activation as CURVE of them."""
    return float(sum(layer.w.shape[1] * (3.0 * layer.dim_input + CURVE) for layer in layers))


class LayerTrainer:
    """Forward and back through the layers' own methods, in NumPy."""

    def __init__(
        self, network: NeuralNetwork, pinned: Pinned, samples: Samples, optimizer: Optimizer
    ) -> None:
        self.network, self.samples, self.optimizer = network, samples, optimizer
        self._pinned = pinned
        _check_own_layers(network.layers, optimizer)
        if not optimizer.is_plain:
            optimizer.state_for(network.parameters)
        if all(isinstance(layer, Layer) for layer in network.layers):
            check_parameters(network.parameters)
        order = np.arange(samples.rows) if samples.shuffled else None
        self.order, self.rng = order, np.array([samples.seed], np.uint64)
        self.control = np.zeros(engine.CONTROLS, np.int64)

    def train(self, epochs: int, rates: Array) -> tuple[Array, Array, ValueError | None]:
        """See `Trainer`."""
        samples, control = self.samples, self.control
        mean = getattr(self.network.cost_function, "reduction", "sum") == "mean"
        costs: list[float] = []
        seconds: list[float] = []
        done = 0
        for _ in range(epochs):
            started, total, seen = clock(), 0.0, 0
            if self.order is not None:
                engine.shuffle(self.order, self.rng)
            for start in range(0, samples.rows, samples.batch):
                control[engine.START] = start
                place: Any = slice(start, start + samples.batch)
                chosen = place if self.order is None else self.order[place]
                rate = float(rates[min(done, rates.size - 1)])
                with passing():
                    cost = self._step(chosen, rate)
                if cost is None and self.optimizer.on_nonfinite != "skip":
                    error = diverged(self.optimizer, rate, control)
                    return np.array(costs), np.array(seconds), error
                done += 1
                control[engine.STEPS] += 1
                if cost is not None:
                    rows = samples.X[chosen].shape[0]
                    total += cost * rows if mean else cost
                    seen += rows
            control[engine.EPOCH] += 1
            costs.append(total / (seen if mean else 1) if seen else math.nan)
            seconds.append(clock() - started)
        return np.array(costs), np.array(seconds), None

    def _step(self, chosen: Any, rate: float) -> float | None:
        """One step; whatever goes wrong, the parameters are those before it or those after it.

        Returns its cost; None if it would have left the finite numbers.
        """
        network, x, t = self.network, self.samples.X[chosen], self.samples.t[chosen]
        weights = self.samples.weights[chosen] if self.samples.weights.size else None
        before = _copies(network.layers)
        complete = False
        try:
            activity = network._logits(x)
            cost = _weighted_cost(network.cost_function, activity, t, weights)
            delta = delta_of(network.cost_function, activity, t)
            if weights is not None:
                delta = delta * weights[:, np.newaxis]
            complete = self._update(delta, rate, cost)
        finally:
            for layer, name, values in before:
                if not complete or not is_trainable(layer):  # whatever its own way has done
                    setattr(layer, name, values)
        return cost if complete else None

    def _update(self, delta: Any, rate: float, cost: float) -> bool:
        """Walk back to the first layer that is trained; whether all parameters are finite then."""
        layers = self.network.layers
        lowest = list(map(is_trainable, layers)).index(True)
        if self.optimizer.is_plain:
            for layer in reversed(layers[lowest:]):
                delta = layer.back_propagation(delta, rate if is_trainable(layer) else 0.0)
            values = [getattr(layer, name) for layer, name, _ in _copies(layers)]
            finite = all(np.isfinite(value).all() for value in values)
            self.optimizer.counter[0] += finite
            return finite
        theta = self.network.parameters
        grad = np.zeros_like(theta)
        sizes = [sum(getattr(layer, name).size for name in layer.trained) for layer in layers]
        ends = np.cumsum(sizes).tolist()
        parts = list(zip(layers, [0, *ends], ends, strict=False))
        for layer, first, end in reversed(parts[lowest:]):
            delta, *found = layer.gradients(delta)
            if layer.trainable:
                np.concatenate([array.ravel() for array in found], out=grad[first:end])
        spans = [(first, end) for layer, first, end in parts if layer.trainable]
        self._pinned.check()  # layers of the caller's own have run
        return self.optimizer.take(theta, grad, rate, cost, spans)

    def evaluate(self, X: Array, t: Array, weights: Array) -> float:
        """See `Trainer`."""
        given, now = weights if weights.size else None, self._pinned.now
        return _weighted_cost(now.cost_function, logits(now.layers, X), t, given)

    def close(self) -> None:
        """See `Trainer`."""


def _copies(layers: list[Any]) -> list[tuple[Any, str, Array]]:
    return [
        (layer, name, np.array(getattr(layer, name)))
        for layer in layers
        for name in getattr(layer, "trained", ("w", "b"))
        if hasattr(layer, name)
    ]


def _weighted_cost(cost: Any, logits: Array, t: Array, weights: Array | None) -> float:
    """A cost of one's own knows no weights: it is asked sample by sample."""
    if weights is None:
        return cost_of(cost, logits, t)
    total = sum(
        float(w) * cost_of(cost, logits[r : r + 1], t[r : r + 1]) for r, w in enumerate(weights)
    )
    return total / len(weights) if getattr(cost, "reduction", "sum") == "mean" else total


def _check_own_layers(layers: list[Any], optimizer: Optimizer) -> None:
    """Refuse what only compiled trainings can do."""
    for k, layer in enumerate(layers):
        if any(getattr(layer, name, 0.0) for name in ("dropout", "l1", "l2")):
            raise ValueError(
                f"layers[{k}] has dropout, l1 or l2, which need a network of DenseLayers and "
                "costs of fastnn only"
            )
        own = type(layer).back_propagation is not Layer.back_propagation
        if not optimizer.is_plain and (not isinstance(layer, Layer) or own):
            raise TypeError(
                f"layers[{k}] has a back_propagation of its own, which is gradient descent: "
                f"it cannot train with {optimizer!r}, only with a learning_rate alone"
            )
