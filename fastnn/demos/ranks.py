"""Digits trained by the ranks of MPI, beside the same training in one process.

``mpiexec -n 2 fastnn demo mpi``. Needs the extra ``mpi``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import LinearLayer, NeuralNetwork, ReLULayer, SoftmaxCrossEntropy
from ..history import History
from .plots import BLUE, RED, new_figure
from .tasks import Task, digits

__all__ = ["run"]

_EPOCHS, _BATCH, _HIDDEN = 20, 256, 512


@dataclass(frozen=True)
class Result:
    """The same training without ranks and by all of them."""

    alone: History
    together: History
    difference: float  # of parameters, relative to the largest
    accuracy: float


def run(out: Path, epochs: int | None, seed: int, dtype: npt.DTypeLike) -> None:
    """Train on every rank; print and draw on the first one."""
    from mpi4py import MPI

    comm = MPI.COMM_WORLD
    task = digits(seed, dtype)
    found = _trained(comm, task, _EPOCHS if epochs is None else epochs, seed, dtype)
    if comm.rank == 0:
        print(_report(comm.size, task, found))
        print(f"  wrote {_draw(comm.size, found, out / 'mpi.png')}", flush=True)


def _network(seed: int, dtype: npt.DTypeLike) -> NeuralNetwork:
    """Wider than that of the other demo, so that there is something to share."""
    options: dict[str, Any] = {"init": "he_normal", "dtype": dtype}
    options["rng"] = np.random.default_rng(seed)
    return NeuralNetwork(
        [
            ReLULayer(64, _HIDDEN, **options),
            ReLULayer(_HIDDEN, _HIDDEN, **options),
            LinearLayer(_HIDDEN, 10, **options),
        ],
        SoftmaxCrossEntropy("mean"),
    )


def _trained(comm: Any, task: Task, epochs: int, seed: int, dtype: npt.DTypeLike) -> Result:
    """First on rank 0 alone, on one thread, then on all ranks; after an epoch that is not timed."""
    alone, together = _network(seed, dtype), _network(seed, dtype)
    x, t = (np.ascontiguousarray(array, together.dtype) for array in (task.X, task.t))
    options: dict[str, Any] = {"batch_size": _BATCH, "optimizer": "Adam"}
    first = {**options, "rng": seed, "epochs": 1}
    history = History()
    if comm.rank == 0:
        alone.fit(x, t, **first, n_threads=1)
        history = alone.fit(x, t, **options, epochs=epochs, rng=alone.draws, n_threads=1)
    _sleep_until_all_are_here(comm)
    together.fit(x, t, **first, comm=comm, shard=True)
    draws = together.draws
    shared = together.fit(x, t, **options, epochs=epochs, rng=draws, comm=comm, shard=True)
    p, q = alone.parameters, together.parameters
    images, one_hot = task.held_out or (x, t)
    right = together.predict(images).argmax(axis=1) == one_hot.argmax(axis=1)
    difference = float(np.abs(p - q).max() / np.abs(q).max())
    return Result(history, shared, difference, float(right.mean()))


def _sleep_until_all_are_here(comm: Any) -> None:
    """A barrier whose waiting ranks leave the cores alone."""
    request = comm.Ibarrier()
    while not request.Test():
        time.sleep(0.01)


def _report(size: int, task: Task, found: Result) -> str:
    """What was measured, in lines."""
    seconds = [float(history.seconds.sum()) for history in (found.alone, found.together)]
    reduction = float(found.together.reduction_seconds.sum())
    apart = float(np.abs(found.together.cost / found.alone.cost - 1.0).max())
    ranks = f"{size} rank{'s' * (size > 1)}"
    lines = [
        f"mpi: 64-{_HIDDEN}-{_HIDDEN}-10, ReLU, {len(task.X)} digits, {len(found.together)} epochs "
        f"of batches of {_BATCH}, Adam",
        f"  one process {seconds[0]:.3f} s, on one thread",
        f"  {ranks:11} {seconds[1]:.3f} s, on one thread each: {seconds[0] / seconds[1]:.2f} times "
        "as fast",
        f"  reduction   {reduction:.3f} s of these, {reduction / seconds[1]:.0%}",
        f"  the same    costs differ by {apart:.1e} at most, parameters by {found.difference:.1e}",
        f"  held out    accuracy {found.accuracy:.4f}",
    ]
    if size == 1:
        lines.append("  note        for more ranks: mpiexec -n 2 fastnn demo mpi")
    return "\n".join(lines)


def _draw(size: int, found: Result, path: Path) -> Path:
    """Costs over epochs and over seconds, of both."""
    figure = new_figure(9, 3.6, 150)
    left, right = figure.subplots(1, 2, sharey=True)
    names = "one process", f"{size} rank{'s' * (size > 1)}"
    for history, name, style, color in zip(
        (found.alone, found.together), names, ("-", "o"), (BLUE, RED), strict=True
    ):
        epochs = np.arange(1, len(history) + 1)
        left.semilogy(epochs, history.cost, style, color=color, label=name, markersize=4)
        line = "-" if style == "-" else ".-"
        right.semilogy(np.cumsum(history.seconds), history.cost, line, color=color, label=name)
    left.xaxis.get_major_locator().set_params(integer=True)
    left.set(xlabel="epoch", ylabel="cost", title="the same steps")
    right.set(xlabel="seconds", title="on one thread each")
    left.legend(frameon=False)
    right.legend(frameon=False)
    figure.savefig(path)
    return path
