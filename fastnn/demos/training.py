"""Train a task in compiled chunks, remember it at moments worth a picture, and time it."""

from __future__ import annotations

import copy
import statistics
import time
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from .._core.arrays import Array
from ..bench.results import Ratio
from ..bench.timing import pulse
from ..reference import ReferenceNetwork
from .tasks import Task

__all__ = ["Comparison", "Snapshot", "Training", "compare", "prepare", "train"]

_FRAMES = 100
_REFERENCE_STEPS = 300  # a round; long enough for the clock, short enough for many rounds
_OUR_STEPS = 3000
_ROUNDS = 9


@dataclass(frozen=True)
class Snapshot:
    """A network in the middle of its training."""

    epoch: int
    step: int
    cost: float
    parameters: Array


@dataclass(frozen=True)
class Training:
    """A finished training: seconds inside `fit` only, and the snapshots taken."""

    epochs: int
    seed: int
    steps: int
    seconds: float
    snapshots: list[Snapshot]


@dataclass(frozen=True)
class Comparison:
    """Seconds a step, medians of several rounds in turn; their ratio; µs of a fixed loop."""

    compiled: float
    reference: float
    ratio: Ratio
    pulses: list[float]
    rounds: int


def prepare(task: Task) -> float:
    """Compile the kernels of this task, or load them from the cache; returns the seconds."""
    trial = copy.deepcopy(task.network)
    start = time.perf_counter()
    trial.fit(task.X, task.t, 0.0, optimizer=task.optimizer, batch_size=task.batch_size)
    return time.perf_counter() - start


def train(task: Task, epochs: int, seed: int) -> Training:
    """Train the task's network, printing step and cost every tenth of the way.

    One call of `fit` from each stop to the next. The stops are the frames of the animation, dense
    at the start, where most happens, and the tenths. Only the calls of `fit` are timed.
    """
    frames = {round(epochs * (k / _FRAMES) ** 3) for k in range(_FRAMES + 1)}
    lines = {k * epochs // 10 for k in range(10)}
    stops = sorted(frames | lines)
    nn, rng = task.network, np.random.default_rng(seed)
    per_epoch = len(task.batches)
    snapshots: list[Snapshot] = []
    seconds = 0.0
    with (
        threadpool_limits(limits=1),
        # disable=None: a bar on a terminal, nothing elsewhere.
        tqdm(total=epochs * per_epoch, desc=task.name, disable=None, leave=False) as bar,
    ):
        for at, following in zip(stops, [*stops[1:], epochs], strict=True):
            cost = nn.cost(task.X, task.t)
            if at in lines and at < epochs:
                more = f", {task.judge(nn)[1]}" if task.held_out else ""
                bar.write(f"step {at * per_epoch:6d}, cost {cost:f}{more}")
            if at in frames:
                snapshots.append(Snapshot(at, at * per_epoch, cost, nn.parameters.copy()))
            start = time.perf_counter()
            nn.fit(
                task.X, task.t, task.learning_rate, optimizer=task.optimizer,
                epochs=following - at, batch_size=task.batch_size, rng=rng, n_threads=1,
            )  # fmt: skip
            seconds += time.perf_counter() - start
            bar.update((following - at) * per_epoch)
    return Training(epochs, seed, epochs * per_epoch, seconds, snapshots)


def compare(task: Task) -> Comparison:
    """Time a step of `fit` and a step of the NumPy reference on the same batches, in turn.

    The reference computes in float64, as the article does. Both run on one thread. Batches are
    taken in their natural order, so that neither pays for shuffling.
    """
    nn, reference = copy.deepcopy(task.network), ReferenceNetwork.like(task.network)
    batches = [(task.X[part], task.t[part]) for part in task.batches]
    epochs = -(-_OUR_STEPS // len(batches))
    times: tuple[list[float], list[float]] = ([], [])
    pulses = [pulse()]
    with threadpool_limits(limits=1):
        for _ in range(_ROUNDS):
            start = time.perf_counter()
            nn.fit(
                task.X, task.t, task.learning_rate,
                epochs=epochs, batch_size=task.batch_size, shuffle=False, n_threads=1,
            )  # fmt: skip
            middle = time.perf_counter()
            for k in range(_REFERENCE_STEPS):
                reference.fit(*batches[k % len(batches)], task.learning_rate)
            times[0].append((middle - start) / (epochs * len(batches)))
            times[1].append((time.perf_counter() - middle) / _REFERENCE_STEPS)
            pulses.append(pulse())
    compiled, slow = map(statistics.median, times)
    return Comparison(compiled, slow, Ratio.of(*times), pulses, _ROUNDS)
