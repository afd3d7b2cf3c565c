"""Least squares on an inverse problem, beside the mixture density network that solves it."""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from .. import LinearLayer, NeuralNetwork, SumSquaresError, TanhLayer
from .tasks import Task, distance_of

__all__ = ["least_squares", "report"]

_GRID = np.linspace(0.05, 0.95, 200)[:, np.newaxis]


def least_squares(task: Task, epochs: int, seed: int) -> NeuralNetwork:
    """A network of the same hidden layer for the same data, as long trained with `SumSquaresError`.

    What it tends to is the mean of all t of an x, which is right for none of them.
    """
    rng, first = np.random.default_rng(seed), task.network.layers[0]
    dtype, hidden = task.network.dtype, first.dim_output
    network = NeuralNetwork(
        [
            TanhLayer(1, hidden, dtype=dtype, rng=rng),
            LinearLayer(hidden, 1, std=0.2, dtype=dtype, rng=rng),
        ],
        SumSquaresError(reduction="mean"),
    )
    with threadpool_limits(limits=1):
        network.fit(
            task.X, task.t, task.learning_rate, optimizer=task.optimizer, epochs=epochs,
            n_threads=1,
        )  # fmt: skip
    return network


def report(task: Task, fit: NeuralNetwork) -> str:
    """What was measured, in lines."""
    squares = distance_of(_GRID, fit.predict(_GRID))
    mixture = task.judge(task.network)[0]
    return (
        f"  wrong by   {mixture:.4f} (the mode of the mixture), {squares:.4f} (least squares): RMS "
        "distance\n             of x from the curve at the answer t, where the noise is 0.0577"
    )
