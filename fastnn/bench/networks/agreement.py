"""Competitors are timed only if they do the same thing: what plain NumPy does in float64."""

from __future__ import annotations

import numpy as np

from ..timing import Competitor
from . import data, numpy_peer
from .tasks import Task, Training

__all__ = ["DisagreementError", "check", "oracle"]

_COST = 1e-3  # largest relative difference of the cost after a run
# Largest difference of the way that the parameters went, relative to its length. A single step of
# Adam is nearly lr·sign(gradient): where a gradient is close to zero, rounding decides its sign,
# and the place of epsilon the size. A forgotten weight decay moves the float64 task by 0.003.
_WAY = {"float32": 0.02, "float64": 0.001}
_OUTPUT = 1e-4  # of predictions, which are of the order of one


class DisagreementError(Exception):
    """A competitor computes something else."""


def oracle(task: Task) -> np.ndarray:
    """What a run has to arrive at."""
    if isinstance(task, Training):
        trainer = numpy_peer.Trainer(task, "float64")
        trainer.start()
        trainer.run()
        return trainer.result()
    weights = [(w.astype(float), b.astype(float)) for w, b in data.weights(task)]
    return numpy_peer.outputs(task, weights, data.samples(task).astype(float))


def check(task: Task, competitor: Competitor, expected: np.ndarray) -> None:
    """Compare the result of the competitor's last run.

    Raises
    ------
    DisagreementError
        When it is not what is expected.

    """
    found = competitor.result().astype(float).reshape(expected.shape)
    if not isinstance(task, Training):
        _judge(task, competitor, "outputs differ by", np.abs(found - expected).max(), _OUTPUT)
        return
    x, t = data.samples(task).astype(float), data.targets(task).astype(float)
    costs = [
        numpy_peer.cost(task, data.from_flat(theta, task.sizes), x, t)
        for theta in (found, expected)
    ]
    _judge(task, competitor, "cost differs by", abs(costs[0] / costs[1] - 1), _COST)
    way = expected - data.flat(data.weights(task)).astype(float)
    away = np.linalg.norm(found - expected) / np.linalg.norm(way)
    _judge(task, competitor, "parameters went astray by", away, _WAY[task.dtype])


def _judge(task: Task, competitor: Competitor, what: str, value: float, limit: float) -> None:
    if not value <= limit:  # NaN must not pass
        raise DisagreementError(
            f"{task.name}: {competitor.name}: {what} {value:.2g}, allowed {limit:g}"
        )
