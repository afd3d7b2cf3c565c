"""Competitors are timed only if they do the same thing: what plain NumPy does in float64."""

from __future__ import annotations

import numpy as np

from ..timing import Competitor
from . import data, numpy_peer
from .tasks import Task, Training

__all__ = ["oracle", "wrong"]

_COST = 1e-3  # largest relative difference of the cost after a run
# Largest difference of where the parameters end, relative to the distance that they went. A single
# step of Adam is nearly lr·sign(gradient): where a gradient is close to zero, rounding decides its
# sign, and epsilon the size. A forgotten weight decay moves the float64 task by 0.003.
_DISTANCE = {"float32": 0.02, "float64": 0.001}
# Each draws dropout's choices for himself. After 200 and 1000 steps the parameters of two seeds are
# 0.03 to 0.07 apart and their costs 0.0006; a rate of 0.3 for 0.2 makes 0.1 and 0.003, none 0.4.
_DROPOUT_COST, _DROPOUT_DISTANCE = 0.002, 0.09
_OUTPUT = 1e-4  # of predictions, which are of the order of one


def oracle(task: Task) -> np.ndarray:
    """What a run has to arrive at."""
    if isinstance(task, Training):
        trainer = numpy_peer.trainer(task, "float64")
        trainer.start()
        trainer.run()
        return trainer.result()
    weights = [(w.astype(float), b.astype(float)) for w, b in data.weights(task)]
    return numpy_peer.outputs(task, weights, data.samples(task).astype(float))


def wrong(task: Task, competitor: Competitor, expected: np.ndarray) -> str:
    """What is wrong with the result of the competitor's last run; empty if nothing is."""
    found = competitor.result().astype(float).reshape(expected.shape)
    if not isinstance(task, Training):
        return _judged("outputs differ by", float(np.abs(found - expected).max()), _OUTPUT)
    x, t = data.samples(task).astype(float), data.targets(task).astype(float)
    costs = [
        sum(
            numpy_peer.cost(task, data.from_flat(theta, task.sizes), x, t)
            for theta in of_all.reshape(task.networks, -1)
        )
        for of_all in (found, expected)
    ]
    moved = expected - data.flat_of_all(task).astype(float).reshape(expected.shape)
    away = float(np.linalg.norm(found - expected) / np.linalg.norm(moved))
    cost, distance = _COST, _DISTANCE[task.dtype]
    if task.dropout:
        cost, distance = _DROPOUT_COST, _DROPOUT_DISTANCE
    return _judged("cost differs by", abs(costs[0] / costs[1] - 1), cost) or _judged(
        "parameters went astray by", away, distance
    )


def _judged(what: str, value: float, limit: float) -> str:
    if value <= limit:
        return ""
    return f"{what} {value:.2g}, allowed {limit:g}"  # NaN comes here too
